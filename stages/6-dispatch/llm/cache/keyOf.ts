/** By which name an answer is kept: everything that it may depend on is in it. */
import * as Redacted from "effect/Redacted"
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import { toText } from "../../../../ir/cel/toJson.ts"
import { at, isObject, type JsonObject, listOf, textOf } from "../../../../protocols/llm/Json.ts"
import type { Format } from "../../../../protocols/llm/Translation.ts"
import type { Request } from "../../../Exchange.ts"
import type { Identity } from "../../../Identity.ts"
import type { ClientIdentity } from "../../../ports/Network.ts"
import type { Asked } from "../Asked.ts"

/** What clients show to be known by; a provider may give each of them something else. */
const credentials = ["authorization", "x-api-key", "x-goog-api-key", "api-key"] as const
/** Headers by which clients choose how a provider answers. */
const choices = ["anthropic-beta", "anthropic-version", "openai-beta", "openai-organization", "openai-project"] as const

const fieldsOf = ({ headers }: Request, names: ReadonlyArray<string>): ReadonlyArray<string | null> =>
  names.map((name) => headers.get(name) ?? null)

/** Whoever is known by nothing shares with all others of whom nothing is known. */
export const askerOf = (
  identity: Identity | undefined,
  certificate: ClientIdentity | undefined,
  request: Request,
): string =>
  JSON.stringify([
    certificate === undefined ? null : [certificate.issuer, certificate.subject, certificate.subjectAltNames],
    identity?.apiKey === undefined ? null : (identity.apiKey.id ?? Redacted.value(identity.apiKey.key)),
    ...["iss", "sub", "client_id", "azp"].map((name) => identity?.jwt?.[name] ?? null),
    identity?.basicAuth?.username ?? null,
    ...fieldsOf(request, credentials),
    request.query?.split("&").find((pair) => pair.startsWith("key=")) ?? null,
  ])

/** A partition that an expression names; nothing where it names none. */
export const partitionText = (value: CelValue): string | undefined => {
  const text = toText(value)
  return text === undefined || text === "" ? undefined : text
}

/** All but what is asked. */
export const settingOf = (generation: string, partition: string, asked: Asked, request: Request, who: string): string =>
  JSON.stringify([
    generation,
    partition,
    who,
    asked.kind,
    asked.inPath?.model ?? null,
    asked.wantsList,
    ...fieldsOf(request, choices),
  ])

/** What is asked last, and everything around it that gives it its meaning. */
export interface Question {
  readonly text: string
  readonly around: string
}

const listNames: { readonly [In in Format]?: string } = {
  openaiChat: "messages",
  anthropicMessages: "messages",
  gemini: "contents",
}

const wordsOf = (turn: unknown, member: "content" | "parts"): string | undefined => {
  const content = at(turn, member)
  if (typeof content === "string") return content
  let words = ""
  for (const part of listOf(content)) {
    const text = isObject(part) ? textOf(part["text"]) : undefined
    // A picture has no words by which it could be compared.
    if (text === undefined) return undefined
    words += text
  }
  return words === "" ? undefined : words
}

/** Only what a person asks in words can be asked in other words. */
export const questionOf = (format: Format | undefined, body: JsonObject): Question | undefined => {
  if (format === "openaiResponses") {
    const { input } = body
    return typeof input === "string" && input !== ""
      ? { text: input, around: JSON.stringify({ ...body, input: null }) }
      : undefined
  }
  const name = format === undefined ? undefined : listNames[format]
  const turns = name === undefined ? [] : listOf(body[name])
  const last = turns.at(-1)
  if (name === undefined || !isObject(last) || (last["role"] ?? "user") !== "user") return undefined
  const text = wordsOf(last, format === "gemini" ? "parts" : "content")
  return text === undefined || text.trim() === ""
    ? undefined
    : { text, around: JSON.stringify({ ...body, [name]: turns.slice(0, -1) }) }
}
