/** Exchanges, clocks and bodies for tests of single steps: no sockets, no time of their own. */
import * as Effect from "effect/Effect"
import type { BindKey, RouteKey } from "../../ir/Key.ts"
import { any, type Match } from "../../ir/Match.ts"
import type { Route } from "../../ir/Route.ts"
import * as Snapshot from "../../ir/Snapshot.ts"
import { formatAuthority, parseAuthority } from "../../protocols/http/authority.ts"
import { Headers } from "../../protocols/http/headers.ts"
import * as Body from "../../stages/Body.ts"
import type { Bound } from "../../stages/Connection.ts"
import { type Attempt, Exchange, type Reply, Request, type Routed } from "../../stages/Exchange.ts"
import { nobody } from "../../stages/Call.ts"
import { type CompiledListener, type CompiledRoute, type Plan, PlanUse } from "../../stages/Plan.ts"
import type { Socket } from "../../stages/ports/Network.ts"
import type { Clock } from "../../stages/ports/Timer.ts"
import type { Refusal } from "../../stages/Refusal.ts"
import { settle } from "../../stages/5-policy/settle.ts"
import type { Step, Verdict } from "../../stages/5-policy/Step.ts"

/** Time that passes only when it is told to. */
export class FakeClock implements Clock {
  private now: number
  private readonly timers = new Set<{ readonly at: number; readonly callback: () => void }>()
  /** What `random` answers, again and again. */
  draw = 0.5

  constructor(nowMillis = 1000) {
    this.now = nowMillis
  }

  readonly nowMillis = (): number => this.now
  readonly wallMillis = (): number => 1_700_000_000_000 + this.now
  readonly random = (): number => this.draw

  readonly after = (millis: number, callback: () => void): (() => void) => {
    const timer = { at: this.now + millis, callback }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.timers.size
  }

  /** Lets time pass, and calls back whoever waited for it, in order. */
  advance(millis: number): void {
    const until = this.now + millis
    for (;;) {
      const next = [...this.timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.now = next.at
      this.timers.delete(next)
      next.callback()
    }
    this.now = until
  }
}

/** Whatever is asked of it, somebody did what the tested code has no business to do. */
const untouchable = <A extends object>(name: string): A =>
  new Proxy({} as A, {
    get: (_, member) => {
      throw new Error(`${name}.${String(member)} was touched`)
    },
  })

const address = { host: "127.0.0.1", port: 50_000 }

const bound = (secure: boolean): Bound => {
  const socket = untouchable<Socket>("socket")
  return {
    secured: {
      accepted: {
        bind: "bind/test" as BindKey,
        socket,
        peer: address,
        local: { host: "127.0.0.1", port: 8080 },
        rawPeer: address,
        acceptedMillis: 0,
      },
      socket,
      tls: secure ? { serverName: "", alpn: undefined, version: "TLSv1.3", client: undefined } : undefined,
    },
    listener: undefined,
  }
}

const plan = (): Plan => ({
  version: 1,
  snapshot: Snapshot.empty,
  binds: new Map(),
  listeners: new Map(),
  callees: nobody,
  use: new PlanUse(),
})

export const makeRoute = (route: Partial<Route> = {}): CompiledRoute => {
  const ir: Route = {
    key: "test/route" as RouteKey,
    parent: { _tag: "Listener", listener: "listener/test" as never },
    name: { name: "route", namespace: "test" },
    hostnames: [],
    matches: [any],
    backends: [],
    policies: [],
    ...route,
  }
  return { ir, chain: [ir], serve: () => Effect.die(new Error("the route of a test was served")) }
}

export interface Told {
  readonly method?: string
  /** Absolute; its path and query are taken as they are written. */
  readonly url?: string
  readonly headers?: Readonly<Record<string, string>> | ReadonlyArray<readonly [string, string]>
  readonly body?: string | Uint8Array | Body.Body
  readonly route?: CompiledRoute
  readonly match?: Match
  readonly version?: Request["version"]
  readonly upgrade?: string
  readonly startedMillis?: number
}

const bodyOf = (told: Told["body"]): Body.Body =>
  told === undefined
    ? Body.empty
    : typeof told === "string"
      ? Body.text(told)
      : told instanceof Uint8Array
        ? Body.bytes(told)
        : told

export const makeRequest = (told: Told = {}): Request => {
  const [, scheme = "http", named = "example.com", path = "", query] =
    /^(\w+):\/\/([^/?]*)([^?]*)(?:\?(.*))?$/s.exec(told.url ?? "http://example.com/") ?? []
  const authority = parseAuthority(named)
  if (authority === undefined) throw new Error(`not an authority: ${named}`)
  const flat = Array<string>()
  const fields = Array.isArray(told.headers)
    ? (told.headers as ReadonlyArray<readonly [string, string]>)
    : Object.entries(told.headers ?? {})
  for (const [name, value] of fields) flat.push(name.toLowerCase(), value)
  return new Request(
    told.method ?? "GET",
    scheme,
    formatAuthority(authority),
    authority.host,
    path === "" ? "/" : path,
    query,
    told.version ?? "1.1",
    new Headers(flat),
    bodyOf(told.body),
    told.upgrade,
  )
}

/** An exchange whose route is known; a match of any path unless another is told. */
export const makeExchange = (told: Told = {}): Routed => {
  const request = makeRequest(told)
  const exchange = new Exchange(
    plan(),
    bound(request.scheme === "https"),
    request,
    told.startedMillis ?? 1000,
    undefined,
    undefined,
  )
  const route = told.route ?? makeRoute()
  exchange.route = route
  exchange.trail.route = route
  exchange.match = told.match ?? route.ir.matches[0] ?? any
  exchange.listener = untouchable<CompiledListener>("listener")
  return exchange as Routed
}

export const makeAttempt = (exchange: Routed, number = 0): Attempt => ({
  exchange,
  request: exchange.request.copy(),
  number,
})

export const makeReply = (
  told: {
    readonly status?: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: Told["body"]
    readonly origin?: Reply["origin"]
    readonly tunnel?: Socket
  } = {},
): Reply => ({
  status: told.status ?? 200,
  headers: Headers.from(told.headers ?? {}),
  body: bodyOf(told.body),
  origin: told.origin ?? "upstream",
  ...(told.tunnel === undefined ? {} : { tunnel: told.tunnel }),
})

export const aSocket = (): Socket => untouchable<Socket>("tunnel")

/** A body whose bytes come when the test says so. */
export class ScriptedFlow implements Body.Flow {
  readonly _tag = "Flow"
  readonly length: number | undefined
  isCancelled = false
  /** How often it was opened; a body may be opened once. */
  opened = 0
  /** Whether the sink last asked to hold back. */
  isPaused = false
  private sink: Body.Sink | undefined

