/** OpenAI, and whoever copies its paths. */
import type { Moderation } from "../../../../ir/backend/Llm.ts"
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { asBearer, host, replacingV1, type VendorTraits } from "./VendorCall.ts"

const formats: ReadonlyArray<Format> = ["openaiResponses", "openaiChat", "openaiEmbeddings", "cohereRerank"]

/** After the prefix. */
export const suffixOf = (format: Format): string => {
  switch (format) {
    case "openaiResponses":
      return "/responses"
    case "openaiEmbeddings":
      return "/embeddings"
    case "cohereRerank":
      return "/rerank"
    case "anthropicMessages":
      return "/messages"
    case "anthropicCountTokens":
      return "/messages/count_tokens"
    default:
      return "/chat/completions"
  }
}

export const openAi = (moderation: Moderation | undefined): VendorTraits => ({
  name: "openai",
  address: () => host("api.openai.com"),
  formats: () => formats,
  path: ({ format, prefix = "/v1" }) => `${prefix}${suffixOf(format)}`,
  opaquePath: replacingV1,
  realtimePath: (prefix = "/v1") => `${prefix}/realtime`,
  credential: asBearer,
  ...(moderation === undefined ? {} : { moderation: { ...moderation } }),
})
