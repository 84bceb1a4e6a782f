import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import type { McpTarget as Described } from "../../../ir/backend/Mcp.ts"
import { clock } from "../../../src/node/timer.ts"
import { make as makeProcesses } from "../../../src/node/processes.ts"
import type { McpTarget } from "../../../stages/6-dispatch/mcp/target/McpTarget.ts"
import { makeStdioTarget } from "../../../stages/6-dispatch/mcp/target/StdioTarget.ts"
import { callerOf, callOf, runtimeOf, said } from "../../stages/6-dispatch/mcp/target/calling.ts"

const processes = makeProcesses()

type Stdio = Extract<Described, { readonly _tag: "Stdio" }>

const describing = (args: ReadonlyArray<string>, more: Partial<Stdio> = {}): Stdio => ({
  _tag: "Stdio",
  name: "local",
  era: "auto",
  deadlines: {},
  tools: { include: [], exclude: [], shapes: [] },
  process: {
    command: process.execPath,
    args,
    env: {},
    inherit: "basics",
    shared: false,
    processesMax: 4,
    idleMillis: 60_000,
  },
  ...more,
})

const fixture = (...args: ReadonlyArray<string>) => ["test/conformance/mcp/serve.ts", "--transport", "stdio", ...args]

const open: Array<McpTarget> = []
const make = (described: Stdio): McpTarget => {
  const target = makeStdioTarget(described, runtimeOf(clock), processes, () => {})
  open.push(target)
  return target
}
const closeAll = (): Promise<void> => {
  for (const target of open.splice(0)) target.close()
  return Effect.runPromise(processes.stopAll)
}

const run = Effect.runPromise

it("says why its process ended, quoted, when nobody asked it to", async () => {
  const said: Array<unknown> = []
  const layer = Logger.layer([Logger.make(({ message }) => void said.push(message))])
  const program = `console.error("no license\\n2026 INFO all is well"); process.exit(3)`
  const target = makeStdioTarget(
    describing(["-e", program], { era: "modern" }),
    { ...runtimeOf(clock), run: (effect) => Effect.runFork(Effect.provide(effect, layer)) },
    processes,
    () => {},
  )
  await run(Effect.flip(target.call(callOf("tools/call", { name: "x" }))))
  await expect
    .poll(() => said.flat().map(String).join("\n"))
    .toBe('MCP target local: the process ended with status 3; it wrote "no license\\n2026 INFO all is well"')
  target.close()
})

