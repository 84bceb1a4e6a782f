/**
 * One session at a server with a handshake: requests with their numbers, what the server says meanwhile, and what it asks.
 * A question that no request can be blamed for goes to whoever listens, or is refused.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { keys, withMeta } from "../../../../protocols/mcp/envelope.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { atLeast, latestLegacy, type Revision } from "../../../../protocols/mcp/revision.ts"
import type { Exchange } from "../../../Exchange.ts"
import { capabilitiesOf, mayAsk } from "../capabilities.ts"
import { inMeta } from "../hopInMeta.ts"
import { lasting } from "../lasting.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { type Broken, broken } from "./Channel.ts"
import { ChannelWire } from "./ChannelWire.ts"
import { Hearing } from "./Hearing.ts"
import type { Answer, Ask, Call, ListenEvents, Outcome } from "./McpTarget.ts"
import type { Wire } from "./Wire.ts"

/** A request under way, and the questions that belong to it. */
interface Running {
  readonly call: Call
  readonly asking: Map<Json, Fiber.Fiber<unknown, unknown>>
}

export interface SessionSettings {
  readonly target: string
  readonly runtime: McpRuntime
  /** What the client behind this session can do. */
  readonly capabilities: Json
  /** Whether that client has a session of its own, so that it can be asked between its requests too. */
  readonly isPaired: boolean
  readonly clientInfo: Json
  /** Proposed to the server; it may answer with another one. */
  readonly revision: Revision
  readonly idleMillis: number
  /** Reads the result of `initialize`. */
  readonly introduced: (result: Json | undefined) => Fields | undefined
  /** Told of every notification that belongs to no request. */
  readonly noticed: (method: string, params: Fields | undefined) => void
}

const notNow = JsonRpc.errorOf(JsonRpc.codes.methodNotFound, "nobody is there to answer this now")

/** Some servers ask for the roots before anything else; they may wait for the first request so long as there are few. */
const earlyMax = 8
/** How long other questions wait until their client can be asked. */
const earlyMillis = 60_000
/** How many questions of one request may be open at once. */
const openMax = 64

export class LegacySession {
  readonly settings: SessionSettings
  wire!: Wire
  /** The result of `initialize`. */
  introduction: Fields = Fields.empty
  revision = latestLegacy as string
  /** Level that was set last. */
  level: string | undefined = undefined
  readonly subscribed = new Set<string>()
  /** Whose requests background messages go out with. */
  exchange: Exchange
  private readonly running = new Map<number, Running>()
  private early: ReadonlyArray<{ readonly question: JsonRpc.RpcRequest; readonly disarm: () => void }> = []
  private readonly unowned = new Map<Json, Fiber.Fiber<unknown, unknown>>()
  private listeners: ReadonlyArray<ListenEvents> = []
  private lastId = 0
  private recalled: Fields | undefined = undefined
  private hearing: Hearing | undefined = undefined
  /** Takes back that the stream is closed in a while. */
  private lingering: (() => void) | undefined = undefined
  private isClosed = false

  constructor(settings: SessionSettings, exchange: Exchange) {
    this.settings = settings
    this.exchange = lasting(exchange)
  }

  get capabilities(): Fields {
    return this.introduction.object("capabilities") ?? this.recalled ?? Fields.empty
  }

  /** Whether the server has said here who it is; in a session that was begun elsewhere it has not. */
  get isIntroduced(): boolean {
    return this.recalled === undefined || this.introduction.size > 0
  }

  /** It was begun elsewhere, and may be used there still: what is numbered here is numbered apart from that. */
  takeUp(revision: string, capabilities: Fields): void {
    this.revision = revision
    this.recalled = capabilities
    this.lastId = Math.floor(this.settings.runtime.clock.random() * 2 ** 32) * 2 ** 16
  }

  /** A question may come where it belongs to no request, and be lost if nobody is there. */
  hearSoon(): void {
    if (this.isInteractive) this.background(this.hear)
  }

  /** How many calls are under way. */
  get load(): number {
    return this.running.size
  }

  /** Fails where the other side is no such server. */
  readonly initialize: Effect.Effect<void, Broken | Extract<Outcome, { readonly _tag: "Error" }>> = Effect.suspend(
    () => {
      const { capabilities, clientInfo, revision } = this.settings
      const params = Fields.of({ protocolVersion: JSON.stringify(revision), capabilities, clientInfo })
      const id = ++this.lastId
      return this.wire
        .request({
          id,
          method: "initialize",
          message: JsonRpc.encodeRequest(String(id), "initialize", params.toJson()),
          exchange: this.exchange,
          idleMillis: this.settings.idleMillis,
          beside: (message) => this.receive(message, undefined),
        })
        .pipe(
          Effect.flatMap(
            ({ error, result }): Effect.Effect<void, Broken | Extract<Outcome, { readonly _tag: "Error" }>> => {
              if (error !== undefined) return Effect.fail({ _tag: "Error", error, era: "legacy" })
              const introduction = this.settings.introduced(result)
              const revision = introduction?.string("protocolVersion")
              if (introduction === undefined || revision === undefined) {
                return Effect.fail(broken("the server did not introduce itself", true))
              }
              this.introduction = introduction
              this.revision = revision
              this.wire.agreed(revision)
              return this.wire.send(JsonRpc.encodeNotification("notifications/initialized", undefined), this.exchange)
            },
          ),
        )
    },
  )

