/** Embeddings as OpenAI asks for them, Cohere models on Bedrock. */
import { dropOthers, embeddingList, numbersOf, textsOf } from "../embeddings.ts"
import { at, compact, listOf, numberOf, textOf } from "../Json.ts"
import { plain } from "../plain.ts"
import { readUsage } from "../readUsage.ts"

const known = ["model", "input", "dimensions", "encoding_format", "input_type", "truncate"]

export const openaiEmbeddingsToBedrockCohereEmbeddings = plain({
  from: "openaiEmbeddings",
  to: "bedrockCohereEmbeddings",
  request: (body, call, notes) => {
    dropOthers(body, known, notes)
    const dimensions = numberOf(body["dimensions"])
    const sized = call.model.includes("embed-v4")
    if (dimensions !== undefined && !sized) notes.drop("dimensions")
    return compact({
      texts: textsOf(body["input"], notes),
      input_type: textOf(body["input_type"]) ?? "search_query",
      truncate: textOf(body["truncate"]),
      output_dimension: sized ? dimensions : undefined,
      // The newest version answers by type, and says nothing of a type that was not asked for.
      embedding_types: sized ? ["float"] : undefined,
    })
  },
  reply: (reply, asked, call, headers) => {
    const embeddings = Array.isArray(reply["embeddings"]) ? reply["embeddings"] : at(reply, "embeddings", "float")
    if (!Array.isArray(embeddings)) return { path: "embeddings", reason: "the reply has no embeddings" }
    const tokens = readUsage("bedrockCohereEmbeddings", reply, headers)?.inputTokens ?? 0
    return embeddingList(listOf(embeddings).map(numbersOf), call.model, tokens, asked["encoding_format"])
  },
})
