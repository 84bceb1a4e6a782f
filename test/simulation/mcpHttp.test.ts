/**
 * MCP servers over HTTP, of either generation, that crash, stall, answer late, twice or in another order, forget sessions
 * and change generations, and callers that leave. SIM_SEED replays one seed, SIM_RUNS says how many there are.
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
import { makeHttpTarget } from "../../stages/6-dispatch/mcp/target/makeTarget.ts"
import * as Body from "../../stages/Body.ts"
import type { Exchange, Reply, Request } from "../../stages/Exchange.ts"
import type { Refusal } from "../../stages/Refusal.ts"
import { callerOf, callOf, said } from "../stages/6-dispatch/mcp/target/calling.ts"

type Json = Record<string, unknown>

/** One call as the server saw it. */
interface Begun {
  readonly text: string
  /** Numbers are good within a session only. */
  readonly id: string
  /** When it heard that nobody waits; in eternity if it never did. */
  cancelledMillis: number
  answeredMillis: number
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const refused: Refusal = { _tag: "UpstreamFailed", detail: "refused", unsent: true }
const reset: Refusal = { _tag: "UpstreamFailed", detail: "reset" }

/** A server that is not to be relied on, as the port to it sees it. */
class Unreliable {
  era: "legacy" | "modern"
  readonly begun: Array<Begun> = []
  /** When it died last; what it had begun by then it works on no more. */
  diedMillis = -1
  private isUp = true
  private lastSession = 0
  private readonly sessions = new Set<string>()
  private readonly scheduler: Scheduler
  private readonly random: Random
  private readonly marks: Set<string>

  constructor(era: "legacy" | "modern", scheduler: Scheduler, random: Random, marks: Set<string>) {
    this.era = era
    this.scheduler = scheduler
    this.random = random
    this.marks = marks
  }

  private some(percent: number, name: string): boolean {
    if (this.random.below(100) >= percent) return false
    this.marks.add(name)
    return true
  }

  /** Every connection breaks, and for a while nobody is there. */
  crash(): void {
    this.marks.add("crashes")
    this.isUp = false
    this.diedMillis = this.scheduler.nowMillis
    this.sessions.clear()
    for (const one of Array.from(this.open)) one()
    this.scheduler.after(this.random.below(1_500), () => (this.isUp = true))
  }

  /** What breaks when the server dies. */
  private readonly open = new Set<() => void>()

  readonly send = (request: Request): Effect.Effect<Reply, Refusal> =>
    Effect.suspend(() => {
      if (!this.isUp) return Effect.fail(refused)
      const text = request.body._tag === "Bytes" ? decoder.decode(request.body.bytes) : ""
      const message = text === "" ? {} : (JSON.parse(text) as Json)
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
        let hungUp: (() => void) | undefined
        const entry = this.answer(request, message, {
          reply: (afterMillis, reply) => void this.scheduler.after(afterMillis, () => finish(Effect.succeed(reply))),
          broken: (afterMillis) => void this.scheduler.after(afterMillis, broken),
        })
        if (entry !== undefined)
          hungUp = () => (entry.cancelledMillis = Math.min(entry.cancelledMillis, this.scheduler.nowMillis))
        return Effect.sync(() => {
          if (isOver) return
          isOver = true
          this.open.delete(broken)
          // Hanging up is giving up only where there are no sessions.
          if (this.era === "modern") hungUp?.()
        })
      })
    })

  private answer(
    request: Request,
    { id, method, params = {} }: Json & { readonly params?: Json },
    { broken, reply }: { reply: (afterMillis: number, reply: Reply) => void; broken: (afterMillis: number) => void },
  ): Begun | undefined {
    const { random } = this
    const latency = random.below(300)
    const json = (status: number, body: unknown, more: ReadonlyArray<string> = []): void =>
      reply(latency, replyOf(status, "application/json", JSON.stringify(body), more))
    const result = (value: unknown, more?: ReadonlyArray<string>): void =>
      json(200, { jsonrpc: "2.0", id, result: value }, more)
    const error = (status: number, code: number, named: unknown = id): void =>
      json(status, { jsonrpc: "2.0", id: named, error: { code, message: "no" } })
    const isModern = request.headers.get("mcp-protocol-version") === "2026-07-28"
    if (request.method === "GET") {
      json(405, {})
      return undefined
    }
    if (request.method === "DELETE") {
      json(200, {})
      return undefined
    }
    if (this.era === "modern" && !isModern) {
      error(400, -32_022)
      return undefined
    }
    if (this.era === "legacy" && isModern) {
      error(400, -32_000, null)
      return undefined
    }
    if (id !== undefined && this.some(4, "is busy")) {
      reply(latency, replyOf(503, "text/plain", "later", ["retry-after", "1"]))
      return undefined
    }
    if (method === "server/discover") {
      result({ resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: {} } })
      return undefined
    }
    if (method === "initialize") {
      const introduction = {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "s", version: "1" },
      }
      const name = `s${++this.lastSession}`
      this.sessions.add(name)
      result(introduction, ["mcp-session-id", name])
      return undefined
    }
    const session = request.headers.get("mcp-session-id") ?? "none"
    if (this.era === "legacy" && !this.sessions.has(session)) {
      this.marks.add("has forgotten the session")
      error(404, -32_001, null)
      return undefined
    }
    if (id === undefined) {
      if (method === "notifications/cancelled") {
        const entry = this.begun.find((one) => one.id === `${session} ${String(params["requestId"])}`)
        this.marks.add("is told that nobody waits")
        if (entry !== undefined) entry.cancelledMillis = this.scheduler.nowMillis
      }
      reply(latency, replyOf(202, "text/plain", ""))
      return undefined
    }
    if (method !== "tools/call") {
      error(200, -32_601)
      return undefined
    }
    const text = String((params["arguments"] as Json)["text"])
    const entry: Begun = { text, id: `${session} ${String(id)}`, cancelledMillis: Infinity, answeredMillis: Infinity }
    this.begun.push(entry)
    if (this.some(6, "stalls")) return entry
    if (this.some(6, "breaks off")) {
      entry.answeredMillis = this.scheduler.nowMillis + latency
      broken(latency)
      return entry
    }
    const late = this.some(6, "answers late") ? 4_000 : random.below(500)
    entry.answeredMillis = this.scheduler.nowMillis + late
    const whole = { jsonrpc: "2.0", id, result: { resultType: "complete", content: [{ type: "text", text }] } }
    if (this.some(40, "streams")) {
      const stranger = { jsonrpc: "2.0", id: 100_000 + random.below(9), result: { content: [] } }
      const events: Array<Json> = [whole]
      if (this.some(20, "answers a stranger first")) events.unshift(stranger)
      if (this.some(20, "answers twice")) events.push(whole)
      const noise = this.some(20, "talks nonsense") ? "data: {nonsense\n\n" : ""
      const content = noise + events.map((one) => encodeSse({ event: "message", data: JSON.stringify(one) })).join("")
      reply(late, replyOf(200, "text/event-stream", content))
    } else reply(late, replyOf(200, "application/json", JSON.stringify(whole)))
    return entry
  }
}