  readonly call = (call: Call): Effect.Effect<Outcome, Broken> =>
    Effect.suspend(() => {
      const { method } = call
      const { exchange } = call.caller
      const id = ++this.lastId
      const running: Running = { call, asking: new Map() }
      this.running.set(id, running)
      if (this.settings.isPaired || methods.get(method)?.asks === true) this.askEarly(running)
      const request = this.wire.request({
        id,
        method,
        message: JsonRpc.encodeRequest(String(id), method, this.paramsOf(call, id)),
        exchange,
        // A task takes as long as it takes, and this is only answered at its end.
        idleMillis: method === "tasks/result" ? Infinity : this.settings.idleMillis,
        isHeld: this.isInteractive ? () => running.asking.size > 0 : undefined,
        beside: (message) => this.receive(message, running),
      })
      return Effect.onExit(
        Effect.map(request, ({ error, result }): Outcome =>
          error === undefined
            ? { _tag: "Result", result: result ?? "{}", era: "legacy" }
            : { _tag: "Error", error, era: "legacy" },
        ),
        (exit) => {
          if (Exit.hasInterrupts(exit)) this.cancel(id, exchange)
          this.running.delete(id)
          for (const fiber of running.asking.values()) fiber.interruptUnsafe()
          return Effect.void
        },
      )
    })

  private paramsOf({ caller: { exchange }, method, params, wantsProgress }: Call, id: number): Json | undefined {
    let sent = params
    if (method === "completion/complete" && !atLeast(this.revision, "2025-06-18")) sent = sent?.without("context")
    sent = sent?.without("inputResponses")
    if (this.wire instanceof ChannelWire) sent = inMeta(sent ?? Fields.empty, exchange)
    return (wantsProgress ? withMeta(sent ?? Fields.empty, { progressToken: String(id) }) : sent)?.toJson()
  }

  /** Whoever was waiting has left: the server is told, without anybody waiting for that. */
  private cancel(id: number, exchange: Exchange): void {
    const params = Fields.of({ requestId: String(id), reason: '"the client no longer waits"' })
    this.background(this.wire.send(JsonRpc.encodeNotification("notifications/cancelled", params.toJson()), exchange))
  }

  private background(effect: Effect.Effect<unknown, unknown>): Fiber.Fiber<unknown, unknown> {
    return this.settings.runtime.run(
      Effect.ignore(Effect.timeoutOrElse(effect, { duration: limits.cancelMillis, orElse: () => Effect.void })),
    )
  }

  readonly notify = (method: string, params: Fields | undefined, exchange: Exchange): Effect.Effect<void, Broken> =>
    this.wire.send(JsonRpc.encodeNotification(method, params?.toJson()), exchange)

  /** Opens the stream for what belongs to no request, where that is not done yet; false: the server has none. */
  readonly hear: Effect.Effect<boolean, Broken> = Effect.suspend(() => {
    if (this.hearing === undefined || this.hearing.isOver) {
      this.hearing = new Hearing(this.settings.runtime, this.wire, () => this.exchange)
    }
    return this.hearing.heard
  })

  /** Takes part in what belongs to no request; `opened` is called when that begins, and again after every gap. */
  readonly listen = (events: ListenEvents, opened: () => void): Effect.Effect<boolean, Broken> =>
    Effect.suspend(() => {
      this.listeners = [...this.listeners, events]
      this.askEarly(undefined)
      return Effect.ensuring(
        Effect.flatMap(this.hear, (isOffered) => {
          const { hearing } = this
          if (!isOffered || hearing === undefined) return Effect.succeed(false)
          opened()
          return Effect.as(hearing.until(opened), true)
        }),
        Effect.sync(() => {
          this.listeners = this.listeners.filter((one) => one !== events)
          if (this.listeners.length === 0) this.linger()
        }),
      )
    })

  private linger(): void {
    this.lingering?.()
    this.lingering = undefined
    if (!this.isClosed) this.lingering = this.settings.runtime.clock.after(limits.lingerMillis, () => this.quiet())
  }

  /** Closes the stream that nobody listens to any more, unless calls may need it. */
  private quiet(): void {
    if (this.listeners.length > 0 || this.isInteractive) return
    this.hearing?.stop()
    this.hearing = undefined
  }

  /** Whether the server may ask something, and so may do it where it belongs to no request. */
  get isInteractive(): boolean {
    return capabilitiesOf(this.settings.capabilities).fingerprint !== ""
  }

