/**
 * Passes A2A through as it is spoken: bytes stay bytes in both directions, and only agent cards are rewritten, wherever
 * they come from, so that a client goes on through the gateway.
 */
import * as Effect from "effect/Effect"
import { type Fields, fieldsOf, isFields, parse } from "../../../protocols/a2a/Fields.ts"
import { keysPath } from "../../../protocols/a2a/detect.ts"
import { toLegacyCard } from "../../../protocols/a2a/card/legacy.ts"
import { hybrid } from "../../../protocols/a2a/card/offer.ts"
import { type Carrier, relocate, type Relocation } from "../../../protocols/a2a/card/relocate.ts"
import type { Operation } from "../../../protocols/a2a/operation.ts"
import { readVersion, versionHeader } from "../../../protocols/a2a/version.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { Deframer, describe, frame } from "../../../protocols/grpc/framing.ts"
import { whole as bodyOf } from "../../5-policy/buffer.ts"
import * as Body from "../../Body.ts"
import type { Reply, Request } from "../../Exchange.ts"
import { brokenOff, type Refusal } from "../../Refusal.ts"
import type { Attempting, Try } from "../Target.ts"
import type { Conversation } from "./Conversation.ts"
import { hold } from "./hold.ts"
import type { Owners } from "./Owners.ts"
import { grpcCodec } from "./question.ts"
import type { CardLock } from "./lock/CardLock.ts"
import type { CardWatch } from "./lock/CardWatch.ts"
import { relocationOf } from "./outside.ts"
import type { Seal } from "./Seal.ts"
import type { Run } from "./stream.ts"
import { conditional } from "./validators.ts"
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

type Change = (card: Fields) => Effect.Effect<Fields, Refusal>

/** Reads the answer whole, and puts what `rewrite` makes of it in its place. */
const rewritten = (
  reply: Reply,
  bytesMax: number,
  rewrite: (value: unknown) => Effect.Effect<unknown, Refusal>,
): Effect.Effect<Reply, Refusal> => {
  const { body } = reply
  reply.body = Body.empty
  return Effect.matchEffect(Body.collect(body, bytesMax), {
    onFailure: (failure): Effect.Effect<Reply, Refusal> => Effect.fail(brokenOff(failure)),
    onSuccess: (collected) => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return unreadable(`larger than ${bytesMax} bytes`)
      }
      const text = textOf(collected.bytes)
      const parsed = text === undefined ? undefined : parse(text)
      if (parsed === undefined) return unreadable("invalid JSON")
      return Effect.map(rewrite(parsed.value), (made) => {
        for (const name of ofTheBytes) reply.headers.remove(name)
        reply.body = Body.text(JSON.stringify(made))
        return reply
      })
    },
  })
}

/** A card as such, or inside the answer to a call for the extended one. */
const inAnswer = (value: unknown, change: Change): Effect.Effect<unknown, Refusal> => {
  const answer = fieldsOf(value)
  const { result } = answer
  return isFields(result) ? Effect.map(change(result), (card) => ({ ...answer, result: card })) : Effect.succeed(value)
}

/** What an agent says, as its binding carries it. */
const inBinding = (binding: Conversation["binding"], value: unknown, change: Change): Effect.Effect<unknown, Refusal> =>
  binding === "JSONRPC" ? inAnswer(value, change) : isFields(value) ? change(value) : Effect.succeed(value)

/** What the agent is asked for when its card is: all of it, in the clear, since it will be read and rewritten. */
const plainRequest = (request: Request, lock: CardLock | undefined): Request => {
  const plain = request.copy()
  // Everybody is shown what one card says, so that one card is judged.
  if (lock !== undefined) plain.headers.set(versionHeader, "1.0")
  // The head alone would say nothing about what it is the head of.
  plain.method = "GET"
  plain.headers.set("accept-encoding", "identity")
  for (const name of ["if-none-match", "if-modified-since", "range", "if-range"]) plain.headers.remove(name)
  return plain
}

/** As the client reads cards. */
const shapeFor = ({ headers }: Request): ((card: Fields) => Fields) => {
  const asked = readVersion(headers.get(versionHeader))
  return asked._tag === "Unsaid"
    ? hybrid
    : asked._tag === "Known" && asked.version === "0.3"
      ? toLegacyCard
      : (one) => one
}

/** The path under which the agent is found, without a slash at its end. */
const rootOf = ({ path }: Relocation): string => {
  const root = path("")
  return root.endsWith("/") ? root.slice(0, -1) : root
}

/** Believes, moves and signs a card. */
const changeOf =
  (
    { exchange }: Try,
    to: Relocation,
    seal: Seal | undefined,
    lock: CardLock | undefined,
    over: Carrier = "HTTP",
    sighted?: (card: Fields, signatures: unknown) => void,
  ): Change =>
  (card) => {
    const believed = seal === undefined ? Effect.succeed(card) : seal.verify(card, exchange.deadlineMillis)
    const judged =
      lock === undefined
        ? believed
        : Effect.flatMap(believed, (one) => {
            sighted?.(one, card["signatures"])
            return lock.judge(one, card["signatures"])
          })
    return Effect.flatMap(judged, (one) => {
      const moved = relocate(one, to, over)
      if (moved === undefined) return unreadable("names no interface that leads here")
      return seal === undefined
        ? Effect.succeed(moved)
        : seal.sign(moved, `${to.scheme}://${to.authority}${rootOf(to)}${keysPath}`)
    })
  }

