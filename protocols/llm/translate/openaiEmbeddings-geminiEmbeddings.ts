/** Embeddings as OpenAI asks for them, models behind Gemini's `:batchEmbedContents`. */
import { dropOthers, embeddingList, numbersOf, textsOf } from "../embeddings.ts"
import { compact, numberOf, objectsOf, textOf } from "../Json.ts"
import { plain } from "../plain.ts"
import { readUsage } from "../readUsage.ts"

const known = ["model", "input", "dimensions", "encoding_format", "task_type", "title"]

export const openaiEmbeddingsToGeminiEmbeddings = plain({
  from: "openaiEmbeddings",
  to: "geminiEmbeddings",
  request: (body, call, notes) => {
    dropOthers(body, known, notes)
    return {
      requests: textsOf(body["input"], notes).map((text) =>
        compact({
          model: call.model.startsWith("models/") ? call.model : `models/${call.model}`,
          content: { parts: [{ text }] },
          taskType: textOf(body["task_type"]),
          title: textOf(body["title"]),
          outputDimensionality: numberOf(body["dimensions"]),
        }),
      ),
    }
  },
  reply: (reply, asked, call) => {
    if (!Array.isArray(reply["embeddings"])) return { path: "embeddings", reason: "the reply has no embeddings" }
    const vectors = objectsOf(reply["embeddings"]).map((one) => numbersOf(one["values"]))
    const tokens = readUsage("geminiEmbeddings", reply)?.inputTokens ?? 0
    return embeddingList(vectors, call.model, tokens, asked["encoding_format"])
  },
})
