/** The usage object of Anthropic's Messages, whose input leaves out what touched the cache. */
import { at, compact, countOf, isObject, type JsonObject } from "../Json.ts"
import type { Usage } from "../Usage.ts"

export const readAnthropicUsage = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const input = countOf(usage["input_tokens"])
  const output = countOf(usage["output_tokens"])
  if (input === undefined && output === undefined) return undefined
  const hour = countOf(at(usage, "cache_creation", "ephemeral_1h_input_tokens"))
  const cacheReadTokens = countOf(usage["cache_read_input_tokens"])
  const cacheWriteTokens = countOf(usage["cache_creation_input_tokens"])
  return {
    inputTokens: (input ?? 0) + (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0),
    outputTokens: output ?? 0,
    cacheReadTokens,
    cacheWriteTokens,
    cacheWriteHourTokens: hour === 0 ? undefined : hour,
    reasoningTokens: countOf(at(usage, "output_tokens_details", "thinking_tokens")),
    reportedInputTokens: input,
  }
}

export const writeAnthropicUsage = (usage: Usage): JsonObject => {
  const read = usage.cacheReadTokens ?? 0
  const write = usage.cacheWriteTokens ?? 0
  const hour = usage.cacheWriteHourTokens
  return compact({
    input_tokens: Math.max(0, usage.inputTokens - read - write),
    cache_creation_input_tokens: write,
    cache_read_input_tokens: read,
    cache_creation:
      hour === undefined
        ? undefined
        : { ephemeral_5m_input_tokens: Math.max(0, write - hour), ephemeral_1h_input_tokens: hour },
    output_tokens: usage.outputTokens + (usage.otherTokens ?? 0),
    output_tokens_details:
      usage.reasoningTokens === undefined || usage.reasoningTokens === 0
        ? undefined
        : { thinking_tokens: usage.reasoningTokens },
  })
}
