/** Counting tokens as Gemini asks for it, Claude models. */
import * as Result from "effect/Result"
import { countOf, objectOf, pick } from "../Json.ts"
import { plain } from "../plain.ts"
import { geminiToAnthropicMessages } from "./gemini-anthropicMessages.ts"

const counted = ["model", "system", "messages", "tools", "tool_choice", "thinking"]

export const geminiCountTokensToAnthropicCountTokens = plain({
  from: "geminiCountTokens",
  to: "anthropicCountTokens",
  request: (body, call, notes) => {
    const whole = objectOf(body["generateContentRequest"]) ?? objectOf(body["generate_content_request"]) ?? body
    const prepared = geminiToAnthropicMessages.request(whole, call)
    if (Result.isFailure(prepared)) {
      notes.refuse(prepared.failure.path, prepared.failure.reason)
      return {}
    }
    return pick(prepared.success.body, counted)
  },
  reply: (reply) => {
    const tokens = countOf(reply["input_tokens"])
    return tokens === undefined
      ? { path: "input_tokens", reason: "the reply has no count" }
      : { totalTokens: tokens, promptTokensDetails: [{ modality: "TEXT", tokenCount: tokens }] }
  },
})
