/** The usage of Gemini, whose candidates leave out the thoughts. */
import { compact, countOf, isObject, type JsonObject, objectsOf } from "../Json.ts"
import type { Usage } from "../Usage.ts"
import { totalOf } from "../Usage.ts"

const field = (usage: JsonObject, name: string): unknown =>
  usage[name] ?? usage[name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]

const ofModality = (details: unknown, modality: string): number | undefined => {
  const found = objectsOf(details).find((one) => one["modality"] === modality)
  return found === undefined ? undefined : countOf(field(found, "tokenCount"))
}

export const readGeminiUsage = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const input = countOf(field(usage, "promptTokenCount"))
  const candidates = countOf(field(usage, "candidatesTokenCount"))
  const total = countOf(field(usage, "totalTokenCount"))
  if (input === undefined && candidates === undefined && total === undefined) return undefined
  const thoughts = countOf(field(usage, "thoughtsTokenCount"))
  const prompt = input ?? 0
  const tools = countOf(field(usage, "toolUsePromptTokenCount"))
  const outputTokens = (candidates ?? 0) + (thoughts ?? 0)
  const rest = (total ?? 0) - prompt - outputTokens
  return {
    inputTokens: prompt,
    outputTokens,
    cacheReadTokens: countOf(field(usage, "cachedContentTokenCount")),
    reasoningTokens: thoughts,
    inputAudioTokens: ofModality(field(usage, "promptTokensDetails"), "AUDIO"),
    inputImageTokens: ofModality(field(usage, "promptTokensDetails"), "IMAGE"),
    outputAudioTokens: ofModality(field(usage, "candidatesTokensDetails"), "AUDIO"),
    outputImageTokens: ofModality(field(usage, "candidatesTokensDetails"), "IMAGE"),
    otherTokens: rest > 0 ? rest : tools === 0 ? undefined : tools,
  }
}

export const writeGeminiUsage = (usage: Usage): JsonObject => {
  const thoughts = Math.min(usage.reasoningTokens ?? 0, usage.outputTokens)
  return compact({
    promptTokenCount: usage.inputTokens,
    candidatesTokenCount: usage.outputTokens - thoughts,
    totalTokenCount: totalOf(usage),
    cachedContentTokenCount: usage.cacheReadTokens === 0 ? undefined : usage.cacheReadTokens,
    thoughtsTokenCount: thoughts === 0 ? undefined : thoughts,
    toolUsePromptTokenCount: usage.otherTokens,
  })
}
