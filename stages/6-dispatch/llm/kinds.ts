/** Which kind of call a path stands for. */
import type { ModelRouteType } from "../../../ir/policy/Ai.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"

/** The format that clients speak in a kind of call; absent where it is passed on without being understood. */
export const clientFormats: { readonly [Kind in ModelRouteType]?: Format } = {
  completions: "openaiChat",
  messages: "anthropicMessages",
  responses: "openaiResponses",
  generateContent: "gemini",
  embeddings: "openaiEmbeddings",
  rerank: "cohereRerank",
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
