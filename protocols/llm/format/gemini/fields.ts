/** Small things that every half of Gemini's format shares. */
import type { Finish, Signature } from "../../Conversation.ts"
import type { JsonObject } from "../../Json.ts"
import { markSignature, readSignature } from "../../signature.ts"

const snakes = new Map<string, string>()

/** Asked for the same few names over and over. */
const snake = (name: string): string => {
  let known = snakes.get(name)
  if (known === undefined) {
    known = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    snakes.set(name, known)
  }
  return known
}

/** The format is protobuf at heart, so every field has two spellings; names come from the code, never from a body. */
export const field = (object: unknown, name: string): unknown => {
  if (typeof object !== "object" || object === null || Array.isArray(object)) return undefined
  const fields = object as JsonObject
  if (Object.hasOwn(fields, name)) return fields[name]
  const other = snake(name)
  return Object.hasOwn(fields, other) ? fields[other] : undefined
}

/** Signatures are bytes here, so a mark must survive a client that decodes them. */
export const writeSignature = (signature: Signature): string =>
  signature.vendor === "google"
    ? signature.value
    : btoa(markSignature(signature, "google").replaceAll(/[^\x20-\x7e]/g, "?"))

export const readGoogleSignature = (text: string): Signature => {
  const plain: Signature = { vendor: "google", value: text }
  // The mark always begins with the same letters, whatever follows.
  if (!text.startsWith("c2x1aWNl")) return plain
  try {
    return readSignature(atob(text), "google")
  } catch {
    return plain
  }
}

const filtered = new Set([
  "SAFETY",
  "RECITATION",
  "LANGUAGE",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "IMAGE_SAFETY",
  "IMAGE_PROHIBITED_CONTENT",
  "IMAGE_RECITATION",
  "MODEL_ARMOR",
])

export const finishOf = (reason: unknown, calledTools: boolean): Finish => {
  if (reason === "MAX_TOKENS") return "length"
  if (typeof reason === "string" && filtered.has(reason)) return "contentFilter"
  return calledTools ? "toolCalls" : "stop"
}

export const finishReason = (finish: Finish): string => {
  switch (finish) {
    case "length":
    case "contextWindow":
      return "MAX_TOKENS"
    case "contentFilter":
    case "refusal":
      return "SAFETY"
    default:
      return "STOP"
  }
}

const byExtension: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  heif: "image/heif",
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  ogg: "audio/ogg",
  flac: "audio/flac",
  mp4: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
}

export const typeOfUrl = (url: string): string | undefined =>
  byExtension[/\.([a-z0-9]{2,5})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase() ?? ""]

/** Log-probabilities as OpenAI lists them, which is how they are kept on the way. */
export const logprobsOf = (result: unknown): ReadonlyArray<unknown> | undefined => {
  const chosen = field(result, "chosenCandidates")
  if (!Array.isArray(chosen) || chosen.length === 0) return undefined
  const top = field(result, "topCandidates")
  const one = (candidate: unknown): JsonObject => {
    const token = field(candidate, "token")
    return {
      token: typeof token === "string" ? token : "",
      logprob: Number(field(candidate, "logProbability") ?? 0),
      bytes: typeof token === "string" ? [...new TextEncoder().encode(token)] : null,
    }
  }
  return chosen.map((candidate, i) => {
    const alternatives = Array.isArray(top) ? field(top[i], "candidates") : undefined
    return { ...one(candidate), top_logprobs: Array.isArray(alternatives) ? alternatives.map(one) : [] }
  })
}

export const logprobsResult = (logprobs: ReadonlyArray<unknown>): JsonObject => {
  const one = (entry: unknown): JsonObject => ({
    token: field(entry, "token"),
    logProbability: field(entry, "logprob"),
  })
  return {
    chosenCandidates: logprobs.map(one),
    topCandidates: logprobs.map((entry) => {
      const top = field(entry, "top_logprobs")
      return { candidates: Array.isArray(top) ? top.map(one) : [] }
    }),
  }
}
