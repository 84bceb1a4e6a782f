/** Embeddings as OpenAI asks for them, Titan models on Bedrock, which take one text a call. */
import { dropOthers, embeddingList, numbersOf, textsOf } from "../embeddings.ts"
import { at, compact, flagOf, numberOf } from "../Json.ts"
import { plain } from "../plain.ts"
import { readUsage } from "../readUsage.ts"

const known = ["model", "input", "dimensions", "encoding_format", "normalize"]

export const openaiEmbeddingsToBedrockTitanEmbeddings = plain({
  from: "openaiEmbeddings",
  to: "bedrockTitanEmbeddings",
  request: (body, _call, notes) => {
    dropOthers(body, known, notes)
    const texts = textsOf(body["input"], notes)
    if (texts.length > 1) notes.refuse("input", "this model takes one text a call")
    return compact({
      inputText: texts[0],
      dimensions: numberOf(body["dimensions"]),
      normalize: flagOf(body["normalize"]),
    })
  },
  reply: (reply, asked, call) => {
    const values = reply["embedding"] ?? at(reply, "embeddingsByType", "float")
    if (!Array.isArray(values)) return { path: "embedding", reason: "the reply has no embedding" }
    const tokens = readUsage("bedrockTitanEmbeddings", reply)?.inputTokens ?? 0
    return embeddingList([numbersOf(values)], call.model, tokens, asked["encoding_format"])
  },
})
