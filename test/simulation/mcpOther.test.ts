/**
 * MCP targets that are no servers of Streamable HTTP: those with the two endpoints of the first revision, and APIs that a
 * document describes. They crash, stall, answer late, twice or in another order, and callers leave. SIM_SEED replays one
 * seed, SIM_RUNS says how many there are.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as EffectScheduler from "effect/Scheduler"
import { assert, test } from "vitest"
import type { McpTarget as Described } from "../../ir/backend/Mcp.ts"
import { BackendKey } from "../../ir/Key.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { encodeSse } from "../../protocols/http/sse.ts"
import { seeds } from "../../src/sim/explore.ts"
import type { Random } from "../../src/sim/Random.ts"
import * as SeededRandom from "../../src/sim/Random.ts"
import { Scheduler } from "../../src/sim/Scheduler.ts"
import { Timekeeper } from "../../src/sim/timer.ts"
import { Member } from "../../stages/6-dispatch/mcp/federation/Member.ts"
import type { McpRuntime } from "../../stages/6-dispatch/mcp/McpRuntime.ts"
import { makeMcpTarget } from "../../stages/6-dispatch/mcp/target/makeTarget.ts"
import * as Body from "../../stages/Body.ts"
import type { Exchange, Reply, Request } from "../../stages/Exchange.ts"
import type { Refusal } from "../../stages/Refusal.ts"
import { callerOf, callOf, said } from "../stages/6-dispatch/mcp/target/calling.ts"

type Json = Record<string, unknown>

interface Begun {
  readonly text: string
  readonly id: string
  /** When it heard that nobody waits; in eternity if it never did. */
  cancelledMillis: number
  answeredMillis: number
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()
const refused: Refusal = { _tag: "UpstreamFailed", detail: "refused", unsent: true }
const reset: Refusal = { _tag: "UpstreamFailed", detail: "reset" }

const replyOf = (status: number, type: string, body: Body.Body): Reply => ({
  status,
  headers: new Headers(["content-type", type]),
  body,
  origin: "upstream",
})

/** What is behind the port to a target; dies and comes back. */
abstract class Unreliable {
  readonly begun: Array<Begun> = []
  diedMillis = -1
  protected isUp = true
  protected readonly scheduler: Scheduler
  protected readonly random: Random
  private readonly marks: Set<string>
  /** What breaks when it dies. */
  protected readonly open = new Set<() => void>()

  constructor(scheduler: Scheduler, random: Random, marks: Set<string>) {
    this.scheduler = scheduler
    this.random = random
    this.marks = marks
  }

  protected mark(name: string): void {
    this.marks.add(`${this.constructor.name} ${name}`)
  }

  protected some(percent: number, name: string): boolean {
    if (this.random.below(100) >= percent) return false
    this.mark(name)
    return true
  }

  crash(): void {
    this.mark("crashes")
    this.isUp = false
    this.diedMillis = this.scheduler.nowMillis
    for (const one of Array.from(this.open)) one()
    this.scheduler.after(this.random.below(1_500), () => (this.isUp = true))
  }

  readonly send = (request: Request): Effect.Effect<Reply, Refusal> =>
    Effect.suspend(() => {
      if (!this.isUp) return Effect.fail(refused)
      return Effect.callback<Reply, Refusal>((resume) => {
        let isOver = false
        const finish = (effect: Effect.Effect<Reply, Refusal>): void => {
          if (isOver) return
          isOver = true
          this.open.delete(broken)
          resume(effect)
        }
        const broken = (): void => finish(Effect.fail(reset))
        this.open.add(broken)
        const hungUp = this.answer(request, (afterMillis, reply) => {
          this.scheduler.after(afterMillis, () => (reply === undefined ? broken() : finish(Effect.succeed(reply))))
        })
        return Effect.sync(() => {
          if (isOver) return
          isOver = true
          this.open.delete(broken)
          hungUp?.()
        })
      })
    })

