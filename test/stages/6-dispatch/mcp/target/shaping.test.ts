import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { ToolShape, ToolShaping } from "../../../../../ir/backend/Mcp.ts"
import type { Expression as Source } from "../../../../../ir/Expression.ts"
import { natives } from "../../../../../src/node/natives.ts"
import { Expressions } from "../../../../../stages/5-policy/expression/Expressions.ts"
import type { McpTarget } from "../../../../../stages/6-dispatch/mcp/target/McpTarget.ts"
import { shaped } from "../../../../../stages/6-dispatch/mcp/target/ShapedTarget.ts"
import { FakeClock, makeExchange } from "../../../exchange.ts"
import { callerOf, callOf, said } from "./calling.ts"

const schema = (properties: object, required: ReadonlyArray<string> = []) => ({
  type: "object",
  properties,
  ...(required.length === 0 ? {} : { required }),
})

const tools = [
  {
    name: "create",
    description: "Creates.",
    inputSchema: schema({ owner: {}, title: {} }, ["owner", "title"]),
    "x-own": 1.0,
  },
  { name: "delete", inputSchema: schema({}) },
  { name: "list", inputSchema: schema({ query: schema({ limit: { type: "integer" }, q: {} }, ["limit"]) }, ["query"]) },
]

/** Lists those tools, and answers a call with what it was called with. */
const echo: McpTarget = {
  name: "echo",
  discover: () => Effect.die("nobody asked"),
  call: ({ method, params }) =>
    Effect.succeed({
      _tag: "Result",
      era: "modern",
      result:
        method === "tools/list"
          ? JSON.stringify({ tools, ttlMs: 5, nextCursor: "c" })
          : `{"content":[{"type":"text","text":${JSON.stringify(params?.toJson() ?? "")}}]}`,
    }),
  notify: () => Effect.void,
  listen: () => Effect.never,
  held: () => undefined,
  restore: () => {},
  release: () => Effect.void,
  close: () => {},
}

const clock = new FakeClock()
const expressions = new Expressions({ clock, natives: natives(clock) })

const make = (shaping: Partial<ToolShaping>) =>
  shaped(echo, { include: [], exclude: [], shapes: [], ...shaping }, expressions)

const shape = (tool: string, more: Partial<ToolShape> = {}): ToolShape => ({
  tool,
  hidden: false,
  arguments: [],
  ...more,
})

const list = async (target: McpTarget): Promise<Array<Record<string, unknown>>> => {
  const outcome = await Effect.runPromise(target.call(callOf("tools/list", undefined)))
  return outcome._tag === "Result"
    ? (JSON.parse(outcome.result) as { tools: Array<Record<string, unknown>> }).tools
    : []
}
const names = async (target: McpTarget) => (await list(target)).map(({ name }) => name)
const call = async (target: McpTarget, name: string, args?: object, headers: Record<string, string> = {}) => {
  const caller = callerOf({ exchange: makeExchange({ headers }) })
  const params = { name, ...(args === undefined ? {} : { arguments: args }) }
  const answer = said(await Effect.runPromise(target.call(callOf("tools/call", params, { caller }))))
  return typeof answer === "string" && answer.startsWith("{") ? (JSON.parse(answer) as unknown) : answer
}

const unknown = (name: string) => ({ code: -32_602, message: `Unknown tool: ${name}` })

describe("tools of a target", () => {
  it("are chosen by name, and one that is left out cannot be called either", async () => {
    const target = make({ include: ["*e*"], exclude: ["delete"], shapes: [shape("list", { hidden: true })] })
    expect(await names(target)).toEqual(["create"])
    expect(await call(target, "delete")).toEqual(unknown("delete"))
    expect(await call(target, "list")).toEqual(unknown("list"))
    expect(await call(target, "create")).toEqual({ name: "create" })
  })

  it("are renamed both ways, and the old name is gone", async () => {
    const target = make({ shapes: [shape("create", { name: "open", title: "Open", description: "Opens." })] })
    expect((await list(target))[0]).toMatchObject({ name: "open", title: "Open", description: "Opens.", "x-own": 1 })
    expect(await call(target, "open", { a: 1 })).toEqual({ name: "create", arguments: { a: 1 } })
    expect(await call(target, "create")).toEqual(unknown("create"))
  })

  it("give way to one that was given their name", async () => {
    const target = make({ shapes: [shape("create", { name: "delete" })] })
    expect(await names(target)).toEqual(["delete", "list"])
    expect(await call(target, "delete")).toEqual({ name: "create" })
  })

  it("may exchange their names", async () => {
    const target = make({ shapes: [shape("create", { name: "delete" }), shape("delete", { name: "create" })] })
    expect(await names(target)).toEqual(["delete", "create", "list"])
    expect(await call(target, "create")).toEqual({ name: "delete" })
  })

  it("that nobody shaped are passed on as they are", async () => {
    const outcome = await Effect.runPromise(make({ exclude: ["list"] }).call(callOf("tools/list", undefined)))
    expect(outcome).toMatchObject({ result: JSON.stringify({ tools: tools.slice(0, 2), ttlMs: 5, nextCursor: "c" }) })
  })
})

describe("an argument", () => {
  it("that is locked is neither seen nor set by the caller", async () => {
    const target = make({
      shapes: [shape("create", { arguments: [{ _tag: "Locked", name: "owner", value: { a: [1] } }] })],
    })
    expect((await list(target))[0]?.["inputSchema"]).toEqual(schema({ title: {} }, ["title"]))
    const expected = { name: "create", arguments: { owner: { a: [1] }, title: "t" } }
    expect(await call(target, "create", { owner: "mine", title: "t" })).toEqual(expected)
    expect(await call(target, "create")).toEqual({ name: "create", arguments: { owner: { a: [1] } } })
  })

  it("with a default need not be given, and may be", async () => {
    const target = make({ shapes: [shape("create", { arguments: [{ _tag: "Default", name: "owner", value: "us" }] })] })
    expect((await list(target))[0]?.["inputSchema"]).toEqual(schema({ owner: { default: "us" }, title: {} }, ["title"]))
    expect(await call(target, "create", { title: "t" })).toEqual({
      name: "create",
      arguments: { title: "t", owner: "us" },
    })
    expect(await call(target, "create", { owner: "me" })).toEqual({ name: "create", arguments: { owner: "me" } })
  })

  it("may be inside another one", async () => {
    const target = make({
      shapes: [shape("list", { arguments: [{ _tag: "Locked", name: "/query/limit", value: 10 }] })],
    })
    expect((await list(target))[2]?.["inputSchema"]).toEqual(schema({ query: schema({ q: {} }) }))
    const expected = { name: "list", arguments: { query: { q: "x", limit: 10 } } }
    expect(await call(target, "list", { query: { limit: 99, q: "x" } })).toEqual(expected)
    expect(await call(target, "list", { query: "limit=99" })).toEqual({
      name: "list",
      arguments: { query: { limit: 10 } },
    })
  })

  it("may be what the gateway knows of the caller, and without that the call does not go out", async () => {
    const expression = 'request.headers["x-team"]' as Source
    const target = make({ shapes: [shape("create", { arguments: [{ _tag: "Computed", name: "owner", expression }] })] })
    expect(await call(target, "create", { owner: "mine" }, { "x-team": "red" })).toEqual({
      name: "create",
      arguments: { owner: "red" },
    })
    expect(await call(target, "create", { owner: "mine" })).toBe(
      "The gateway could not determine the argument owner for you.",
    )
  })
})
