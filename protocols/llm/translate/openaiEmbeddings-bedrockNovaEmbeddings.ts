/** Embeddings as OpenAI asks for them, Nova models on Bedrock, which take one text a call. */
import { dropOthers, embeddingList, numbersOf, textsOf } from "../embeddings.ts"
import { compact, numberOf, objectsOf, textOf } from "../Json.ts"
import { plain } from "../plain.ts"
import { readUsage } from "../readUsage.ts"

const known = ["model", "input", "dimensions", "encoding_format", "embedding_purpose", "truncation_mode"]

export const openaiEmbeddingsToBedrockNovaEmbeddings = plain({
  from: "openaiEmbeddings",
  to: "bedrockNovaEmbeddings",
  request: (body, _call, notes) => {
    dropOthers(body, known, notes)
    const texts = textsOf(body["input"], notes)
    if (texts.length > 1) notes.refuse("input", "this model takes one text a call")
    return {
      taskType: "SINGLE_EMBEDDING",
      singleEmbeddingParams: compact({
        embeddingPurpose: textOf(body["embedding_purpose"]) ?? "GENERIC_INDEX",
        embeddingDimension: numberOf(body["dimensions"]),
        text: { truncationMode: textOf(body["truncation_mode"]) ?? "END", value: texts[0] ?? "" },
      }),
    }
  },
  reply: (reply, asked, call, headers) => {
    if (!Array.isArray(reply["embeddings"])) return { path: "embeddings", reason: "the reply has no embeddings" }
    const vectors = objectsOf(reply["embeddings"]).map((one) => numbersOf(one["embedding"]))
    const tokens = readUsage("bedrockNovaEmbeddings", reply, headers)?.inputTokens ?? 0
    return embeddingList(vectors, call.model, tokens, asked["encoding_format"])
  },
})