  /** Gives what is to be done when nobody waits for the reply any more; a reply that is undefined is a broken connection. */
  protected abstract answer(
    request: Request,
    reply: (afterMillis: number, reply: Reply | undefined) => void,
  ): (() => void) | undefined
}

/** What a request carries as its body. */
const textOf = ({ body }: Request): string => (body._tag === "Bytes" ? decoder.decode(body.bytes) : "")

class Api extends Unreliable {
  protected answer(request: Request, reply: (afterMillis: number, reply: Reply | undefined) => void): () => void {
    const { text } = JSON.parse(textOf(request)) as { readonly text: string }
    const entry: Begun = { text, id: text, cancelledMillis: Infinity, answeredMillis: Infinity }
    this.begun.push(entry)
    const hungUp = (): void => {
      entry.cancelledMillis = this.scheduler.nowMillis
    }
    if (this.some(6, "stalls")) return hungUp
    const late = this.some(6, "answers late") ? 4_000 : this.random.below(500)
    entry.answeredMillis = this.scheduler.nowMillis + late
    if (this.some(6, "breaks off")) reply(late, undefined)
    else if (this.some(6, "refuses")) reply(late, replyOf(503, "text/plain", Body.text("no")))
    else reply(late, replyOf(200, "application/json", Body.text(JSON.stringify({ text }))))
    return hungUp
  }
}

/** A stream for each client, by which everything is answered, late or twice or in another order. */
class TwoEndpoints extends Unreliable {
  private readonly streams = new Map<string, (data: string, event?: string) => void>()
  private lastStream = 0

  protected answer(request: Request, reply: (afterMillis: number, reply: Reply | undefined) => void): undefined {
    const latency = this.random.below(100)
    if (request.method === "GET") {
      reply(latency, replyOf(200, "text/event-stream", this.stream()))
      return
    }
    const name = /stream=(\w+)/.exec(request.query ?? "")?.[1] ?? ""
    const stream = this.streams.get(name)
    if (stream === undefined)
      return reply(latency, replyOf(404, "text/plain", Body.text("no such stream"))) as undefined
    const { id, method, params = {} } = JSON.parse(textOf(request)) as Json & { readonly params?: Json }
    const say = (afterMillis: number, message: Json): void =>
      void this.scheduler.after(afterMillis, () =>
        this.streams.get(name)?.(JSON.stringify({ jsonrpc: "2.0", ...message })),
      )
    if (id !== undefined && this.some(3, "refuses a message")) {
      reply(latency, replyOf(503, "text/plain", Body.text("later")))
      return
    }
    reply(latency, replyOf(202, "text/plain", Body.empty))
    if (method === "initialize") {
      const serverInfo = { name: "s", version: "1" }
      say(latency, { id, result: { protocolVersion: "2024-11-05", capabilities: { tools: {} }, serverInfo } })
    } else if (method === "notifications/cancelled") {
      this.mark("is told that nobody waits")
      const entry = this.begun.find((one) => one.id === `${name} ${String(params["requestId"])}`)
      if (entry !== undefined) entry.cancelledMillis = this.scheduler.nowMillis
    } else if (method === "tools/call") this.work(name, id, params, say)
    else if (id !== undefined) say(latency, { id, error: { code: -32_601, message: "no" } })
  }

  private work(name: string, id: unknown, params: Json, say: (afterMillis: number, message: Json) => void): void {
    const text = String((params["arguments"] as Json)["text"])
    const entry: Begun = { text, id: `${name} ${String(id)}`, cancelledMillis: Infinity, answeredMillis: Infinity }
    this.begun.push(entry)
    if (this.some(6, "stalls")) return
    const late = this.some(6, "answers late") ? 4_000 : this.random.below(500)
    entry.answeredMillis = this.scheduler.nowMillis + late
    const answer = { id, result: { content: [{ type: "text", text }] } }
    if (this.some(10, "answers a stranger first"))
      say(late, { id: 100_000 + this.random.below(9), result: { content: [] } })
    say(late, answer)
    if (this.some(10, "answers twice")) say(late + this.random.below(100), answer)
  }