  /** What the server says, and where it is known, during which request. */
  readonly receive = (message: JsonRpc.RpcMessage, own: Running | undefined): void => {
    if (message._tag === "Request") return this.asked(message, own)
    if (message._tag === "Answer") return
    const { method, params: text } = message
    const params = Fields.parse(text)
    switch (method) {
      case "notifications/progress": {
        const token = params?.get("progressToken")
        const running = this.running.get(Number(token?.replaceAll('"', "")))
        if (params !== undefined) running?.call.events.progress(params)
        return
      }
      case "notifications/message": {
        const running = own ?? this.newest()
        if (params === undefined) return
        if (running !== undefined) return running.call.events.log(params)
        for (const listener of this.listeners) listener.notify(method, text)
        return
      }
      case "notifications/cancelled":
        return this.withdrawn(params?.get("requestId"))
      case "notifications/elicitation/complete": {
        const running = own ?? this.newest()
        if (running !== undefined) running.call.events.notify(method, text)
        else for (const listener of this.listeners) listener.notify(method, text)
        return
      }
      default:
    }
    this.settings.noticed(method, params)
    for (const listener of this.listeners) tell(listener, method, text, params)
  }

  private withdrawn(id: Json | undefined): void {
    if (id === undefined) return
    this.early = this.early.filter(({ disarm, question }) => {
      if (question.id !== id) return true
      disarm()
      return false
    })
    this.unowned.get(id)?.interruptUnsafe()
    for (const { asking } of this.running.values()) asking.get(id)?.interruptUnsafe()
  }

  private newest(): Running | undefined {
    let found: Running | undefined
    for (const running of this.running.values()) found = running
    return found
  }

  /** The call that waits for the result of the task a question belongs to. */
  private relatedTo(params: Json | undefined): Running | undefined {
    if (params?.includes(keys.relatedTask) !== true) return undefined
    const id = Fields.parse(params)?.object("_meta")?.object(keys.relatedTask)?.get("taskId")
    for (const running of this.running.values()) {
      const { method, params: its } = running.call
      if (method === "tasks/result" && its?.get("taskId") === id) return running
    }
    return undefined
  }

  private asked(message: JsonRpc.RpcRequest, own: Running | undefined): void {
    const { id, method, params } = message
    if (method === "ping") return void this.background(this.wire.send(JsonRpc.encodeResult(id, "{}"), this.exchange))
    const refuse = (): void => void this.background(this.wire.send(JsonRpc.encodeError(id, notNow), this.exchange))
    if (!mayAsk(capabilitiesOf(this.settings.capabilities), method, params)) return refuse()
    const running = own ?? this.relatedTo(params) ?? this.newest()
    const listener = this.listeners[0]
    if (running === undefined && listener === undefined) {
      return this.keepForLater(message, refuse)
    }
    const ask: Ask = { method, params, target: this.settings.target }
    const asked = running === undefined ? (listener as ListenEvents).ask(ask) : running.call.events.ask(ask)
    const exchange = running?.call.caller.exchange ?? this.exchange
    const asking = running?.asking ?? this.unowned
    if (asking.size >= openMax) return refuse()
    let isDone = false
    const fiber = this.settings.runtime.run(
      Effect.ensuring(
        Effect.flatMap(asked, (answer) => Effect.ignore(this.wire.send(encodeAnswer(id, answer), exchange))),
        Effect.sync(() => {
          isDone = true
          asking.delete(id)
        }),
      ),
    )
    if (!isDone) asking.set(id, fiber)
  }

  /** Until there is a request it may belong to, or somebody listens: the roots of a client for as long as it takes. */
  private keepForLater(question: JsonRpc.RpcRequest, refuse: () => void): void {
    const isOfAnyTime = question.method === "roots/list"
    if ((!isOfAnyTime && !this.settings.isPaired) || this.early.length >= earlyMax) return refuse()
    const disarm = isOfAnyTime
      ? () => {}
      : this.settings.runtime.clock.after(earlyMillis, () => {
          this.early = this.early.filter((one) => one.question !== question)
          refuse()
        })
    this.early = [...this.early, { question, disarm }]
  }

  private askEarly(running: Running | undefined): void {
    const { early } = this
    if (early.length === 0) return
    this.early = []
    for (const { disarm, question } of early) {
      disarm()
      this.asked(question, running)
    }
  }

  /** Lets go of everything here; the server is not told. */
  leave(): void {
    this.isClosed = true
    for (const { disarm } of this.early) disarm()
    this.early = []
    this.lingering?.()
    for (const fiber of this.unowned.values()) fiber.interruptUnsafe()
    this.hearing?.stop()
  }

  readonly close = (): Effect.Effect<void> => {
    this.leave()
    return this.wire.close(this.exchange)
  }
}

const encodeAnswer = (id: Json, answer: Answer): Json =>
  answer._tag === "Result" ? JsonRpc.encodeResult(id, answer.result) : JsonRpc.encodeError(id, answer.error)

const tell = (listener: ListenEvents, method: string, text: Json | undefined, params: Fields | undefined): void => {
  switch (method) {
    case "notifications/tools/list_changed":
      return listener.changed("tools")
    case "notifications/prompts/list_changed":
      return listener.changed("prompts")
    case "notifications/resources/list_changed":
      return listener.changed("resources")
    case "notifications/resources/updated":
      return params === undefined ? undefined : listener.updated(params)
    case "notifications/tasks/status":
      return params === undefined ? undefined : listener.task(method, params)
    default:
      return listener.notify(method, text)
  }
}
