/**
 * Passes A2A through as it is spoken: bytes stay bytes in both directions, and only agent cards are rewritten, wherever
 * they come from, so that a client goes on through the gateway.
 */
import * as Effect from "effect/Effect"
import { type Fields, fieldsOf, isFields, parse } from "../../../protocols/a2a/Fields.ts"
import { relocate, type Relocation } from "../../../protocols/a2a/card/relocate.ts"
import { namesTag, tagOf } from "../../../protocols/http/etag.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Reply, Request } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Attempting, Try } from "../Target.ts"
import type { Conversation } from "./Conversation.ts"
import { forwardedFields, relocationOf } from "./outside.ts"
import { watch } from "./watch.ts"

const decoder = new TextDecoder("utf-8", { fatal: true })

const unreadable = (detail: string): Effect.Effect<never, Refusal> =>
  Effect.fail({ _tag: "ProcessingFailed", detail: `agent card ${detail}` })

/** Fields that say something of bytes that are no longer those. */
const ofTheBytes = [
  "content-length",
  "content-encoding",
  "etag",
  "last-modified",
  "content-md5",
  "digest",
  "accept-ranges",
]

const isOk = (status: number): boolean => status >= 200 && status <= 299

const isJson = (headers: Headers): boolean => /\bjson\b/i.test(headers.get("content-type") ?? "")

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Reads the answer whole, and puts what `rewrite` makes of it in its place; undefined leaves it as it was. */
const rewritten = (
  reply: Reply,
  bytesMax: number,
  rewrite: (value: unknown) => unknown,
): Effect.Effect<Reply, Refusal> => {
  const { body } = reply
  reply.body = Body.empty
  return Effect.matchEffect(Body.collect(body, bytesMax), {
    onFailure: ({ message }): Effect.Effect<Reply, Refusal> => Effect.fail({ _tag: "UpstreamFailed", detail: message }),
    onSuccess: (collected) => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return unreadable(`larger than ${bytesMax} bytes`)
      }
      const text = textOf(collected.bytes)
      const parsed = text === undefined ? undefined : parse(text)
      if (parsed === undefined) return unreadable("invalid JSON")
      const made = rewrite(parsed.value)
      if (made === undefined) return unreadable("names no interface that leads here")
      for (const name of ofTheBytes) reply.headers.remove(name)
      reply.body = Body.text(JSON.stringify(made))
      return Effect.succeed(reply)
    },
  })
}

/** A card as such, or inside the answer to a call for the extended one. */
const inAnswer = (value: unknown, change: (card: Fields) => Fields | undefined): unknown => {
  const answer = fieldsOf(value)
  const { result } = answer
  if (!isFields(result)) return value
  const card = change(result)
  return card === undefined ? undefined : { ...answer, result: card }
}

const addVary = (headers: Headers, names: ReadonlyArray<string>): void => {
  const present = headers.all("vary").join(", ")
  if (present.trim() === "*") return
  const missing = names.filter((name) => !present.toLowerCase().includes(name))
  if (missing.length > 0) headers.set("vary", [...(present === "" ? [] : [present]), ...missing].join(", "))
}

/** The gateway's own tag over the bytes it sends, and what a conditional request gets for it. */
const tagged = (request: Request, reply: Reply): Reply => {
  if (reply.body._tag !== "Bytes") return reply
  const tag = tagOf(reply.body.bytes)
  reply.headers.set("etag", tag)
  addVary(reply.headers, forwardedFields)
  const asked = request.headers.get("if-none-match")
  if (asked === undefined || !namesTag(asked, tag)) return reply
  for (const name of ["content-length", "content-type"]) reply.headers.remove(name)
  return { status: 304, headers: reply.headers, body: Body.empty, origin: reply.origin }
}

/** What the agent is asked for when its card is: all of it, in the clear, since it will be read and rewritten. */
const plainRequest = (request: Request): Request => {
  const plain = request.copy()
  // The head alone would say nothing about what it is the head of.
  plain.method = "GET"
  plain.headers.set("accept-encoding", "identity")
  for (const name of ["if-none-match", "if-modified-since", "range", "if-range"]) plain.headers.remove(name)
  return plain
}

const changeOf =
  (to: Relocation) =>
  (card: Fields): Fields | undefined =>
    relocate(card, to)

const relayCard = (attempt: Try, bytesMax: number, inner: Attempting): Effect.Effect<Reply, Refusal> => {
  const asked = attempt.request
  attempt.request = plainRequest(asked)
  return Effect.flatMap(inner(attempt), (reply) => {
    if (!isOk(reply.status)) return Effect.succeed(reply)
    const change = changeOf(relocationOf(attempt.exchange, asked.path))
    return Effect.map(
      rewritten(reply, bytesMax, (value) => (isFields(value) ? change(value) : undefined)),
      (made) => tagged(asked, made),
    )
  })
}

const relayExtended = (
  attempt: Try,
  conversation: Conversation,
  bytesMax: number,
  inner: Attempting,
): Effect.Effect<Reply, Refusal> => {
  attempt.request.headers.set("accept-encoding", "identity")
  return Effect.flatMap(inner(attempt), (reply) => {
    if (!isOk(reply.status) || !isJson(reply.headers)) return Effect.succeed(reply)
    const change = changeOf(relocationOf(attempt.exchange, attempt.request.path))
    return rewritten(reply, bytesMax, (value) =>
      conversation.binding === "JSONRPC" ? inAnswer(value, change) : isFields(value) ? change(value) : value,
    )
  })
}

/** `bytesMax` bounds the cards that are rewritten. */
export const relay =
  (bytesMax: number, inner: Attempting): Attempting =>
  (attempt) => {
    const conversation = attempt.exchange.notes?.a2a
    if (conversation === undefined) return inner(attempt)
    if (conversation.seen._tag === "Card") return relayCard(attempt, bytesMax, inner)
    if (!conversation.isCall) return inner(attempt)
    if (conversation.operation === "GetExtendedAgentCard" && conversation.binding !== "GRPC") {
      return relayExtended(attempt, conversation, bytesMax, inner)
    }
    return Effect.map(inner(attempt), (reply) => {
      watch(reply, conversation)
      return reply
    })
  }