  private stream(): Body.Body {
    const name = `s${++this.lastStream}`
    return {
      _tag: "Flow",
      length: undefined,
      open: (sink) => {
        const close = (): void => {
          this.streams.delete(name)
          this.open.delete(broken)
        }
        const broken = (): void => {
          close()
          sink.fail(Body.flowFailure("gone", "reset"))
        }
        this.open.add(broken)
        const write = (data: string, event = "message"): void =>
          void sink.write(encoder.encode(encodeSse({ event, data })))
        this.streams.set(name, write)
        this.scheduler.after(0, () => this.streams.get(name)?.(`/messages?stream=${name}`, "endpoint"))
        return { resume: () => {}, cancel: close }
      },
    }
  }
}

const backend = { _tag: "Backend", backend: BackendKey.make("/server") } as const
const common = {
  name: "remote",
  deadlines: { idleMillis: 2_000, callMillis: 8_000 },
  tools: { include: [], exclude: [], shapes: [] },
  callee: { backend, policies: [] },
} as const
const everything = { tags: [], operations: [] }
const document = {
  openapi: "3.1.0",
  paths: {
    "/echo": {
      post: {
        operationId: "echo",
        requestBody: { content: { "application/json": { schema: { type: "object" } } } },
        responses: {},
      },
    },
  },
}

const kinds: Readonly<
  Record<
    string,
    {
      readonly described: Described
      readonly make: (...parts: ConstructorParameters<typeof Api>) => Unreliable
      readonly args: (text: string) => Json
    }
  >
> = {
  "the two endpoints of the first revision": {
    described: { _tag: "Sse", ...common, path: "/sse" },
    make: (...parts) => new TwoEndpoints(...parts),
    args: (text) => ({ text }),
  },
  "an API that a document describes": {
    described: {
      _tag: "OpenApi",
      ...common,
      document: { _tag: "Inline", text: JSON.stringify(document) },
      include: everything,
      exclude: everything,
      outputSchema: false,
    },
    make: (...parts) => new Api(...parts),
    args: (text) => ({ body: { text } }),
  },
}

interface Outcome {
  readonly text: string
  readonly left: boolean
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  ended: Exit.Exit<unknown, unknown> | undefined
  ends: number
  leftMillis: number
}

