/** The session of one client: who it is, what it can do, what it has been asked, and streams that it may come back to. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { encodeSse } from "../../../../protocols/http/sse.ts"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import type { LogLevel } from "../../../../protocols/mcp/methods.ts"
import { withMeta } from "../../../../protocols/mcp/envelope.ts"
import { askToLegacy } from "../../../../protocols/mcp/questions.ts"
import { atLeast, type Revision } from "../../../../protocols/mcp/revision.ts"
import type { Exchange } from "../../../Exchange.ts"
import { type Powers, powersOf } from "../callers.ts"
import { capabilitiesOf, mayAsk } from "../capabilities.ts"
import { lasting } from "../lasting.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Kind } from "../federation/Access.ts"
import type { Answer, Ask, Caller } from "../target/McpTarget.ts"
import type { Channel, Delivery } from "./Delivery.ts"
import { EventStream, streamReply } from "./EventStream.ts"

export interface Identity {
  /** Names the session to targets, and is in its sealed name. */
  readonly uid: string
  /** The backend it belongs to. */
  readonly key: string
  readonly principal: string
  readonly revision: Revision
  readonly capabilities: Json
  readonly clientInfo: Json | undefined
}

/** Something that some may use and others not, as clients call it. */
export interface Thing {
  readonly kind: Kind
  readonly name: string
}

const visitsMax = 64

/** A stream of events that is kept for a while, so that a client that lost it can take it up again. */
export class StoredStream implements Channel {
  readonly name: string
  private readonly runtime: McpRuntime
  private readonly isPrimed: boolean
  private readonly events: Array<{ readonly n: number; readonly text: string }> = []
  private readonly left: () => void
  private chars = 0
  private last = 0
  private attached: EventStream | undefined = undefined
  isDone = false
  endedMillis = 0
  /** For whom it was begun, and what the answer on it is about; undefined: several things, or none. */
  readonly powers: Powers
  readonly about: Thing | undefined

  constructor(
    name: string,
    runtime: McpRuntime,
    isPrimed: boolean,
    powers: Powers,
    about: Thing | undefined,
    left: () => void,
  ) {
    this.name = name
    this.runtime = runtime
    this.isPrimed = isPrimed
    this.powers = powers
    this.about = about
    this.left = left
  }

  get isAttached(): boolean {
    return this.attached?.isOpen === true
  }

  message(data: Json): void {
    const text = encodeSse({ event: "message", id: `${this.name}_${++this.last}`, data })
    this.events.push({ n: this.last, text })
    this.chars += text.length
    while (
      this.events.length > limits.eventsPerStreamMax ||
      (this.chars > limits.eventCharsPerStreamMax && this.events.length > 1)
    ) {
      this.chars -= (this.events.shift() as { readonly text: string }).text.length
    }
    this.attached?.write(text)
  }

  end(): void {
    this.isDone = true
    this.endedMillis = this.runtime.clock.nowMillis()
    this.attached?.end()
  }

  private attach(): EventStream {
    const stream = new EventStream(this.runtime.clock, () => {
      if (this.attached !== stream) return
      this.attached = undefined
      this.left()
    })
    const before = this.attached
    this.attached = stream
    before?.end()
    return stream
  }

  reply(): ReturnType<typeof streamReply> {
    const stream = this.attach()
    if (this.isPrimed) stream.write(encodeSse({ id: `${this.name}_0`, data: "" }))
    for (const { text } of this.events) stream.write(text)
    if (this.isDone) stream.end()
    return streamReply(stream)
  }

  /** What came after an event, and whatever is still to come. */
  resume(after: number): ReturnType<typeof streamReply> {
    const stream = this.attach()
    for (const { n, text } of this.events) if (n > after) stream.write(text)
    if (this.isDone) stream.end()
    return streamReply(stream)
  }

  /** Asks the client to come back, where its revision lets it be asked. */
  hangUp(retryMillis: number): void {
    if (this.isPrimed) this.attached?.write(`retry: ${retryMillis}\n\n`)
    this.attached?.end()
    this.attached = undefined
  }

  close(): void {
    this.attached?.end()
    this.attached = undefined
  }
}

