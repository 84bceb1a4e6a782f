/** A provider as a route uses it. */
import type { LlmProvider, Model } from "../../../ir/backend/Llm.ts"
import type { BackendPolicies } from "../../../ir/effective.ts"
import type { Where } from "../resolve.ts"

export interface Part {
  readonly provider: LlmProvider
  /** Which group of its backend it belongs to; the first is asked first. */
  readonly group: number
  /** Present where it stands behind a name of a model. */
  readonly model: Model | undefined
  readonly policies: BackendPolicies
  /** The HTTP proxy to go through. */
  readonly proxy: Where | undefined
}
