/** What a provider answered, on its way to the client: translated where that is needed, read for what it used. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Headers } from "../../../protocols/http/headers.ts"
import { streamObserver } from "../../../protocols/llm/observe.ts"
import { readError, streamError } from "../../../protocols/llm/errors.ts"
import { contentTypes, eventDecoder, eventEncoder, type Framing, framingOf } from "../../../protocols/llm/framing.ts"
import { isObject, type JsonObject } from "../../../protocols/llm/Json.ts"
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import { readUsage } from "../../../protocols/llm/readUsage.ts"
import { answerIn, answerInEvents } from "../../../protocols/llm/said.ts"
import type { Format, StreamTranslator, WireEvent } from "../../../protocols/llm/Translation.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { type Coding, encodingOf } from "../../ports/Coding.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Account } from "./Account.ts"
import { brokenOff, EventFlow, type EventWork, ReadFlow } from "./EventFlow.ts"
import type { Sendable } from "./prepare.ts"
import { readingOf, usageIn } from "./reading.ts"
import { watched } from "./realtime.ts"
import { MessageTap } from "./MessageTap.ts"
import { HEARD_BYTES_MAX, KEPT_BYTES_MAX, StreamTap } from "./StreamTap.ts"
import { errorEnd, errorReply } from "./told.ts"

/** Replies that are read whole: longer ones pass unread, or cannot be translated. */
export const REPLY_BYTES_MAX = 64 * 1024 * 1024
const ERROR_BYTES_MAX = 1024 * 1024

export interface Delivery {
  readonly clock: Clock
  readonly account: Account
  readonly coding: Coding | undefined
  /** Everything is known that will be; counts what nobody said. */
  readonly settle: (received: Received | undefined) => void
  /** One of the answers of a call that goes on has told what it used. */
  readonly answered: (usage: Usage) => void
  /** The provider broke off a reply that the client is given an end of. */
  readonly broke: (failure: Body.FlowFailure) => void
}

/** What a client was given of a stream that it, or the provider, left early. */
export interface Received {
  readonly events: ReadonlyArray<JsonObject>
  readonly share: number
}

const decoder = new TextDecoder()

const isEventStream = (headers: Headers): boolean => {
  const type = headers.get("content-type") ?? ""
  return /^text\/event-stream\b/i.test(type)
}
const isAmazonStream = (headers: Headers): boolean =>
  /^application\/vnd\.amazon\.eventstream\b/i.test(headers.get("content-type") ?? "")

/** Says whether the body tells of usage. */
const take = (account: Account, body: JsonObject, whole?: Format): boolean => {
  const { model, serviceTier } = readingOf(body)
  const usage = (whole === undefined ? undefined : readUsage(whole, body)) ?? usageIn(body)
  if (usage !== undefined) account.used(usage)
  if (model !== undefined) account.responseModel = model
  if (serviceTier !== undefined) account.serviceTier = serviceTier
  return usage !== undefined
}

const parse = (chunks: ReadonlyArray<Uint8Array>): unknown => {
  let length = 0
  for (const chunk of chunks) length += chunk.byteLength
  try {
    return JSON.parse(decoder.decode(Body.join(chunks, length)))
  } catch {
    return undefined
  }
}

/** Bytes pass as they are; usage is read off them. */
const passing = (sendable: Sendable, { account, clock, settle }: Delivery, framing: Framing): EventWork => {
  const onEvent = (data: JsonObject): boolean => take(account, data)
  const isAmazon = framing === "awsEventStream"
  const tap = isAmazon
    ? new MessageTap(onEvent)
    : new StreamTap(onEvent, sendable.holdsBackUsage, account.isHeard ? HEARD_BYTES_MAX : KEPT_BYTES_MAX)
  // Whoever takes such a stream takes its errors as messages of it too, whatever it was that was asked.
  const format = isAmazon ? "bedrockConverse" : sendable.client
  return {
    feed: (chunk) => {
      if (account.firstTokenMillis === 0) account.firstTokenMillis = clock.nowMillis()
      return tap.feed(chunk)
    },
    end: () => tap.end(),
    fail: (error) => {
      tap.readLatest()
      return [errorEnd(format, error)]
    },
    over: (how) => {
      tap.readLatest()
      if (account.isHeard) {
        const { events } = tap.received()
        account.answered = () => answerInEvents(sendable.client, events)
      }
      // Whoever failed, or never says what was used, is counted by what came.
      const isTold = account.usage !== undefined || sendable.client === undefined
      settle(how === "ended" && isTold && !tap.isFailed ? undefined : tap.received())
    },
  }
}

/** Events that are kept for counting, should the stream end early. */
const RECEIVED_MAX = 512
/** … and where somebody will ask what was said. */
const HEARD_MAX = 16_384