export class DownSession {
  /** What a client is becomes known with its first message, where the stream was there before. */
  identity: Identity
  readonly runtime: McpRuntime
  readonly askMillis: number
  /** As the client was told; absent where the session is that of a stream. */
  name = ""
  level: LogLevel | undefined = undefined
  readonly subscribed = new Set<string>()
  readonly running = new Map<Json, Fiber.Fiber<unknown, unknown>>()
  /** Requests that the client has given up. */
  readonly cancelled = new Set<Json>()
  usedMillis: number
  /** Some of its calls became tasks. */
  hasTasks = false
  isOver = false
  /** The exchange that came last: whose plan what happens in the background goes by. */
  exchange: Exchange
  /** Carries everything, in HTTP+SSE. */
  channel: Channel | undefined = undefined
  private readonly waiting = new Map<Json, (answer: Answer) => void>()
  private readonly streams = new Map<string, StoredStream>()
  /** Where people were sent, and by what name. */
  private readonly visits = new Map<string, string>()
  /** Takes back what is to be done later. */
  private readonly pending = new Set<() => void>()
  private lastAsk = 0
  private lastStream = 0
  /** Streams for what belongs to no request. */
  readonly open = new Set<StoredStream>()
  listening: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** What that goes by. */
  listeningFor: Powers | undefined = undefined
  /** Listens anew, because what is to be told has changed, and says when that is so; absent while nobody listens. */
  relisten: ((heard?: () => void) => void) | undefined = undefined

  constructor(identity: Identity, runtime: McpRuntime, askMillis: number, exchange: Exchange) {
    this.identity = identity
    this.runtime = runtime
    this.askMillis = askMillis
    this.exchange = lasting(exchange)
    this.usedMillis = runtime.clock.nowMillis()
  }

  get principal(): string {
    return this.identity.principal
  }

  caller(exchange: Exchange): Caller {
    const { capabilities, clientInfo, principal, revision, uid } = this.identity
    const { exchange: lastingly, level } = this
    return { principal, session: uid, revision, capabilities, clientInfo, level, exchange, lasting: lastingly }
  }

  touch(exchange: Exchange): void {
    this.usedMillis = this.runtime.clock.nowMillis()
    this.exchange = lasting(exchange)
  }

  /** It was begun elsewhere: what was numbered there is not what is numbered here. */
  takeUp(wallMillis: number): void {
    this.lastAsk = wallMillis
    this.lastStream = wallMillis
  }

  /** Whether anything is under way that keeps the session alive by itself. */
  get isBusy(): boolean {
    return this.running.size > 0 || this.hears
  }

  /** A stream for the answer to one request, or for what belongs to none. */
  stream(exchange: Exchange, about: Thing | undefined, left: () => void = () => {}): StoredStream {
    const name = String(++this.lastStream)
    const isPrimed = atLeast(this.identity.revision, "2025-11-25")
    const stream = new StoredStream(name, this.runtime, isPrimed, powersOf(exchange), about, left)
    this.streams.set(name, stream)
    this.forgetStreams()
    return stream
  }

  private forgetStreams(): void {
    const now = this.runtime.clock.nowMillis()
    for (const [name, stream] of this.streams) {
      const isOld = stream.isDone && now - stream.endedMillis > limits.eventsKeptMillis
      if (isOld || (stream.isDone && this.streams.size > limits.streamsPerSessionMax)) this.streams.delete(name)
    }
  }

  /** The stream that an event belongs to, and the number of the event in it. */
  find(eventId: string): { readonly stream: StoredStream; readonly after: number } | undefined {
    const [, name, after] = /^(\d{1,15})_(\d{1,15})$/.exec(eventId) ?? []
    const stream = name === undefined ? undefined : this.streams.get(name)
    return stream === undefined ? undefined : { stream, after: Number(after) }
  }

  /** Whether what belongs to no request reaches the client at once. */
  get hears(): boolean {
    return this.channel !== undefined || [...this.open].some((one) => one.isAttached)
  }

  /** Something that belongs to no request: on exactly one stream. */
  push(message: Json): void {
    if (this.channel !== undefined) return this.channel.message(message)
    let found: StoredStream | undefined
    for (const one of this.open) {
      found = one
      if (one.isAttached) break
    }
    found?.message(message)
  }