const replyOf = (status: number, type: string, text: string, more: ReadonlyArray<string> = []): Reply => ({
  status,
  headers: new Headers(["content-type", type, ...more]),
  body: text === "" ? Body.empty : Body.bytes(encoder.encode(text)),
  origin: "upstream",
})

const backend = { _tag: "Backend", backend: BackendKey.make("/server") } as const

const describing = (): Extract<Described, { readonly _tag: "Http" }> => ({
  _tag: "Http",
  name: "remote",
  era: "auto",
  deadlines: { idleMillis: 2_000, callMillis: 8_000 },
  tools: { include: [], exclude: [], shapes: [] },
  callee: { backend, policies: [] },
  path: "/mcp",
})

interface Outcome {
  readonly text: string
  readonly left: boolean
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  ended: Exit.Exit<unknown, unknown> | undefined
  ends: number
  leftMillis: number
}

const simulate = async (seed: number, marks: Set<string>): Promise<string> => {
  const random = SeededRandom.make(seed, "scenario")
  const scheduler = new Scheduler(SeededRandom.make(seed, "scheduler"), { tasksMax: 200_000, millisMax: 3_600_000 })
  const timekeeper = new Timekeeper(scheduler, SeededRandom.make(seed, "gateway"))
  const era = random.below(2) === 0 ? "legacy" : "modern"
  const server = new Unreliable(era, scheduler, SeededRandom.make(seed, "server"), marks)
  const exchange = {
    plan: { callees: { to: () => (_exchange: unknown, request: Request) => server.send(request) } },
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
  }
  const described = describing()
  const member = new Member(described, runtime, (changed) => makeHttpTarget(described, runtime, changed))
  if (random.below(3) === 0) scheduler.after(random.below(8_000), () => server.crash())
  if (random.below(4) === 0) {
    scheduler.after(random.below(8_000), () => {
      marks.add("changes its generation")
      server.era = server.era === "legacy" ? "modern" : "legacy"
    })
  }
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
        { name: "echo", arguments: { text: outcome.text } },
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
      if (typeof told === "string") {
        marks.add("answered")
        assert.strictEqual(told, text, `seed=${seed}: ${text} got the answer of another call`)
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
    const isWorking = leftMillis < answeredMillis && server.diedMillis < 0 && server.era === era
    if (!isWorking || leftMillis === Infinity) continue
    marks.add("given up where it had begun")
    assert.ok(cancelledMillis < Infinity, `seed=${seed}: ${text} was not cancelled where it had begun`)
  }
  member.close()
  return scheduler.fingerprint
}

const all = seeds(process.env, 2_000)

test("every law holds for every seed, and what should happen sometimes does", async () => {
  const marks = new Set<string>()
  for (const seed of all) await simulate(seed, marks)
  if (all.length < 1_000) return
  for (const mark of [
    "answered",
    "failed",
    "left",
    "crashes",
    "stalls",
    "breaks off",
    "answers late",
    "answers twice",
    "answers a stranger first",
    "talks nonsense",
    "is busy",
    "streams",
    "changes its generation",
    "has forgotten the session",
    "is told that nobody waits",
    "given up where it had begun",
  ]) {
    assert.ok(marks.has(mark), `never: ${mark}`)
  }
})

test("the same seed gives the same run", async () => {
  for (const seed of all.slice(0, 20)) {
    assert.strictEqual(await simulate(seed, new Set()), await simulate(seed, new Set()))
  }
})