const simulate = async (kind: string, seed: number, marks: Set<string>): Promise<string> => {
  const { args, described, make } = kinds[kind] as (typeof kinds)[string]
  const random = SeededRandom.make(seed, "scenario")
  const scheduler = new Scheduler(SeededRandom.make(seed, "scheduler"), { tasksMax: 200_000, millisMax: 3_600_000 })
  const timekeeper = new Timekeeper(scheduler, SeededRandom.make(seed, "gateway"))
  const server = make(scheduler, SeededRandom.make(seed, "server"), marks)
  const exchange = {
    plan: {
      callees: { to: () => (_exchange: unknown, request: Request) => server.send(request) },
      snapshot: { backends: new Map(), services: new Map() },
    },
    request: { headers: new Headers([]) },
    trail: {},
  } as unknown as Exchange
  const context = Context.empty().pipe(
    Context.add(EffectScheduler.Scheduler, scheduler),
    Context.add(Clock.Clock, timekeeper.effectClock),
    Context.add(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>()),
  )
  const run = Effect.runForkWith(context)
  const runtime: McpRuntime = {
    clock: timekeeper.clock,
    run: (effect) => run(effect),
    sealer: { mark: "", seal: (text) => text, open: (text) => text, secret: () => "secret", digest: (text) => text },
    worker: "this",
    version: "0",
    documents: { fetch: () => Effect.never } as unknown as NonNullable<McpRuntime["documents"]>,
  }
  const member = new Member(described, runtime, (changed) => makeMcpTarget(described, runtime, changed))
  if (random.below(3) === 0) scheduler.after(random.below(8_000), () => server.crash())
  const outcomes: Array<Outcome> = []
  for (let i = 0; i < 12; i++) {
    const outcome: Outcome = {
      text: `call ${i}`,
      left: random.below(4) === 0,
      fiber: undefined,
      ended: undefined,
      ends: 0,
      leftMillis: Infinity,
    }
    outcomes.push(outcome)
    const principal = `principal ${random.below(3)}`
    const session = random.below(2) === 0 ? undefined : principal
    scheduler.after(random.below(8_000), () => {
      const call = callOf(
        "tools/call",
        { name: "echo", arguments: args(outcome.text) },
        { caller: callerOf({ principal, session, exchange }) },
      )
      outcome.fiber = run(
        Effect.onExit(member.call(call), (exit) =>
          Effect.sync(() => {
            outcome.ended = exit
            outcome.ends++
            if (Exit.hasInterrupts(exit)) outcome.leftMillis = scheduler.nowMillis
          }),
        ),
      )
      if (outcome.left) scheduler.after(random.below(600), () => outcome.fiber?.interruptUnsafe())
    })
  }
  const stop = await scheduler.run(() => scheduler.nowMillis > 60_000 && outcomes.every(({ ends }) => ends > 0))
  assert.ok(stop === "done" || stop === "stuck", `seed=${seed}: ${stop}`)
  for (const { ended, ends, left, text } of outcomes) {
    assert.strictEqual(ends, 1, `seed=${seed}: ${text} ended ${ends} times`)
    if (ended !== undefined && Exit.isSuccess(ended)) {
      const told = said(ended.value as never)
      // An API says in words what it refuses, and so does a server that is an error of the protocol.
      if (typeof told === "string" && !told.startsWith("HTTP ")) {
        marks.add("answered")
        assert.ok(told === text || told === JSON.stringify({ text }), `seed=${seed}: ${text} got ${told}`)
      }
    } else if (ended !== undefined) marks.add(Exit.hasInterrupts(ended) ? "left" : "failed")
    if (!left)
      assert.ok(ended !== undefined && !Exit.hasInterrupts(ended), `seed=${seed}: ${text} was given up by nobody`)
    // What may have been done once is not done again.
    const begun = server.begun.filter((one) => one.text === text)
    assert.ok(begun.length <= 1, `seed=${seed}: ${text} was begun ${begun.length} times`)
  }
  for (const { answeredMillis, cancelledMillis, text } of server.begun) {
    const { leftMillis = Infinity } = outcomes.find((one) => one.text === text) ?? {}
    if (leftMillis === Infinity || leftMillis >= answeredMillis || server.diedMillis >= 0) continue
    marks.add("given up where it had begun")
    assert.ok(cancelledMillis < Infinity, `seed=${seed}: ${text} was not cancelled where it had begun`)
  }
  member.close()
  return scheduler.fingerprint
}

const all = seeds(process.env, 1_000)
const always = ["answered", "failed", "left", "given up where it had begun"]
const happens: Readonly<Record<string, ReadonlyArray<string>>> = {
  "the two endpoints of the first revision": [
    "TwoEndpoints crashes",
    "TwoEndpoints stalls",
    "TwoEndpoints answers late",
    "TwoEndpoints answers twice",
    "TwoEndpoints answers a stranger first",
    "TwoEndpoints refuses a message",
    "TwoEndpoints is told that nobody waits",
  ],
  "an API that a document describes": [
    "Api crashes",
    "Api stalls",
    "Api answers late",
    "Api breaks off",
    "Api refuses",
  ],
}

test.each(Object.keys(kinds))(
  "%s: every law holds for every seed, and what should happen sometimes does",
  async (kind) => {
    const marks = new Set<string>()
    for (const seed of all) await simulate(kind, seed, marks)
    if (all.length < 1_000) return
    for (const mark of [...always, ...(happens[kind] ?? [])]) assert.ok(marks.has(mark), `never: ${mark}`)
  },
)

test.each(Object.keys(kinds))("%s: the same seed gives the same run", async (kind) => {
  for (const seed of all.slice(0, 20)) {
    assert.strictEqual(await simulate(kind, seed, new Set()), await simulate(kind, seed, new Set()))
  }
})
