/** What the translations of ranking share. */
import { type JsonObject, listOf, textOf, at } from "./Json.ts"
import type { Notes } from "./Notes.ts"

/** The documents as texts; structured ones are ranked by their JSON, unless they name their text. */
export const documentsOf = (body: JsonObject, notes: Notes): ReadonlyArray<string> => {
  if (typeof body["query"] !== "string") notes.refuse("query", "ranking needs a query")
  const documents = listOf(body["documents"])
  if (documents.length === 0) notes.refuse("documents", "ranking needs documents")
  return documents.map((one) => textOf(one) ?? textOf(at(one, "text")) ?? JSON.stringify(one))
}

export interface Ranked {
  readonly index: number
  readonly score: number
}

export const rankingOf = (ranked: ReadonlyArray<Ranked>, asked: JsonObject, id: string): JsonObject => {
  const documents = listOf(asked["documents"])
  return {
    id,
    results: ranked.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(asked["return_documents"] === true
        ? { document: typeof documents[index] === "string" ? { text: documents[index] } : documents[index] }
        : {}),
    })),
    meta: { billed_units: { search_units: 1 } },
  }
}
