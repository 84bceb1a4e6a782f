/** Reads what a provider says it used, in whichever of the known spellings, out of a reply or an event of one. */
import { at, countOf, isObject, type JsonObject, textOf } from "../../../protocols/llm/Json.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"

export interface Reading {
  readonly model: string | undefined
  readonly serviceTier: string | undefined
}

const first = (usage: unknown, ...names: ReadonlyArray<string | ReadonlyArray<string>>): number | undefined => {
  for (const name of names) {
    const count = countOf(typeof name === "string" ? at(usage, name) : at(usage, ...name))
    if (count !== undefined) return count
  }
  return undefined
}

/** The object that holds the counts. */
const holder = (body: JsonObject): JsonObject | undefined => {
  for (const path of [
    ["usage"],
    ["response", "usage"],
    ["message", "usage"],
    ["metadata", "usage"],
    ["usageMetadata"],
    ["response", "usageMetadata"],
  ]) {
    const found = at(body, ...path)
    if (isObject(found)) return found
  }
  return undefined
}

/** Those that report the cache beside the input, not within it. */
const isBesideCache = (usage: JsonObject): boolean =>
  Object.hasOwn(usage, "cache_read_input_tokens") ||
  Object.hasOwn(usage, "cache_creation_input_tokens") ||
  Object.hasOwn(usage, "cacheReadInputTokens") ||
  Object.hasOwn(usage, "cacheWriteInputTokens")

const present = (usage: Record<string, number | undefined>): Usage => {
  const kept: Record<string, number> = {}
  for (const [name, count] of Object.entries(usage)) if (count !== undefined) kept[name] = count
  return kept as unknown as Usage
}

const usageOf = (usage: JsonObject): Usage | undefined => {
  const reported = first(usage, "input_tokens", "prompt_tokens", "inputTokens", "promptTokenCount")
  const candidates = countOf(usage["candidatesTokenCount"])
  const thoughts = countOf(usage["thoughtsTokenCount"])
  const written =
    first(usage, "output_tokens", "completion_tokens", "outputTokens") ??
    (candidates === undefined && thoughts === undefined ? undefined : (candidates ?? 0) + (thoughts ?? 0))
  const total = first(usage, "total_tokens", "totalTokens", "totalTokenCount")
  if (reported === undefined && written === undefined && total === undefined) return undefined
  const cacheRead = first(
    usage,
    "cache_read_input_tokens",
    "cacheReadInputTokens",
    "cachedContentTokenCount",
    ["prompt_tokens_details", "cached_tokens"],
    ["input_tokens_details", "cached_tokens"],
    ["input_token_details", "cached_tokens"],
    "prompt_cache_hit_tokens",
  )
  const cacheWrite = first(
    usage,
    "cache_creation_input_tokens",
    "cacheWriteInputTokens",
    ["prompt_tokens_details", "cache_write_tokens"],
    ["input_tokens_details", "cache_write_tokens"],
  )
  const beside = isBesideCache(usage) ? (cacheRead ?? 0) + (cacheWrite ?? 0) : 0
  const inputTokens =
    reported === undefined
      ? total === undefined || written === undefined
        ? undefined
        : total - written
      : reported + beside
  return present({
    inputTokens,
    outputTokens:
      written ?? (total === undefined || reported === undefined ? undefined : Math.max(0, total - reported)),
    cacheReadTokens: cacheRead,
    cacheWriteTokens: cacheWrite,
    cacheWriteHourTokens: first(usage, ["cache_creation", "ephemeral_1h_input_tokens"]),
    inputAudioTokens: first(
      usage,
      ["prompt_tokens_details", "audio_tokens"],
      ["input_tokens_details", "audio_tokens"],
      ["input_token_details", "audio_tokens"],
    ),
    inputImageTokens: first(
      usage,
      ["prompt_tokens_details", "image_tokens"],
      ["input_tokens_details", "image_tokens"],
      ["input_token_details", "image_tokens"],
    ),
    reasoningTokens:
      first(usage, ["completion_tokens_details", "reasoning_tokens"], ["output_tokens_details", "reasoning_tokens"]) ??
      thoughts,
    outputAudioTokens: first(
      usage,
      ["completion_tokens_details", "audio_tokens"],
      ["output_tokens_details", "audio_tokens"],
      ["output_token_details", "audio_tokens"],
    ),
    outputImageTokens: first(usage, ["output_tokens_details", "image_tokens"]),
    otherTokens: countOf(usage["toolUsePromptTokenCount"]),
    reportedInputTokens: reported,
  })
}

/** Whichever spelling it is in. */
export const usageIn = (body: JsonObject): Usage | undefined => {
  const usage = holder(body)
  return usage === undefined ? undefined : usageOf(usage)
}

export const readingOf = (body: JsonObject): Reading => ({
  model:
    textOf(body["model"]) ??
    textOf(body["modelVersion"]) ??
    textOf(at(body, "message", "model")) ??
    textOf(at(body, "response", "model")),
  serviceTier: textOf(body["service_tier"]) ?? textOf(at(body, "response", "service_tier")),
})
