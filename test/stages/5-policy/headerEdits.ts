/** Header edits as a file writes them. */
import type { HeaderEdits } from "../../../ir/policy/HeaderEdits.ts"

export interface Edits {
  readonly add?: Record<string, string>
  readonly set?: Record<string, string>
  readonly remove?: ReadonlyArray<string>
}

const list = (fields: Record<string, string> = {}) => Object.entries(fields).map(([name, value]) => ({ name, value }))

export const edits = (told: Edits): HeaderEdits => ({
  add: list(told.add),
  set: list(told.set),
  remove: told.remove ?? [],
})
