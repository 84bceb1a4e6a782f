/** A backend as a route uses it: its policies, its endpoints, and how one attempt at it is made. */
import type { Attempt, Reply } from "../Exchange.ts"
import type * as Effect from "effect/Effect"
import type { Refusal } from "../Refusal.ts"

export interface Target {
  /** As the journal names it. */
  readonly name: string
  /** Whether something may change the request on its way to this target. */
  readonly edits: boolean
  readonly attempt: (attempt: Attempt) => Effect.Effect<Reply, Refusal>
}