  /** Asks the client. */
  ask(
    delivery: Pick<Delivery, "canSpeak" | "push">,
    { method, params, target }: Ask,
    meta?: Readonly<Record<string, Json>>,
  ): Effect.Effect<Answer> {
    return Effect.suspend(() => {
      const { capabilities, revision } = this.identity
      const number = ++this.lastAsk
      const id = String(number)
      // A reply that is one document holds no questions, but a stream beside it may.
      const by = delivery.canSpeak ? delivery : this.hears ? this : undefined
      const said =
        by !== undefined && mayAsk(capabilitiesOf(capabilities), method, params)
          ? askToLegacy(method, params, revision, `${this.identity.uid.slice(0, 8)}-${number}`)
          : undefined
      if (by === undefined || said === undefined) {
        return Effect.succeed<Answer>({
          _tag: "Error",
          error: JsonRpc.errorOf(JsonRpc.codes.methodNotFound, `the client cannot answer ${method} of ${target}`),
        })
      }
      const asked = withMeta(Fields.parse(said.params) ?? Fields.empty, meta ?? {})
      this.sentTo(Fields.parse(params), asked)
      return Effect.callback<Answer>((resume) => {
        const done = (answer: Answer): void => {
          disarm()
          this.waiting.delete(id)
          resume(
            Effect.succeed(answer._tag === "Result" ? { _tag: "Result", result: said.restore(answer.result) } : answer),
          )
        }
        const disarm = this.runtime.clock.after(this.askMillis, () =>
          done(
            method === "elicitation/create"
              ? { _tag: "Result", result: '{"action":"cancel"}' }
              : { _tag: "Error", error: JsonRpc.errorOf(JsonRpc.codes.internal, "nobody answered in time") },
          ),
        )
        this.waiting.set(id, done)
        by.push(JsonRpc.encodeRequest(id, method, meta === undefined ? said.params : asked.toJson()))
        return Effect.sync(() => {
          disarm()
          if (!this.waiting.delete(id)) return
          const cancelled = JSON.stringify({ requestId: number, reason: "no longer needed" })
          by.push(JsonRpc.encodeNotification("notifications/cancelled", cancelled))
        })
      })
    })
  }

  /** Servers that ask by results have no name for where they send people; the client was given one of ours. */
  private sentTo(asked: Fields | undefined, said: Fields): void {
    const url = asked?.string("url")
    const elicitationId = said.string("elicitationId")
    if (url === undefined || elicitationId === undefined || asked?.has("elicitationId") === true) return
    if (this.visits.size >= visitsMax) this.visits.clear()
    this.visits.set(url, elicitationId)
  }

  /** A server no longer asks for what a person was sent to do: the client is told as it would be by an older one. */
  completed(delivery: Pick<Delivery, "push">, url: string): void {
    const elicitationId = this.visits.get(url)
    if (elicitationId === undefined) return
    this.visits.delete(url)
    delivery.push(JsonRpc.encodeNotification("notifications/elicitation/complete", JSON.stringify({ elicitationId })))
  }

  /** False: nobody asked that. */
  answered({ error, id, result }: JsonRpc.RpcAnswer): boolean {
    if (id === undefined) return false
    const waiting = this.waiting.get(id) ?? this.waiting.get(id.replaceAll('"', ""))
    if (waiting === undefined) return false
    waiting(error === undefined ? { _tag: "Result", result: result ?? "{}" } : { _tag: "Error", error })
    return true
  }

  /** What stands behind the endpoint has changed. */
  changed(): void {
    for (const what of ["tools", "prompts", "resources"]) {
      this.push(JsonRpc.encodeNotification(`notifications/${what}/list_changed`, undefined))
    }
  }

  /** The gateway is about to end: streams that only wait are ended, so that clients go elsewhere; calls go on to theirs. */
  drain(): void {
    for (const stream of this.open) stream.hangUp(limits.resumeMillis)
    if (this.running.size === 0) this.channel?.end()
  }

  /** Does something in a while, if the session is not over by then. */
  later(millis: number, act: () => void): void {
    if (this.isOver) return
    const takeBack = this.runtime.clock.after(millis, () => {
      this.pending.delete(takeBack)
      act()
    })
    this.pending.add(takeBack)
  }

  close(): void {
    if (this.isOver) return
    this.isOver = true
    for (const takeBack of this.pending) takeBack()
    this.pending.clear()
    this.listening?.interruptUnsafe()
    for (const fiber of this.running.values()) fiber.interruptUnsafe()
    for (const stream of this.streams.values()) stream.close()
    this.channel?.end()
  }
}
