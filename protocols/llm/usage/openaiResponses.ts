/** The usage object of Responses. */
import { at, countOf, isObject } from "../Json.ts"
import type { Usage } from "../Usage.ts"

export const readResponsesUsage = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const input = countOf(usage["input_tokens"])
  const output = countOf(usage["output_tokens"])
  if (input === undefined && output === undefined) return undefined
  const rest = (countOf(usage["total_tokens"]) ?? 0) - (input ?? 0) - (output ?? 0)
  return {
    inputTokens: input ?? 0,
    outputTokens: output ?? 0,
    cacheReadTokens: countOf(at(usage, "input_tokens_details", "cached_tokens")),
    cacheWriteTokens: countOf(at(usage, "input_tokens_details", "cache_write_tokens")),
    inputAudioTokens: countOf(at(usage, "input_tokens_details", "audio_tokens")),
    inputImageTokens: countOf(at(usage, "input_tokens_details", "image_tokens")),
    reasoningTokens: countOf(at(usage, "output_tokens_details", "reasoning_tokens")),
    outputAudioTokens: countOf(at(usage, "output_tokens_details", "audio_tokens")),
    outputImageTokens: countOf(at(usage, "output_tokens_details", "image_tokens")),
    otherTokens: rest > 0 ? rest : undefined,
  }
}
