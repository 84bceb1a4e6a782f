/** The usage of Converse, whose input leaves out what touched the cache. */
import { compact, countOf, isObject, type JsonObject, objectsOf } from "../Json.ts"
import { totalOf, type Usage } from "../Usage.ts"

export const readBedrockUsage = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const input = countOf(usage["inputTokens"])
  const output = countOf(usage["outputTokens"])
  if (input === undefined && output === undefined) return undefined
  const cacheReadTokens = countOf(usage["cacheReadInputTokens"]) ?? countOf(usage["cacheReadInputTokenCount"])
  const cacheWriteTokens = countOf(usage["cacheWriteInputTokens"]) ?? countOf(usage["cacheWriteInputTokenCount"])
  const hour = objectsOf(usage["cacheDetails"]).find((one) => one["ttl"] === "1h")
  return {
    inputTokens: (input ?? 0) + (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0),
    outputTokens: output ?? 0,
    cacheReadTokens,
    cacheWriteTokens,
    cacheWriteHourTokens: countOf(hour?.["inputTokens"]),
    reportedInputTokens: input,
  }
}

export const writeBedrockUsage = (usage: Usage): JsonObject => {
  const read = usage.cacheReadTokens ?? 0
  const write = usage.cacheWriteTokens ?? 0
  const hour = usage.cacheWriteHourTokens
  return compact({
    inputTokens: Math.max(0, usage.inputTokens - read - write),
    outputTokens: usage.outputTokens + (usage.otherTokens ?? 0),
    totalTokens: totalOf(usage),
    cacheReadInputTokens: usage.cacheReadTokens,
    cacheWriteInputTokens: usage.cacheWriteTokens,
    cacheDetails: hour === undefined ? undefined : [{ ttl: "1h", inputTokens: hour }],
  })
}
