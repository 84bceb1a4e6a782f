/**
 * Answers that are given again. An answer is only found by whoever may have it: who asks, what is asked, and how the
 * gateway was configured then are all in its key. Only whole answers are kept, never errors. Who asks what another is
 * asking already is given the same answer as it comes.
 */
import * as Cause from "effect/Cause"
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
import { askerOf, partitionText, questionOf, settingOf } from "./keyOf.ts"
import { ReplayFlow } from "./ReplayFlow.ts"
import { SharedFlow } from "./SharedFlow.ts"
import { SharedQuestions } from "./SharedQuestions.ts"
import type { Similar } from "./Similar.ts"
import { isWholeReply, isWholeStream } from "./whole.ts"

const cacheHeader = "x-sluice-cache"

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

/** An answer that is given again, apart from its bytes. */
type Described = Omit<KeptReply, "bytes" | "pieces">

/** What those are given who asked the same at the same time: an answer on its way, or one that is here. */
type Shared = { readonly described: Described; readonly flow: SharedFlow } | KeptReply

interface Place {
  readonly key: string
  /** Who asks, as the others that ask the same know it; absent where it asks for itself. */
  readonly who: object | undefined
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
      ? askerOf(attempt.exchange.identity, attempt.exchange.bound.secured.tls?.client, attempt.request)
      : partition.as(Facts.of(expressions.around, attempt), partitionText)

  /** Policies of the backend that change replies hold for those that are given again too. */
  const shaped = (attempt: Try, all: Candidates, kept: Described, reply: Reply): Effect.Effect<Reply, Refusal> => {
    const [first] = all.byMember.values()
    let answered = first
    for (const one of all.byMember.values()) if (one.provider.name === kept.provider) answered = one
    return answered === undefined ? Effect.succeed(reply) : answered.provider.again(attempt, reply)
  }

  const told = (
    attempt: Try,
    all: Candidates,
    account: Account,
    reply: Described,
    body: Body.Body,
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
    return shaped(attempt, all, reply, { status: 200, headers, body, origin: "gateway" })
  }

  const again = (attempt: Try, all: Candidates, account: Account, reply: KeptReply, how: "hit" | "similar") => {
    const isPaced = keepsCadence && reply.pieces.length > 1 && reply.contentType.startsWith("text/event-stream")
    const body = isPaced ? new ReplayFlow(reply, clock) : Body.bytes(reply.bytes)
    return told(attempt, all, account, reply, body, how)
  }

  const questions = new SharedQuestions<Shared>(clock)

  /** Remembers an answer while it passes, and lets others have it. */
  const keeping = (reply: Reply, asked: Asked, account: Account, { around, key, vector, who }: Place): Reply => {
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
    const take = (bytes: Uint8Array, pieces: KeptReply["pieces"]): KeptReply | undefined => {
      if (!(isStream ? isWholeStream(format, bytes) : isWholeReply(bytes))) return undefined
      const { responseModel } = account
      const storedMillis = clock.wallMillis()
      const timed = isStream && keepsCadence ? pieces : []
      const kept = { contentType, provider, model, responseModel, storedMillis, bytes, pieces: timed }
      replies.put(key, kept, ttlMillis)
      if (vector !== undefined && around !== undefined) similar?.put(key, around, vector, clock.nowMillis() + ttlMillis)
      return kept
    }
    if (body._tag === "Bytes") {
      const kept = body.bytes.byteLength <= entryBytesMax ? take(body.bytes, []) : undefined
      if (who !== undefined) {
        if (kept !== undefined) questions.answered(key, who, kept)
        questions.over(key, who)
      }
      return reply
    }
    const flow = new SharedFlow(body, entryBytesMax, clock.nowMillis, (remembered) => {
      if (remembered !== undefined) take(remembered.bytes, remembered.pieces)
      if (who !== undefined) questions.over(key, who)
    })
    const first = flow.join()
    if (first === undefined) return reply
    reply.body = first
    const described = {
      contentType,
      provider,
      model,
      responseModel: account.responseModel,
      storedMillis: clock.wallMillis(),
    }
    if (who !== undefined) questions.answered(key, who, { described, flow })
    return reply
  }

  const asking = (asked: Asked, account: Account, place: Place, answering: Answering) => {
    account.cached = "miss"
    return Effect.map(answering(), (reply) => keeping(reply, asked, account, place))
  }

  /** Asks, or waits for whoever is asking the same. */
  const once = (
    attempt: Try,
    all: Candidates,
    account: Account,
    key: string,
    asks: (who: object | undefined) => Effect.Effect<Reply, Refusal>,
  ): Effect.Effect<Reply, Refusal> => {
    const who = {}
    const reply = Effect.flatMap(questions.enter(key, who, attempt.exchange.deadlineMillis), (part) => {
      if (part._tag === "Lead") return asks(who)
      if (part._tag === "Alone") return asks(undefined)
      const { answer } = part
      if ("bytes" in answer) return again(attempt, all, account, answer, "hit")
      const joined = answer.flow.join()
      return joined === undefined ? asks(undefined) : told(attempt, all, account, answer.described, joined, "hit")
    })
    return Effect.onExit(reply, (exit) => {
      questions.left(key, who, exit._tag === "Failure" && Cause.hasInterrupts(exit.cause))
      return Effect.void
    })
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
    const question = similar === undefined ? undefined : questionOf(clientFormats[asked.kind], asked.json ?? {})
    const alike = (who: object | undefined): Effect.Effect<Reply, Refusal> => {
      if (semantic === undefined || similar === undefined || question === undefined) {
        return asking(asked, account, { key, who, around: undefined, vector: undefined }, answering)
      }
      const around = sha256(`${setting}\n${question.around}`)
      return Effect.flatMap(embed(attempt, semantic, question.text), (vector) => {
        const place: Place = { key, who, around, vector }
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
    if (wish === "noCache") return alike(undefined)
    return Effect.flatMap(replies.get(key), (reply) =>
      reply === undefined ? once(attempt, all, account, key, alike) : again(attempt, all, account, reply, "hit"),
    )
  }
}
