/** Ranking as Cohere asks for it, models behind Bedrock's agent runtime. */
import { compact, numberOf, objectsOf } from "../Json.ts"
import { plain } from "../plain.ts"
import { documentsOf, rankingOf } from "../rerank.ts"

const known = new Set(["model", "query", "documents", "top_n", "return_documents"])

export const cohereRerankToBedrockRerank = plain({
  from: "cohereRerank",
  to: "bedrockRerank",
  request: (body, call, notes) => {
    const documents = documentsOf(body, notes)
    const region = call.options?.bedrock?.region ?? "us-east-1"
    const more = Object.fromEntries(Object.entries(body).filter(([name]) => !known.has(name)))
    const wanted = numberOf(body["top_n"])
    return {
      queries: [{ type: "TEXT", textQuery: { text: String(body["query"]) } }],
      sources: documents.map((text) => ({
        type: "INLINE",
        inlineDocumentSource: { type: "TEXT", textDocument: { text } },
      })),
      rerankingConfiguration: {
        type: "BEDROCK_RERANKING_MODEL",
        bedrockRerankingConfiguration: {
          numberOfResults: Math.min(wanted ?? documents.length, documents.length),
          modelConfiguration: compact({
            modelArn: call.model.startsWith("arn:")
              ? call.model
              : `arn:aws:bedrock:${region}::foundation-model/${call.model}`,
            additionalModelRequestFields: Object.keys(more).length === 0 ? undefined : more,
          }),
        },
      },
    }
  },
  reply: (reply, asked, call) => {
    if (!Array.isArray(reply["results"])) return { path: "results", reason: "the reply has no results" }
    return rankingOf(
      objectsOf(reply["results"]).map((one) => ({
        index: numberOf(one["index"]) ?? 0,
        score: numberOf(one["relevanceScore"]) ?? 0,
      })),
      asked,
      call.id,
    )
  },
})
