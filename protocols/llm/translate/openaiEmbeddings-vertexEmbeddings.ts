/** Embeddings as OpenAI asks for them, models behind Vertex's `:predict`. */
import { dropOthers, embeddingList, numbersOf, textsOf } from "../embeddings.ts"
import { at, compact, listOf, numberOf, textOf } from "../Json.ts"
import { plain } from "../plain.ts"
import { readUsage } from "../readUsage.ts"

const known = ["model", "input", "dimensions", "encoding_format", "task_type", "title", "auto_truncate"]

export const openaiEmbeddingsToVertexEmbeddings = plain({
  from: "openaiEmbeddings",
  to: "vertexEmbeddings",
  request: (body, _call, notes) => {
    dropOthers(body, known, notes)
    const parameters = compact({
      autoTruncate: body["auto_truncate"],
      outputDimensionality: numberOf(body["dimensions"]),
    })
    return compact({
      instances: textsOf(body["input"], notes).map((content) =>
        compact({ content, task_type: textOf(body["task_type"]) ?? "RETRIEVAL_QUERY", title: textOf(body["title"]) }),
      ),
      parameters: Object.keys(parameters).length === 0 ? undefined : parameters,
    })
  },
  reply: (reply, asked, call) => {
    if (!Array.isArray(reply["predictions"])) return { path: "predictions", reason: "the reply has no predictions" }
    const vectors = listOf(reply["predictions"]).map((one) => numbersOf(at(one, "embeddings", "values")))
    const tokens = readUsage("vertexEmbeddings", reply)?.inputTokens ?? 0
    return embeddingList(vectors, call.model, tokens, asked["encoding_format"])
  },
})
