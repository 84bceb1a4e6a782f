/** Which kind of call a path stands for. */
import type { ModelRouteType } from "../../../ir/policy/Ai.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"
import { isStreamingPath, type PathModel, pathModel } from "./pathModel.ts"

/** The format that clients speak in a kind of call; absent where it is passed on without being understood. */
export const clientFormats: { readonly [Kind in ModelRouteType]?: Format } = {
  completions: "openaiChat",
  messages: "anthropicMessages",
  responses: "openaiResponses",
  generateContent: "gemini",
  embeddings: "openaiEmbeddings",
  rerank: "cohereRerank",
  converse: "bedrockConverse",
  anthropicTokenCount: "anthropicCountTokens",
  geminiCountTokens: "geminiCountTokens",
}

/** The end of a path, and the kind of call it stands for. */
export const usualRoutes: Readonly<Record<string, ModelRouteType>> = {
  "/chat/completions": "completions",
  "/v1/messages": "messages",
  ":rawPredict": "messages",
  ":streamRawPredict": "messages",
  "/v1/messages/count_tokens": "anthropicTokenCount",
  ":generateContent": "generateContent",
  ":streamGenerateContent": "generateContent",
  ":countTokens": "geminiCountTokens",
  "/responses": "responses",
  "/v1/images/generations": "detect",
  "/v1/images/edits": "detect",
  "/v1/images/variations": "detect",
  "/v1/responses/compact": "detect",
  "/embeddings": "embeddings",
  "/v1/realtime": "realtime",
  "/v1/rerank": "rerank",
  "/v2/rerank": "rerank",
  "/converse": "converse",
  "/converse-stream": "converse",
}

/** Finds the longest ending that a path has. */
export const kindsBy = (
  routes: Readonly<Record<string, ModelRouteType>>,
  otherwise: ModelRouteType,
): ((path: string) => ModelRouteType) => {
  const exact = Object.entries(routes)
    .filter(([suffix]) => suffix !== "*")
    .sort(([a], [b]) => b.length - a.length)
  const rest = Object.hasOwn(routes, "*") ? (routes["*"] as ModelRouteType) : otherwise
  return (path) => exact.find(([suffix]) => path.endsWith(suffix))?.[1] ?? rest
}

/** All that a path says of a call. */
export interface Place {
  readonly kind: ModelRouteType
  readonly inPath: PathModel | undefined
  /** The path says so, whatever the body says. */
  readonly isStreamingPath: boolean
}

export const asKind = (place: Place, kind: ModelRouteType): Place => (place.kind === kind ? place : { ...place, kind })

/** Clients use few paths, but may make up others. */
const PLACES_MAX = 512

/** What was found out of a path is remembered. */
export const placesBy = (kindOf: (path: string) => ModelRouteType): ((path: string) => Place) => {
  const known = new Map<string, Place>()
  return (path) => {
    let place = known.get(path)
    if (place === undefined) {
      place = { kind: kindOf(path), inPath: pathModel(path), isStreamingPath: isStreamingPath(path) }
      if (known.size < PLACES_MAX) known.set(path, place)
    }
    return place
  }
}
