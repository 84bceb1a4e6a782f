/** Ranking as Cohere asks for it, models behind Google's ranking interface. */
import { compact, numberOf, objectsOf, textOf } from "../Json.ts"
import { plain } from "../plain.ts"
import { documentsOf, rankingOf } from "../rerank.ts"

const known = new Set(["model", "query", "documents", "top_n", "return_documents"])

export const cohereRerankToVertexRerank = plain({
  from: "cohereRerank",
  to: "vertexRerank",
  request: (body, call, notes) => {
    for (const name of Object.keys(body)) if (!known.has(name)) notes.drop(name)
    return compact({
      model: call.model,
      query: body["query"],
      records: documentsOf(body, notes).map((content, index) => ({ id: String(index), content })),
      topN: numberOf(body["top_n"]),
      ignoreRecordDetailsInResponse: body["return_documents"] !== true,
    })
  },
  reply: (reply, asked, call) => {
    if (!Array.isArray(reply["records"])) return { path: "records", reason: "the reply has no records" }
    const ranked = objectsOf(reply["records"]).map((one) => ({
      index: /^\d{1,9}$/.test(textOf(one["id"]) ?? "") ? Number(one["id"]) : -1,
      // A score of nothing is left out the way other zeros are.
      score: numberOf(one["score"]) ?? 0,
    }))
    return ranked.some((one) => one.index < 0)
      ? { path: "records", reason: "the reply ranks a record that was not asked about" }
      : rankingOf(ranked, asked, call.id)
  },
})