  constructor(length?: number) {
    this.length = length
  }

  open(sink: Body.Sink): Body.Source {
    this.opened++
    this.sink = sink
    return {
      resume: () => {
        this.isPaused = false
      },
      cancel: () => {
        this.isCancelled = true
      },
    }
  }

  write(chunk: string | Uint8Array): void {
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk
    this.isPaused = this.sink?.write(bytes) === false
  }

  end(trailers?: Headers): void {
    this.sink?.end(trailers)
  }

  fail(reason: Body.FlowFailure["reason"], message: string = reason): void {
    this.sink?.fail(Body.flowFailure(reason, message))
  }
}

/** Gives its chunks as soon as it is opened, and goes on after a pause when it is resumed. */
class ChunkedFlow implements Body.Flow, Body.Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly chunks: ReadonlyArray<string | Uint8Array>
  private readonly trailers: Headers | undefined
  private next = 0
  private isOver = false
  private sink: Body.Sink | undefined

  constructor(chunks: ReadonlyArray<string | Uint8Array>, length: number | undefined, trailers: Headers | undefined) {
    this.chunks = chunks
    this.length = length
    this.trailers = trailers
  }

  open(sink: Body.Sink): Body.Source {
    this.sink = sink
    queueMicrotask(() => this.give())
    return this
  }

  resume(): void {
    queueMicrotask(() => this.give())
  }

  cancel(): void {
    this.isOver = true
  }

  private give(): void {
    const { sink } = this
    if (sink === undefined) return
    while (!this.isOver && this.next < this.chunks.length) {
      const chunk = this.chunks[this.next++] as string | Uint8Array
      if (!sink.write(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk)) return
    }
    if (this.isOver) return
    this.isOver = true
    sink.end(this.trailers)
  }
}

export const flowOf = (chunks: ReadonlyArray<string | Uint8Array>, length?: number, trailers?: Headers): Body.Flow =>
  new ChunkedFlow(chunks, length, trailers)

/** Everything a body holds. */
export interface Drained {
  readonly text: string
  readonly trailers: Headers | undefined
  readonly failure: Body.FlowFailure | undefined
}

/** Reads a body to its end. */
export const drain = (body: Body.Body): Effect.Effect<Drained> => {
  const decoder = new TextDecoder()
  if (body._tag !== "Flow") {
    const text = body._tag === "Empty" ? "" : decoder.decode(body.bytes)
    return Effect.succeed({ text, trailers: undefined, failure: undefined })
  }
  return Effect.callback((resume) => {
    let text = ""
    body.open({
      write: (chunk) => {
        text += decoder.decode(chunk, { stream: true })
        return true
      },
      end: (trailers) => resume(Effect.succeed({ text, trailers, failure: undefined })),
      fail: (failure) => resume(Effect.succeed({ text, trailers: undefined, failure })),
    })
  })
}

/** What a step says that decides at once. */
export const verdict = <X>(step: Step<X> | undefined, x: X): Verdict | Refusal => {
  if (step === undefined) throw new Error("there is no step")
  const result = Effect.runSync(Effect.result(step.run(x)))
  return result._tag === "Success" ? result.success : result.failure
}

/** The reply of a step that answers at once. */
export const answerOf = <X>(step: Step<X> | undefined, x: X): Reply => {
  const said = verdict(step, x)
  if (said._tag !== "Answer") throw new Error(`not an answer: ${JSON.stringify(said)}`)
  return said.reply
}

/** Settles what was promised over a reply; nothing may have to wait. */
export const settled = (exchange: Exchange, reply: Reply): Reply => {
  if (settle(exchange, reply) !== undefined) throw new Error("an edit had to wait")
  return reply
}
