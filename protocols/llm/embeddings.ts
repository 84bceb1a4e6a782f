/** What the translations of embeddings share: the texts of a request, and the list that answers it. */
import { toBase64 } from "../base64.ts"
import { listOf, type JsonObject } from "./Json.ts"
import type { Notes } from "./Notes.ts"

/** Lists of token numbers are OpenAI's own: nobody else has its tokens. */
export const textsOf = (input: unknown, notes: Notes): ReadonlyArray<string> => {
  if (typeof input === "string") return [input]
  const list = listOf(input)
  const texts = list.filter((one) => typeof one === "string")
  if (list.length === 0) notes.refuse("input", "embeddings need an input: a text or a list of texts")
  else if (texts.length < list.length) notes.refuse("input", "this model takes texts, not tokens")
  return texts
}

export const dropOthers = (body: JsonObject, known: ReadonlyArray<string>, notes: Notes): void => {
  for (const name of Object.keys(body)) if (!known.includes(name)) notes.drop(name)
}

/** Little-endian floats, the way OpenAI packs them. */
const packed = (values: ReadonlyArray<number>): string => {
  const bytes = new Uint8Array(values.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true)
  return toBase64(bytes)
}

export const numbersOf = (values: unknown): ReadonlyArray<number> =>
  listOf(values).filter((one) => typeof one === "number")

export const embeddingList = (
  vectors: ReadonlyArray<ReadonlyArray<number>>,
  model: string,
  tokens: number,
  encoding: unknown,
): JsonObject => ({
  object: "list",
  data: vectors.map((values, index) => ({
    object: "embedding",
    index,
    embedding: encoding === "base64" ? packed(values) : values,
  })),
  model,
  usage: { prompt_tokens: tokens, total_tokens: tokens },
})
