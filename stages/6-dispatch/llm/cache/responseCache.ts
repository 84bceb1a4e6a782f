/**
 * Answers that are given again. An answer is only found by whoever may have it: who asks, what is asked, and how the
 * gateway was configured then are all in its key. Only whole answers are kept, never errors.
 */
import * as Effect from "effect/Effect"
import type { ResponseCache } from "../../../../ir/policy/ResponseCache.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"
import { expressionsOf } from "../../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { KeptReply, Replies } from "../../../ports/Replies.ts"
import type { Clock } from "../../../ports/Timer.ts"
import type { Refusal } from "../../../Refusal.ts"
import type { Try } from "../../Target.ts"
import type { Account } from "../Account.ts"
import type { Asked } from "../Asked.ts"
import type { Candidates } from "../failover.ts"
import { clientFormats } from "../kinds.ts"
import { free } from "../prices.ts"
import { embed } from "./embed.ts"
import { partitionText, principalOf, questionOf, settingOf } from "./keyOf.ts"
import { RecordedFlow } from "./RecordedFlow.ts"
import { ReplayFlow } from "./ReplayFlow.ts"
import type { Similar } from "./Similar.ts"
import { isWholeReply, isWholeStream } from "./whole.ts"

export const cacheHeader = "x-sluice-cache"

/** Calls whose answers depend on nothing but what is asked. */
const kept: ReadonlySet<Asked["kind"]> = new Set([
  "completions",
  "messages",
  "responses",
  "generateContent",
  "embeddings",
  "rerank",
])

type Answering = () => Effect.Effect<Reply, Refusal>

export type Cached = (
  attempt: Try,
  asked: Asked,
  account: Account,
  all: Candidates,
  answering: Answering,
) => Effect.Effect<Reply, Refusal>

export interface CacheParts {
  readonly ports: PolicyPorts
  readonly clock: Clock
  readonly replies: Replies
  readonly sha256: (text: string | Uint8Array) => string
  /** Everything in the configuration that may change an answer. */
  readonly generation: string
  readonly similar: (generation: string, entriesMax: number) => Similar
}

/** RFC 9111: what a client wants of caches. */
const wishes = ({ request }: Try): "noStore" | "noCache" | undefined => {
  const value = request.headers.get("cache-control")?.toLowerCase()
  if (value === undefined) return undefined
  return value.includes("no-store") ? "noStore" : value.includes("no-cache") ? "noCache" : undefined
}

interface Place {
  readonly key: string
  readonly around: string | undefined
  readonly vector: Float32Array | undefined
}

