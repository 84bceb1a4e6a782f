/** Counting tokens as Anthropic asks for it, Claude on Bedrock, which counts a whole invocation. */
import { textToBase64 } from "../../base64.ts"
import { countOf, isObject, without } from "../Json.ts"
import { plain } from "../plain.ts"

const noModel = new Set(["model"])

export const anthropicCountTokensToBedrockCountTokens = plain({
  from: "anthropicCountTokens",
  to: "bedrockCountTokens",
  request: (body, call, notes) => {
    if (!Array.isArray(body["messages"]) || !body["messages"].every(isObject))
      notes.refuse("messages", "a request needs a list of messages")
    const invocation = {
      max_tokens: 1,
      anthropic_version: call.options?.bedrock?.anthropicVersion ?? "bedrock-2023-05-31",
      ...without(body, noModel),
    }
    return { input: { invokeModel: { body: textToBase64(JSON.stringify(invocation)) } } }
  },
  reply: (reply) => {
    const tokens = countOf(reply["inputTokens"])
    return tokens === undefined ? { path: "inputTokens", reason: "the reply has no count" } : { input_tokens: tokens }
  },
})
