/** What became of the question for a model. */
import type { Model } from "../../../ir/backend/Llm.ts"
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import type { Candidates } from "./failover.ts"

export type Found =
  | { readonly _tag: "Found"; readonly candidates: Candidates; readonly passthrough: Model["passthrough"] }
  | { readonly _tag: "Refused"; readonly error: LlmError }

export const refused = (status: number, kind: LlmError["kind"], message: string, code: string): Found => ({
  _tag: "Refused",
  error: { status, kind, message, code },
})

export const notFound = (model: string): Found =>
  refused(404, "notFound", `the model ${JSON.stringify(model)} does not exist`, "model_not_found")

export const forbidden = (model: string): Found =>
  refused(403, "permission", `the model ${JSON.stringify(model)} may not be used`, "model_authorization_denied")
