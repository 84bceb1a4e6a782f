/** What a whole reply says of its consumption, in every format. */
import { at, countOf, isObject, listOf } from "./Json.ts"
import type { Format } from "./Translation.ts"
import { readAnthropicUsage } from "./usage/anthropic.ts"
import { readBedrockUsage } from "./usage/bedrock.ts"
import { readGeminiUsage } from "./usage/gemini.ts"
import { readOpenAiUsage } from "./usage/openaiChat.ts"
import { readResponsesUsage } from "./usage/openaiResponses.ts"
import type { Usage } from "./Usage.ts"

const inputOnly = (count: unknown): Usage | undefined => {
  const inputTokens = countOf(count)
  return inputTokens === undefined ? undefined : { inputTokens, outputTokens: 0 }
}

const first = (...counts: ReadonlyArray<unknown>): Usage | undefined =>
  inputOnly(counts.find((count) => countOf(count) !== undefined))

/** Some providers of embeddings give the count in a header only; names are in lower case. */
export const readUsage = (
  format: Format,
  body: unknown,
  headers: { readonly [name: string]: string | undefined } = {},
): Usage | undefined => {
  if (!isObject(body)) return undefined
  switch (format) {
    case "openaiChat":
      return readOpenAiUsage(body["usage"])
    case "openaiResponses":
      return readResponsesUsage(body["usage"])
    case "anthropicMessages":
      return readAnthropicUsage(body["usage"])
    case "gemini":
      return readGeminiUsage(body["usageMetadata"] ?? body["usage_metadata"])
    case "bedrockConverse":
      return readBedrockUsage(body["usage"])
    case "openaiEmbeddings":
      return first(at(body, "usage", "prompt_tokens"), at(body, "usage", "total_tokens"))
    case "geminiEmbeddings":
      return first(at(body, "usageMetadata", "promptTokenCount"))
    case "vertexEmbeddings": {
      const counts = listOf(body["predictions"]).map((one) =>
        countOf(at(one, "embeddings", "statistics", "token_count")),
      )
      return counts.every((count) => count === undefined)
        ? undefined
        : inputOnly(counts.reduce<number>((sum, count) => sum + (count ?? 0), 0))
    }
    case "bedrockTitanEmbeddings":
      return first(body["inputTextTokenCount"])
    case "bedrockNovaEmbeddings":
    case "bedrockCohereEmbeddings": {
      const count = headers["x-amzn-bedrock-input-token-count"]
      return count === undefined || !/^\d{1,12}$/.test(count) ? undefined : inputOnly(Number(count))
    }
    case "cohereRerank":
      return first(
        at(body, "meta", "tokens", "input_tokens"),
        at(body, "meta", "billed_units", "total_tokens"),
        at(body, "usage", "total_tokens"),
      )
    default:
      // Counting tokens and ranking consume nothing that is billed by the token.
      return undefined
  }
}