const unreadable = (reason: string): LlmError => ({
  kind: "internal",
  status: 502,
  message: `the stream of the provider cannot be read: ${reason}`,
})

const translating = (
  translator: StreamTranslator,
  framing: Framing,
  towards: Framing,
  client: Format | undefined,
  { account, clock, settle }: Delivery,
): EventWork => {
  const encoding = eventEncoder(towards)
  let out: Array<WireEvent> = []
  const received: Array<WireEvent> = []
  const receivedMax = account.isHeard ? HEARD_MAX : RECEIVED_MAX
  let count = 0
  const decoder = eventDecoder(framing, (event) => {
    for (const one of translator.feed(event)) out.push(one)
  })
  const flush = (): ReadonlyArray<Uint8Array> => {
    const events = out
    if (events.length === 0) return []
    out = []
    count += events.length
    for (const event of events) if (received.length < receivedMax) received.push(event)
    if (account.firstTokenMillis === 0 && translator.seen().content) account.firstTokenMillis = clock.nowMillis()
    return [encoding.events(events)]
  }
  const last = (): ReadonlyArray<Uint8Array> => {
    const passed = flush()
    const end = encoding.end()
    return end.byteLength === 0 ? passed : [...passed, end]
  }
  const fail = (error: LlmError): ReadonlyArray<Uint8Array> => {
    for (const one of translator.fail(error)) out.push(one)
    return last()
  }
  return {
    feed: (chunk) => {
      const reason = decoder.feed(chunk)
      return reason === undefined ? flush() : fail(unreadable(reason))
    },
    end: () => {
      const reason = decoder.end()
      if (reason !== undefined) return fail(unreadable(reason))
      for (const one of translator.end()) out.push(one)
      return last()
    },
    fail,
    over: (how) => {
      const { error, model, usage } = translator.seen()
      if (usage !== undefined) account.used(usage)
      if (model !== undefined) account.responseModel = model
      if (account.isHeard) account.answered = () => answerInEvents(client, received.flatMap(objectIn))
      const isWhole = how === "ended" && error === undefined
      settle(isWhole ? undefined : { events: received.flatMap(objectIn), share: received.length / Math.max(1, count) })
    },
  }
}

const objectIn = ({ data }: WireEvent): ReadonlyArray<JsonObject> => {
  try {
    const value: unknown = JSON.parse(data)
    return isObject(value) ? [value] : []
  } catch {
    return []
  }
}

/** Whatever described the bytes of the upstream says nothing of ours. */
const describedAnew = ({ headers }: Reply): void => {
  headers.remove("content-length")
  headers.remove("content-encoding")
  headers.remove("content-md5")
  headers.remove("digest")
  headers.remove("etag")
}

const rewrittenHead = (reply: Reply, contentType: string): void => {
  describedAnew(reply)
  reply.headers.set("content-type", contentType)
}

const badGateway = (message: string): LlmError => ({ kind: "internal", status: 502, message })

const flat = ({ headers }: Reply): Record<string, string> => {
  const fields: Record<string, string> = {}
  for (const [name, value] of headers) fields[name] ??= value
  return fields
}

/** Headers of a failed reply that say something to the client. */
const keptOf = ({ headers }: Reply): ReadonlyArray<string> => {
  const kept: Array<string> = []
  for (const [name, value] of headers) {
    if (/^(?:retry-after|x-ratelimit-|anthropic-ratelimit-|x-request-id|request-id|x-sluice-)/.test(name)) {
      kept.push(name, value)
    }
  }
  return kept
}

const failed = (reply: Reply, sendable: Sendable, delivery: Delivery): Effect.Effect<Reply, Refusal> => {
  const { client, upstream } = sendable
  if (upstream === client) {
    delivery.settle(undefined)
    return Effect.succeed(reply)
  }
  const { body } = reply
  reply.body = Body.empty
  return Effect.map(
    Effect.match(Body.collect(body, ERROR_BYTES_MAX), {
      onFailure: () => new Uint8Array(0),
      onSuccess: (collected) => {
        if (collected._tag === "Whole") return collected.bytes
        Body.discard(collected.body)
        return collected.prefix
      },
    }),
    (bytes) => {
      delivery.settle(undefined)
      const error = readError(upstream ?? "openaiChat", reply.status, decoder.decode(bytes), flat(reply))
      return errorReply(client, error, keptOf(reply), "upstream")
    },
  )
}