const relayCard = (
  attempt: Try,
  bytesMax: number,
  seal: Seal | undefined,
  lock: CardLock | undefined,
  watched: CardWatch | undefined,
  inner: Attempting,
): Effect.Effect<Reply, Refusal> => {
  const asked = attempt.request
  attempt.request = plainRequest(asked, lock)
  const { path } = attempt.request
  return Effect.flatMap(inner(attempt), (reply) => {
    if (!isOk(reply.status)) return Effect.succeed(reply)
    const to = relocationOf(attempt.exchange, asked.path)
    const change = changeOf(attempt, to, seal, lock, "HTTP", (card, signatures) =>
      watched?.sighted(path, card, signatures),
    )
    const shape = lock === undefined ? undefined : shapeFor(asked)
    return Effect.map(
      rewritten(reply, bytesMax, (value) =>
        !isFields(value)
          ? unreadable("is not a JSON object")
          : shape === undefined
            ? change(value)
            : Effect.map(change(value), shape),
      ),
      (made) => conditional(asked, made),
    )
  })
}

/** What is to be read and rewritten must not come compressed, as a whole or message by message. */
const inTheClear = ({ headers }: Request, { binding }: Conversation): void =>
  headers.set(binding === "GRPC" ? "grpc-accept-encoding" : "accept-encoding", "identity")

const relayExtended = (
  attempt: Try,
  conversation: Conversation,
  bytesMax: number,
  seal: Seal | undefined,
  lock: CardLock | undefined,
  inner: Attempting,
): Effect.Effect<Reply, Refusal> => {
  inTheClear(attempt.request, conversation)
  return Effect.flatMap(inner(attempt), (reply) => {
    if (!isOk(reply.status)) return Effect.succeed(reply)
    const over = conversation.binding === "GRPC" ? "GRPC" : "HTTP"
    const change = changeOf(attempt, relocationOf(attempt.exchange, attempt.request.path), seal, lock?.extended, over)
    if (over === "GRPC") {
      return rewrittenGrpc(reply, "GetExtendedAgentCard", conversation, bytesMax, change)
    }
    if (!isJson(reply.headers)) return Effect.succeed(reply)
    return rewritten(reply, bytesMax, (value) => inBinding(conversation.binding, value, change))
  })
}

/** Lists show what exists for the caller only. */
const relayList = (
  attempt: Try,
  conversation: Conversation,
  bytesMax: number,
  owners: Owners,
  inner: Attempting,
): Effect.Effect<Reply, Refusal> => {
  inTheClear(attempt.request, conversation)
  const shown: Change = (list) => owners.shown(attempt, conversation, list)
  return Effect.flatMap(inner(attempt), (reply) => {
    if (!isOk(reply.status)) return Effect.succeed(reply)
    if (conversation.binding === "GRPC") return rewrittenGrpc(reply, "ListTasks", conversation, bytesMax, shown)
    if (!isJson(reply.headers)) return Effect.succeed(reply)
    return rewritten(reply, bytesMax, (value) => inBinding(conversation.binding, value, shown))
  })
}

/** The one message of a gRPC answer, read and written anew; what has none is an error, and stays as it is. */
const rewrittenGrpc = (
  reply: Reply,
  operation: Operation,
  { version = "1.0" }: Conversation,
  bytesMax: number,
  change: Change,
): Effect.Effect<Reply, Refusal> => {
  const { body } = reply
  reply.body = Body.empty
  const failed = (detail: string): Effect.Effect<never, Refusal> => Effect.fail({ _tag: "UpstreamFailed", detail })
  return Effect.matchEffect(Body.collect(body, bytesMax), {
    onFailure: (failure): Effect.Effect<Reply, Refusal> => Effect.fail(brokenOff(failure)),
    onSuccess: (collected) => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return failed(`the answer is larger than ${bytesMax} bytes`)
      }
      if (collected.bytes.byteLength === 0) {
        reply.body = bodyOf(collected)
        return Effect.succeed(reply)
      }
      return Effect.flatMap(grpcCodec, (codec) => {
        let message: Uint8Array | undefined
        const misframed = new Deframer(bytesMax).push(collected.bytes, (one) => (message ??= one))
        if (misframed !== undefined) return failed(describe(misframed))
        const answer = message === undefined ? undefined : codec.readAnswer(operation, version, message)
        // What cannot be read cannot be shown: nobody would have looked at it.
        if (answer?._tag !== "Result") return failed("the answer cannot be read")
        return Effect.flatMap(change(fieldsOf(answer.result)), (made): Effect.Effect<Reply, Refusal> => {
          const written = codec.writeAnswer(operation, version, made)
          if (written._tag === "Unreadable") return failed(written.fault.message)
          reply.headers.remove("content-length")
          reply.body = bodyOf({ _tag: "Whole", bytes: frame(written.value), trailers: collected.trailers })
          return Effect.succeed(reply)
        })
      })
    },
  })
}

/** `bytesMax` bounds the cards that are rewritten. */
export const relay =
  (
    bytesMax: number,
    seal: Seal | undefined,
    inner: Attempting,
    run: Run | undefined,
    owners: Owners | undefined,
    lock?: CardLock,
    watched?: CardWatch,
  ): Attempting =>
  (attempt) => {
    const conversation = attempt.exchange.notes?.a2a
    if (conversation === undefined) return inner(attempt)
    if (conversation.seen._tag === "Card") return relayCard(attempt, bytesMax, seal, lock, watched, inner)
    if (conversation.seen._tag === "Keys" && seal?.signs === true) return seal.published()
    if (!conversation.isCall) return inner(attempt)
    if (conversation.operation === "GetExtendedAgentCard") {
      return relayExtended(attempt, conversation, bytesMax, seal, lock, inner)
    }
    if (conversation.operation === "ListTasks" && owners !== undefined) {
      return relayList(attempt, conversation, bytesMax, owners, inner)
    }
    return Effect.flatMap(inner(attempt), (reply) => {
      watch(reply, conversation)
      return hold(reply, conversation, run)
    })
  }
