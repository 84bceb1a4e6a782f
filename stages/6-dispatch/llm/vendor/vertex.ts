/** Google Cloud's Vertex AI: Gemini, Anthropic's models, and an imitation of OpenAI's interface for the rest. */
import type { JsonObject } from "../../../../protocols/llm/Json.ts"
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { methodOf } from "./gemini.ts"
import { asBearer, host, inPath, prepending, type VendorCall, type VendorTraits } from "./VendorCall.ts"

const plain: ReadonlyArray<Format> = ["vertexEmbeddings", "vertexRerank"]
const ofAnthropic: ReadonlyArray<Format> = ["anthropicMessages", "anthropicCountTokens", ...plain]
const ofGemini: ReadonlyArray<Format> = ["gemini", "openaiChat", "geminiCountTokens", ...plain]
const ofOthers: ReadonlyArray<Format> = ["openaiChat", ...plain]

const embeddingModels =
  /^(?:text-embedding-|gemini-embedding-|text-multilingual-embedding-|textembedding-|multimodalembedding)/

/** The name of one of Anthropic's models as Vertex writes it: a date is set off by an at sign. */
const anthropicModel = (model: string): string | undefined => {
  const name =
    /(?:^|\/)publishers\/anthropic\/models\/([^/]+)$/.exec(model)?.[1] ??
    /^anthropic\/([^/]+)$/.exec(model)?.[1] ??
    (model.startsWith("claude-") ? model : undefined)
  return name?.replace(/-(\d{8})$/, "@$1")
}

const geminiModel = (model: string): string | undefined => {
  const name = model.replace(/^(?:publishers\/google\/models\/|models\/|google\/)/, "")
  if (!/^[A-Za-z0-9][\w.@-]*$/.test(name) || embeddingModels.test(name)) return undefined
  return name.startsWith("gemini-") || name.startsWith("gemini@") ? name : undefined
}

const hostOf = (region: string | undefined): string =>
  region === undefined || region === "global"
    ? "aiplatform.googleapis.com"
    : region === "us" || region === "eu"
      ? `aiplatform.${region}.rep.googleapis.com`
      : `${region}-aiplatform.googleapis.com`

const withoutScope = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutScope)
  if (typeof value !== "object" || value === null) return value
  const kept: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(value)) {
    if (name === "cache_control" && typeof inner === "object" && inner !== null && !Array.isArray(inner)) {
      const { scope: _, ...rest } = inner as Record<string, unknown>
      kept[name] = rest
    } else kept[name] = withoutScope(inner)
  }
  return kept
}

/** What Vertex does not know in a body of Anthropic's, and what it wants in its place. */
const anthropicBody = (body: JsonObject, { format, model }: VendorCall): JsonObject => {
  const { model: _, output_format: __, ...rest } = withoutScope(body) as Record<string, unknown>
  return {
    ...(format === "anthropicCountTokens" ? { model: anthropicModel(model) ?? model } : {}),
    ...rest,
    anthropic_version: "vertex-2023-10-16",
  }
}

export const vertex = (projectId: string, region: string | undefined): VendorTraits => {
  const base = `/v1/projects/${inPath(projectId)}/locations/${inPath(region ?? "global")}`
  return {
    name: "gcp.vertex_ai",
    address: (format) => host(format === "vertexRerank" ? "discoveryengine.googleapis.com" : hostOf(region)),
    formats: (model) =>
      anthropicModel(model) !== undefined ? ofAnthropic : geminiModel(model) !== undefined ? ofGemini : ofOthers,
    path: ({ format, model, prefix = "", streaming }) => {
      const at = `${prefix}${base}`
      switch (format) {
        case "anthropicCountTokens":
          return `${at}/publishers/anthropic/models/count-tokens:rawPredict`
        case "vertexRerank":
          return `${at}/rankingConfigs/default_ranking_config:rank`
        case "vertexEmbeddings":
          return `${at}/publishers/google/models/${inPath(model)}:predict`
        case "anthropicMessages":
          return `${at}/publishers/anthropic/models/${inPath(anthropicModel(model) ?? model)}:${streaming ? "streamRawPredict" : "rawPredict"}`
        case "gemini":
        case "geminiCountTokens":
          return `${at}/publishers/google/models/${inPath(geminiModel(model) ?? model)}${methodOf(format, streaming)}`
        default:
          return `${at}/endpoints/openapi/chat/completions`
      }
    },
    opaquePath: prepending,
    credential: asBearer,
    body: (body, call) =>
      call.format === "anthropicMessages" || call.format === "anthropicCountTokens" ? anthropicBody(body, call) : body,
    implicitAuth: { _tag: "Gcp", token: { _tag: "AccessToken" } },
  }
}