export const compile = (policy: ResponseCache, parts: CacheParts): Cached => {
  const { clock, generation, ports, replies, sha256 } = parts
  const { entryBytesMax, keepsCadence, semantic, ttlMillis } = policy
  const expressions = expressionsOf(ports)
  const partition = policy.key === undefined ? undefined : expressions.compile(policy.key, "route", "key")
  const similar = semantic === undefined ? undefined : parts.similar(generation, semantic.entriesMax)

  const partitionOf = (attempt: Try): string | undefined =>
    partition === undefined
      ? principalOf(attempt.exchange.identity, attempt.exchange.bound.secured.tls?.client, attempt.request)
      : partition.as(Facts.of(expressions.around, attempt), partitionText)

  /** Policies of the backend that change replies hold for those that are given again too. */
  const shaped = (attempt: Try, all: Candidates, kept: KeptReply, reply: Reply): Effect.Effect<Reply, Refusal> => {
    const [first] = all.byMember.values()
    let answered = first
    for (const one of all.byMember.values()) if (one.provider.name === kept.provider) answered = one
    return answered === undefined ? Effect.succeed(reply) : answered.provider.again(attempt, reply)
  }

  const again = (
    attempt: Try,
    all: Candidates,
    account: Account,
    reply: KeptReply,
    how: "hit" | "similar",
  ): Effect.Effect<Reply, Refusal> => {
    account.cached = how
    account.providerName = reply.provider
    account.responseModel = reply.responseModel
    account.cost = free
    account.priced = "exact"
    const headers = new Headers(["content-type", reply.contentType])
    if (reply.provider !== undefined) headers.set("x-sluice-provider", reply.provider)
    if (reply.model !== undefined) headers.set("x-sluice-model", reply.model)
    headers.set(cacheHeader, how)
    headers.set("age", String(Math.max(0, Math.floor((clock.wallMillis() - reply.storedMillis) / 1000))))
    account.settle(clock.nowMillis())
    const isPaced = keepsCadence && reply.pieces.length > 1 && reply.contentType.startsWith("text/event-stream")
    return shaped(attempt, all, reply, {
      status: 200,
      headers,
      body: isPaced ? new ReplayFlow(reply, clock) : Body.bytes(reply.bytes),
      origin: "gateway",
    })
  }

  /** Remembers an answer while it passes. */
  const keeping = (reply: Reply, asked: Asked, account: Account, { around, key, vector }: Place): Reply => {
    reply.headers.set(cacheHeader, "miss")
    const { body, headers } = reply
    const contentType = headers.get("content-type") ?? ""
    const isStream = /^text\/event-stream\b/i.test(contentType)
    const isJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(contentType)
    const format = clientFormats[asked.kind]
    if (reply.status !== 200 || format === undefined || !(isStream || isJson)) return reply
    if (headers.has("content-encoding") || body._tag === "Empty" || asked.wantsList) return reply
    const provider = headers.get("x-sluice-provider")
    const model = headers.get("x-sluice-model")
    const take = (bytes: Uint8Array, pieces: KeptReply["pieces"]): void => {
      if (!(isStream ? isWholeStream(format, bytes) : isWholeReply(bytes))) return
      const { responseModel } = account
      const storedMillis = clock.wallMillis()
      const timed = isStream && keepsCadence ? pieces : []
      replies.put(key, { contentType, provider, model, responseModel, storedMillis, bytes, pieces: timed }, ttlMillis)
      if (vector !== undefined && around !== undefined) similar?.put(key, around, vector, clock.nowMillis() + ttlMillis)
    }
    if (body._tag === "Bytes") {
      if (body.bytes.byteLength <= entryBytesMax) take(body.bytes, [])
    } else reply.body = new RecordedFlow(body, entryBytesMax, clock.nowMillis, take)
    return reply
  }

  const asking = (asked: Asked, account: Account, place: Place, answering: Answering) => {
    account.cached = "miss"
    return Effect.map(answering(), (reply) => keeping(reply, asked, account, place))
  }

  return (attempt, asked, account, all, answering) => {
    const wish = wishes(attempt)
    const name = partitionOf(attempt)
    const isKept = kept.has(asked.kind) && asked.json !== undefined && attempt.request.upgrade === undefined
    if (!isKept || name === undefined || wish === "noStore") {
      if (!isKept) return answering()
      account.cached = "bypass"
      return Effect.map(answering(), (reply) => {
        reply.headers.set(cacheHeader, "bypass")
        return reply
      })
    }
    const setting = settingOf(generation, name, asked, attempt.request, all.name)
    const key = sha256(`${sha256(setting)}${sha256(asked.bytes)}`)
    const exact: Place = { key, around: undefined, vector: undefined }
    const question = similar === undefined ? undefined : questionOf(clientFormats[asked.kind], asked.json ?? {})
    const alike = (): Effect.Effect<Reply, Refusal> => {
      if (semantic === undefined || similar === undefined || question === undefined) {
        return asking(asked, account, exact, answering)
      }
      const around = sha256(`${setting}\n${question.around}`)
      return Effect.flatMap(embed(attempt, semantic, question.text), (vector) => {
        const place: Place = { key, around, vector }
        const near =
          vector === undefined || wish === "noCache"
            ? undefined
            : similar.nearest(around, vector, semantic.threshold, clock.nowMillis())
        if (near === undefined) return asking(asked, account, place, answering)
        return Effect.flatMap(replies.get(near), (reply) =>
          reply === undefined
            ? asking(asked, account, place, answering)
            : again(attempt, all, account, reply, "similar"),
        )
      })
    }
    if (wish === "noCache") return alike()
    return Effect.flatMap(replies.get(key), (reply) =>
      reply === undefined ? alike() : again(attempt, all, account, reply, "hit"),
    )
  }
}
