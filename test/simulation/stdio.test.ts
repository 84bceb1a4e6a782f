/**
 * Servers behind pipes that crash, stall, stutter, answer twice, late or in another order, and callers that leave. SIM_SEED
 * replays one seed, SIM_RUNS says how many there are.
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
import { seeds } from "../../src/sim/explore.ts"
import { type Running, SimulatedProcesses, type Stage } from "../../src/sim/processes.ts"
import * as SeededRandom from "../../src/sim/Random.ts"
import { Scheduler } from "../../src/sim/Scheduler.ts"
import { Timekeeper } from "../../src/sim/timer.ts"
import type { McpRuntime } from "../../stages/6-dispatch/mcp/McpRuntime.ts"
import { makeStdioTarget } from "../../stages/6-dispatch/mcp/target/StdioTarget.ts"
import { callerOf, callOf, said } from "../stages/6-dispatch/mcp/target/calling.ts"

type Json = Record<string, unknown>

/** What a server got and made of it. */
interface Seen {
  readonly calls: Map<string, { readonly id: unknown; answeredMillis: number }>
  readonly cancelled: Set<unknown>
  /** When the process was over; in eternity if it is not. */
  overMillis: number
}

/** One process of a server that is not to be relied on. */
const unreliable =
  (era: "legacy" | "modern" | "dual", processes: Array<Seen>, marks: Set<string>, now: () => number) =>
  (stage: Stage): Running => {
    const { random } = stage
    const seen: Seen = { calls: new Map(), cancelled: new Set(), overMillis: Infinity }
    processes.push(seen)
    const say = (message: Json, afterMillis: number): void =>
      stage.say(JSON.stringify({ jsonrpc: "2.0", ...message }), afterMillis)
    const some = (percent: number, name: string): boolean => {
      if (random.below(100) >= percent) return false
      marks.add(name)
      return true
    }
    if (some(10, "dies at birth")) stage.exit("the process ended with status 1", random.below(200))
    const called = (id: unknown, params: Json): void => {
      const text = String((params["arguments"] as Json)["text"])
      const entry = { id, answeredMillis: Infinity }
      seen.calls.set(text, entry)
      if (some(6, "crashes")) return stage.exit("the process ended by SIGSEGV", random.below(100))
      if (some(6, "stalls")) return undefined
      if (some(10, "talks nonsense")) stage.say("debug: working…")
      const answer = {
        id,
        result: { content: [{ type: "text", text }], ...(era === "legacy" ? {} : { resultType: "complete" }) },
      }
      const millis = random.below(400)
      entry.answeredMillis = now() + millis
      say(answer, millis)
      if (some(8, "answers twice")) say(answer, millis + random.below(50))
      if (some(8, "answers a stranger")) say({ id: 100_000 + random.below(9), result: {} }, random.below(100))
    }
    const line = (text: string): void => {
      const { id, method, params = {} } = JSON.parse(text) as { id?: unknown; method?: string; params?: Json }
      switch (method) {
        case "server/discover":
          if (era === "legacy") {
            // Each of these has been seen of servers that were written before anybody asked that.
            if (some(30, "ends when asked before the handshake")) return stage.exit("the process ended with status 2")
            if (some(30, "wedges when asked before the handshake")) return undefined
            return say({ id, error: { code: -32_601, message: "Method not found" } }, random.below(50))
          }
          return say(
            { id, result: { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: {} } } },
            random.below(200),
          )
        case "initialize":
          if (era === "modern") return say({ id, error: { code: -32_022, message: "Unsupported", data: {} } }, 1)
          return say(
            {
              id,
              result: {
                protocolVersion: "2025-11-25",
                capabilities: { tools: {} },
                serverInfo: { name: "s", version: "1" },
              },
            },
            random.below(200),
          )
        case "tools/call":
          return called(id, params)
        case "notifications/cancelled":
          marks.add(`cancelled, ${era}`)
          seen.cancelled.add(params["requestId"])
          return undefined
        default:
          return id === undefined ? undefined : say({ id, error: { code: -32_601, message: "Method not found" } }, 1)
      }
    }
    return { line, over: () => void (seen.overMillis = now()) }
  }

