/** Counting tokens as Anthropic asks for it, Gemini models. */
import * as Result from "effect/Result"
import { countOf, isObject, without } from "../Json.ts"
import { plain } from "../plain.ts"
import { anthropicMessagesToGemini } from "./anthropicMessages-gemini.ts"

const notCounted = new Set(["generationConfig", "toolConfig"])

export const anthropicCountTokensToGeminiCountTokens = plain({
  from: "anthropicCountTokens",
  to: "geminiCountTokens",
  request: (body, call, notes) => {
    const prepared = anthropicMessagesToGemini.request({ max_tokens: 1, ...body }, call)
    if (Result.isFailure(prepared)) {
      notes.refuse(prepared.failure.path, prepared.failure.reason)
      return {}
    }
    const request = without(prepared.success.body, notCounted)
    // System prompt and tools are only counted as parts of a whole request.
    const model = call.model.startsWith("models/") ? call.model : `models/${call.model}`
    return isObject(request["systemInstruction"]) || Array.isArray(request["tools"])
      ? { generateContentRequest: { model, ...request } }
      : { contents: request["contents"] }
  },
  reply: (reply) => {
    const tokens = countOf(reply["totalTokens"])
    return tokens === undefined ? { path: "totalTokens", reason: "the reply has no count" } : { input_tokens: tokens }
  },
})
