/** Google's Gemini interface, its imitation of OpenAI's included. */
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { host, inPath, prepending, type VendorCall, type VendorTraits } from "./VendorCall.ts"

const formats: ReadonlyArray<Format> = ["gemini", "openaiChat", "geminiCountTokens", "openaiEmbeddings", "cohereRerank"]

/** The method that follows a model in a path. */
export const methodOf = (format: Format, streaming: boolean): string =>
  format === "geminiCountTokens" ? ":countTokens" : streaming ? ":streamGenerateContent?alt=sse" : ":generateContent"

/** With the collection it belongs to. */
const resourceOf = (model: string): string => {
  const named = /^(models|tunedModels)\/(.+)$/.exec(model)
  return named === null ? `models/${inPath(model)}` : `${named[1]}/${inPath(named[2] as string)}`
}

export const nativePath = ({ format, model, prefix, streaming }: VendorCall): string =>
  `${prefix ?? ""}/v1beta/${resourceOf(model)}${methodOf(format, streaming)}`

export const gemini: VendorTraits = {
  name: "gcp.gemini",
  address: () => host("generativelanguage.googleapis.com"),
  formats: () => formats,
  path: (call) => {
    switch (call.format) {
      case "gemini":
      case "geminiCountTokens":
        return nativePath(call)
      case "openaiEmbeddings":
        return `${call.prefix ?? ""}/v1beta/openai/embeddings`
      case "cohereRerank":
        return `${call.prefix ?? ""}/rerank`
      default:
        return `${call.prefix ?? ""}/v1beta/openai/chat/completions`
    }
  },
  opaquePath: prepending,
  credential: (format, token) =>
    (format === "gemini" || format === "geminiCountTokens") && token.startsWith("AIza")
      ? "x-goog-api-key"
      : "authorization",
}
