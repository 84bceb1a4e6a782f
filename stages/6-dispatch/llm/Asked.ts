/** What a client asks of a model, as far as the gateway reads it. */
import type { ModelRouteType } from "../../../ir/policy/Ai.ts"
import { isObject, type JsonObject, textOf } from "../../../protocols/llm/Json.ts"
import type { Place } from "./kinds.ts"
import type { PathModel } from "./pathModel.ts"
import { multipartField } from "./multipart.ts"

export interface Asked {
  readonly kind: ModelRouteType
  readonly bytes: Uint8Array
  readonly contentType: string | undefined
  /** The body, where it is JSON. */
  readonly json: JsonObject | undefined
  readonly inPath: PathModel | undefined
  /** As the client named it. */
  readonly model: string | undefined
  readonly streaming: boolean
  /** The path says so, whatever the body says. */
  readonly isStreamingPath: boolean
  /** A stream of Google's that was not asked for as events. */
  readonly wantsList: boolean
}

const decoder = new TextDecoder()

const parsed = (bytes: Uint8Array): JsonObject | undefined => {
  if (bytes.byteLength === 0) return undefined
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isJson = (type: string | undefined): boolean =>
  type === undefined || /^application\/(?:[\w.+-]+\+)?json\b/i.test(type)

/** Native paths say more than bodies; everywhere else the body comes first. */
const modelOf = (
  kind: ModelRouteType,
  json: JsonObject | undefined,
  inPath: PathModel | undefined,
  bytes: Uint8Array,
  type: string | undefined,
): string | undefined => {
  const message = json?.["message"]
  const inBody = textOf(json?.["model"]) ?? (isObject(message) ? textOf(message["model"]) : undefined)
  if (kind === "generateContent" || kind === "geminiCountTokens" || kind === "converse") return inPath?.model ?? inBody
  return inBody ?? inPath?.model ?? (json === undefined ? multipartField(bytes, type, "model") : undefined)
}

export const read = (
  { inPath, isStreamingPath, kind }: Place,
  query: string | undefined,
  contentType: string | undefined,
  bytes: Uint8Array,
): Asked => {
  const opaque = kind === "detect" || kind === "passthrough" || kind === "realtime"
  const json = opaque && !isJson(contentType) ? undefined : parsed(bytes)
  const inQuery = kind === "realtime" && query !== undefined ? new URLSearchParams(query).get("model") : null
  return {
    kind,
    bytes,
    contentType,
    json,
    inPath,
    model: inQuery ?? modelOf(kind, json, inPath, bytes, contentType),
    streaming: json?.["stream"] === true || isStreamingPath,
    isStreamingPath,
    wantsList: kind === "generateContent" && isStreamingPath && !/(?:^|&)alt=sse(?:&|$)/.test(query ?? ""),
  }
}
