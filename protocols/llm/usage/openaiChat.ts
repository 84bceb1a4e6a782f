/** The usage object of Chat Completions, as OpenAI and those who speak like it fill it. */
import { at, countOf, isObject } from "../Json.ts"
import type { Usage } from "../Usage.ts"

export const readOpenAiUsage = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const inputTokens = countOf(usage["prompt_tokens"])
  const completion = countOf(usage["completion_tokens"])
  const total = countOf(usage["total_tokens"])
  if (inputTokens === undefined && completion === undefined && total === undefined) return undefined
  const prompt = inputTokens ?? 0
  const reasoningTokens = countOf(at(usage, "completion_tokens_details", "reasoning_tokens"))
  const said = completion ?? 0
  // Some leave the thoughts out of the completion, some leave the completion out altogether; the total knows.
  const outputTokens = total === undefined ? said : Math.max(said, total - prompt)
  return {
    inputTokens: prompt,
    outputTokens,
    cacheReadTokens:
      countOf(at(usage, "prompt_tokens_details", "cached_tokens")) ??
      countOf(usage["cache_read_input_tokens"]) ??
      countOf(usage["prompt_cache_hit_tokens"]),
    cacheWriteTokens:
      countOf(at(usage, "prompt_tokens_details", "cache_write_tokens")) ??
      countOf(at(usage, "prompt_tokens_details", "cache_creation_tokens")) ??
      countOf(usage["cache_creation_input_tokens"]),
    inputAudioTokens: countOf(at(usage, "prompt_tokens_details", "audio_tokens")),
    inputImageTokens: countOf(at(usage, "prompt_tokens_details", "image_tokens")),
    reasoningTokens,
    outputAudioTokens: countOf(at(usage, "completion_tokens_details", "audio_tokens")),
    outputImageTokens: countOf(at(usage, "completion_tokens_details", "image_tokens")),
    acceptedPredictionTokens: countOf(at(usage, "completion_tokens_details", "accepted_prediction_tokens")),
    rejectedPredictionTokens: countOf(at(usage, "completion_tokens_details", "rejected_prediction_tokens")),
  }
}