const translated = (reply: Reply, sendable: Sendable, delivery: Delivery): Effect.Effect<Reply, Refusal> => {
  const { client, prepared } = sendable
  const { body } = reply
  reply.body = Body.empty
  const { account } = delivery
  const answer = (error: LlmError): Reply => {
    delivery.settle(undefined)
    return errorReply(client, error, keptOf(reply))
  }
  const refuse = (message: string): Reply => answer(badGateway(message))
  return Effect.match(Body.collect(body, REPLY_BYTES_MAX), {
    onFailure: (failure) => {
      delivery.broke(failure)
      return answer(brokenOff(failure))
    },
    onSuccess: (collected) => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return refuse("the reply of the provider is too long")
      }
      const value = parse([collected.bytes])
      if (value === undefined) return refuse("the reply of the provider is not JSON")
      const made = prepared?.reply(value, flat(reply))
      if (made === undefined || Result.isFailure(made)) {
        return refuse(`the reply of the provider cannot be understood: ${made?.failure.reason ?? "no translation"}`)
      }
      const { body: json, model, usage } = made.success
      if (usage !== undefined) account.used(usage)
      if (model !== undefined) account.responseModel = model
      if (account.isHeard) account.answered = () => answerIn(client, json)
      delivery.settle(undefined)
      rewrittenHead(reply, "application/json")
      reply.body = Body.text(JSON.stringify(json))
      return reply
    },
  })
}

/** Events that only change their framing. */
const asItIs = (format: Format | undefined): StreamTranslator => {
  const observer = streamObserver("gemini")
  let error: LlmError | undefined
  return {
    feed: (event) => {
      observer.feed(event)
      return [event]
    },
    end: () => [],
    fail: (failure) => {
      error = failure
      return [streamError(format ?? "gemini", failure)]
    },
    seen: () => ({ ...observer.seen(), ...(error === undefined ? {} : { error }) }),
  }
}

/** Bytes in a coding say nothing to anybody here, and nobody asked for one. False: nobody knows it. */
const uncoded = (reply: Reply, coding: Coding | undefined): boolean => {
  const { body, headers } = reply
  const encoding = encodingOf(headers)
  if (encoding === undefined || body._tag === "Empty") return true
  const decoded = coding?.decoded(encoding, Body.flowing(body))
  if (decoded === undefined) return false
  reply.body = decoded
  describedAnew(reply)
  return true
}

/** The reply as the client gets it; the account is settled when its last byte has passed, or nobody wants more. */
export const deliver = (reply: Reply, sendable: Sendable, delivery: Delivery): Effect.Effect<Reply, Refusal> => {
  const { account, clock, settle } = delivery
  const { headers } = reply
  if (reply.tunnel !== undefined) {
    const tunnel = watched(reply.tunnel, account, clock, delivery.answered, () => settle(undefined))
    return Effect.succeed(tunnel === undefined ? reply : { ...reply, tunnel })
  }
  const isReadable = uncoded(reply, delivery.coding)
  if (reply.status >= 400) return failed(reply, sendable, delivery)
  const { client, prepared } = sendable
  const { body } = reply
  const read = (value: JsonObject): void => {
    take(account, value, sendable.upstream)
    if (account.isHeard) account.answered = () => answerIn(client, value)
  }
  if (prepared === undefined) {
    if (!isReadable || body._tag === "Empty") {
      settle(undefined)
      return Effect.succeed(reply)
    }
    if (isEventStream(headers) && sendable.wantsList) {
      rewrittenHead(reply, contentTypes.jsonArray)
      const work = translating(asItIs(sendable.client), "sse", "jsonArray", client, delivery)
      reply.body = new EventFlow(Body.flowing(body), work, delivery.broke)
      return Effect.succeed(reply)
    }
    if (isEventStream(headers) || isAmazonStream(headers)) {
      // Events may be held back, and an end may have to be added.
      headers.remove("content-length")
      reply.body = new EventFlow(
        Body.flowing(body),
        passing(sendable, delivery, isAmazonStream(headers) ? "awsEventStream" : "sse"),
        delivery.broke,
      )
      return Effect.succeed(reply)
    }
    if (body._tag === "Bytes") {
      const value = parse([body.bytes])
      if (isObject(value)) read(value)
      settle(undefined)
      return Effect.succeed(reply)
    }
    reply.body = new ReadFlow(body, REPLY_BYTES_MAX, (chunks) => {
      const value = chunks === undefined ? undefined : parse(chunks)
      if (isObject(value)) read(value)
      settle(undefined)
    })
    return Effect.succeed(reply)
  }
  if (!isReadable) {
    Body.discard(body)
    settle(undefined)
    return Effect.succeed(errorReply(client, badGateway("nobody here knows how the reply of the provider is coded")))
  }
  const framing = isEventStream(headers) ? "sse" : isAmazonStream(headers) ? "awsEventStream" : undefined
  if (framing !== undefined && body._tag !== "Empty") {
    const towards = sendable.wantsList ? "jsonArray" : framingOf(sendable.client)
    rewrittenHead(reply, contentTypes[towards])
    const work = translating(prepared.stream(), framing, towards, client, delivery)
    reply.body = new EventFlow(Body.flowing(body), work, delivery.broke)
    return Effect.succeed(reply)
  }
  return translated(reply, sendable, delivery)
}
