/** What a call of a test knows besides its body. */
import { Result } from "effect"
import type { Call, Prepared, Translation } from "../../../protocols/llm/Translation.ts"

export const call = (model: string, options?: Call["options"]): Call => ({
  model,
  nowMillis: 1_790_000_000_000,
  id: "0123456789abcdef0123456789abcdef",
  options,
})

export const prepare = (translation: Translation, body: unknown, model = "m", options?: Call["options"]): Prepared =>
  Result.getOrThrowWith(
    translation.request(body, call(model, options)),
    (problem) => new Error(`${problem.path}: ${problem.reason}`),
  )