const describing = (processesMax: number): Extract<Described, { readonly _tag: "Stdio" }> => ({
  _tag: "Stdio",
  name: "local",
  era: "auto",
  deadlines: { idleMillis: 5_000 },
  tools: { include: [], exclude: [], shapes: [] },
  process: { command: "server", args: [], env: {}, inherit: "nothing", shared: false, processesMax, idleMillis: 3_000 },
})

interface Outcome {
  readonly text: string
  readonly left: boolean
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  ended: Exit.Exit<unknown, unknown> | undefined
  ends: number
  /** When its caller gave it up. */
  leftMillis: number
}

const simulate = async (seed: number, marks: Set<string>): Promise<string> => {
  const random = SeededRandom.make(seed, "scenario")
  const scheduler = new Scheduler(SeededRandom.make(seed, "scheduler"), { tasksMax: 200_000, millisMax: 3_600_000 })
  const timekeeper = new Timekeeper(scheduler, SeededRandom.make(seed, "gateway"))
  const era = (["legacy", "modern", "dual"] as const)[random.below(3)] ?? "dual"
  const seen: Array<Seen> = []
  const processesMax = 1 + random.below(4)
  const processes = new SimulatedProcesses(
    (command) => (command === "server" ? unreliable(era, seen, marks, () => scheduler.nowMillis) : undefined),
    scheduler,
    SeededRandom.make(seed, "processes"),
  )
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
  const target = makeStdioTarget(describing(processesMax), runtime, processes, () => {})
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
    scheduler.after(random.below(8_000), () => {
      outcome.fiber = run(
        Effect.onExit(
          target.call(
            callOf(
              "tools/call",
              { name: "echo", arguments: { text: outcome.text } },
              { caller: callerOf({ principal }) },
            ),
          ),
          (exit) =>
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
  const stop = await scheduler.run(() => scheduler.nowMillis > 90_000 && outcomes.every(({ ends }) => ends > 0))
  assert.ok(stop === "done" || stop === "stuck", `seed=${seed}: ${stop}`)
  for (const { ended, ends, left, text } of outcomes) {
    assert.strictEqual(ends, 1, `seed=${seed}: ${text} ended ${ends} times`)
    if (ended !== undefined && Exit.isSuccess(ended)) {
      marks.add("answered")
      assert.strictEqual(said(ended.value as never), text, `seed=${seed}: ${text} got the answer of another call`)
    } else if (ended !== undefined) marks.add(Exit.hasInterrupts(ended) ? "left" : "failed")
    if (!left)
      assert.ok(ended !== undefined && !Exit.hasInterrupts(ended), `seed=${seed}: ${text} was given up by nobody`)
  }
  // A call that began somewhere and was given up was said to be given up there, unless it was answered or all over by then.
  for (const { calls, cancelled, overMillis } of seen) {
    for (const [text, { answeredMillis, id }] of calls) {
      const { leftMillis = Infinity } = outcomes.find((one) => one.text === text) ?? {}
      if (leftMillis < Math.min(answeredMillis, overMillis)) {
        marks.add("given up where it had begun")
        assert.ok(cancelled.has(id), `seed=${seed}: ${text} was not cancelled where it had begun`)
      }
    }
  }
  assert.ok(processes.mostAtOnce <= processesMax + 1, `seed=${seed}: ${processes.mostAtOnce} processes at once`)
  target.close()
  const quiet = scheduler.nowMillis + 30_000
  scheduler.after(30_000, () => {})
  await scheduler.run(() => scheduler.nowMillis >= quiet)
  assert.strictEqual(processes.count(), 0, `seed=${seed}: processes are left behind`)
  return `${scheduler.fingerprint} ${processes.started}`
}

const all = seeds(process.env, 600)

test("every law holds for every seed, and what should happen sometimes does", async () => {
  const marks = new Set<string>()
  for (const seed of all) await simulate(seed, marks)
  if (all.length < 500) return
  for (const mark of [
    "answered",
    "failed",
    "left",
    "crashes",
    "stalls",
    "answers twice",
    "answers a stranger",
    "talks nonsense",
    "dies at birth",
    "ends when asked before the handshake",
    "wedges when asked before the handshake",
    "cancelled, legacy",
    "cancelled, modern",
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