// Most of the time is spent on starting programs, which can be done side by side.
describe.concurrent("a server behind pipes", { timeout: 30_000 }, () => {
  afterAll(closeAll)
  it.each([
    ["of the modern era", ["--era", "modern"], "modern"],
    ["of the legacy era, which falls silent when asked before the handshake", ["--era", "legacy"], "legacy"],
    ["of both eras", ["--era", "dual"], "modern"],
  ])("%s is found out and called", async (_name, args, era) => {
    const target = make(describing(fixture(...args)))
    const discovery = await run(target.discover(callerOf()))
    expect(discovery.era).toBe(era)
    expect(JSON.parse(discovery.serverInfo ?? "{}")).toMatchObject({ name: "everything-fixture" })
    const outcome = await run(target.call(callOf("tools/call", { name: "test_simple_text" })))
    expect(said(outcome)).toBe("This is a simple text response for testing.")
    expect(outcome.era).toBe(era)
  })

  it.each(["legacy", "modern"] as const)("pinned to %s is not asked what it speaks", async (era) => {
    const target = make(describing(fixture("--era", era), { era }))
    const progress: Array<unknown> = []
    const outcome = await run(
      target.call(
        callOf(
          "tools/call",
          { name: "test_tool_with_progress" },
          { wantsProgress: true, events: { progress: (params) => void progress.push(params.get("progress")) } },
        ),
      ),
    )
    expect(said(outcome)).toBe("Done in three steps")
    expect(progress).toEqual(["0", "50", "100"])
  })

  it("asks its client through the call", async () => {
    const target = make(describing(fixture("--era", "legacy"), { era: "legacy" }))
    const asked: Array<string> = []
    const outcome = await run(
      target.call(
        callOf(
          "tools/call",
          { name: "test_elicitation", arguments: { message: "Who?" } },
          {
            caller: callerOf({ capabilities: '{"elicitation":{}}' }),
            events: {
              ask: ({ method }) => {
                asked.push(method)
                return Effect.succeed({ _tag: "Result", result: '{"action":"decline"}' })
              },
            },
          },
        ),
      ),
    )
    expect(asked).toEqual(["elicitation/create"])
    expect(said(outcome)).toContain("action=decline")
  })

  const crashing = `
    let rest = ""
    process.stdin.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\\n")
      rest = lines.pop()
      for (const line of lines) {
        const { id, method } = JSON.parse(line)
        if (method === "initialize") {
          const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "crasher", version: "1" } }
          console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
        }
        if (method === "tools/call") process.exit(7)
        if (method === "ping") console.log(JSON.stringify({ jsonrpc: "2.0", id, result: {} }))
      }
    })`

  it(
    "that crashes fails the calls that were under way, and is started again for the next",
    { timeout: 20_000 },
    async () => {
      const target = make(describing(["-e", crashing], { era: "legacy" }))
      await run(target.call(callOf("ping", undefined)))
      const failure = await run(Effect.flip(target.call(callOf("tools/call", { name: "any" }))))
      expect(failure).toMatchObject({ _tag: "Unreachable", message: "the process ended with status 7", began: true })
      let again: unknown
      for (let i = 0; i < 40 && again === undefined; i++) {
        again = await run(
          Effect.catch(target.call(callOf("ping", undefined)), () => Effect.as(Effect.sleep(100), undefined)),
        )
      }
      expect(again).toMatchObject({ _tag: "Result", result: "{}" })
    },
  )

  it("that is no program is not taken for an old server", async () => {
    const target = make({
      ...describing([]),
      process: { ...describing([]).process, command: "/no/such/server" },
    })
    expect(await run(Effect.flip(target.discover(callerOf())))).toMatchObject({
      _tag: "Unreachable",
      began: false,
      message: "the command, or the folder it is to run in, does not exist",
    })
  })

  it("is told of a call that is given up", async () => {
    const slow = `
      let rest = ""
      process.stdin.setEncoding("utf8").on("data", (text) => {
        const lines = (rest + text).split("\\n")
        rest = lines.pop()
        for (const line of lines) {
          const { id, method, params } = JSON.parse(line)
          const say = (result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
          if (method === "initialize") say({ protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "s", version: "1" } })
          if (method === "notifications/cancelled") cancelled = params.requestId
          if (method === "ping") say({ cancelled })
        }
      })
      let cancelled`
    const target = make(describing(["-e", slow], { era: "legacy" }))
    await run(target.call(callOf("ping", undefined)))
    const fiber = Effect.runFork(target.call(callOf("tools/call", { name: "slow" })))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await run(Fiber.interrupt(fiber))
    const outcome = await run(target.call(callOf("ping", undefined)))
    expect(said(outcome)).toEqual({ cancelled: 3 })
  })
})

describe("the processes of a target", { timeout: 30_000 }, () => {
  afterEach(closeAll)

  it("are one for each caller, unless they may be shared", async () => {
    const before = processes.count()
    const target = make(describing(fixture("--era", "legacy"), { era: "legacy" }))
    const ping = (principal: string) => target.call(callOf("ping", undefined, { caller: callerOf({ principal }) }))
    await run(Effect.all([ping("a"), ping("b"), ping("a")], { concurrency: "unbounded" }))
    expect(processes.count() - before).toBe(2)
    await closeAll()
    const described = describing(fixture("--era", "legacy"), { era: "legacy" })
    const shared = make({ ...described, process: { ...described.process, shared: true } })
    const between = processes.count()
    const pingShared = (principal: string) =>
      shared.call(callOf("ping", undefined, { caller: callerOf({ principal }) }))
    await run(Effect.all([pingShared("a"), pingShared("b")], { concurrency: "unbounded" }))
    expect(processes.count() - between).toBe(1)
  })

  it("are stopped when nobody has called them for a while", async () => {
    const before = processes.count()
    const described = describing(fixture("--era", "modern"), { era: "modern" })
    const target = make({ ...described, process: { ...described.process, idleMillis: 100 } })
    await run(target.discover(callerOf()))
    expect(processes.count() - before).toBe(1)
    for (let i = 0; i < 100 && processes.count() > before; i++) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(processes.count()).toBe(before)
    expect((await run(target.discover(callerOf()))).era).toBe("modern")
  })
})
