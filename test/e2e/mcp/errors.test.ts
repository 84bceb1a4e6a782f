/** What goes wrong behind the gateway, as clients of each generation are told of it: in their own words, or not at all. */
import { afterEach, describe, expect, it } from "vitest"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  modern,
  type Said,
  type Script,
  scripted,
  type Scripted,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const behind = async (script: Script): Promise<{ readonly gateway: McpGateway; readonly server: Scripted }> => {
  const server = await scripted(script)
  open.push(server)
  const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`)
  open.push(gateway)
  return { gateway, server }
}

/** The same request by a client without a session, and by one with. */
const byBoth = async (
  { url }: McpGateway,
  method: string,
  params: Json = {},
): Promise<{ readonly today: Said; readonly session: Said }> => ({
  today: await ask(url, method, params),
  session: await (await begin(url)).request(method, params),
})

const failing = (code: number, data?: unknown, status = 200): Script =>
  modern((turn) => turn.error(code, "no", data, status), { tools: {}, resources: {}, prompts: {} })

describe("an error of a server", () => {
  it("that has a code of its own comes as it is", async () => {
    const { gateway } = await behind(failing(4_711, { why: "because" }))
    const { session, today } = await byBoth(gateway, "tools/call", { name: "any", arguments: {} })
    for (const said of [today, session]) {
      expect(said.status).toBe(200)
      expect(answerOf(said).error).toEqual({ code: 4_711, message: "no", data: { why: "because" } })
    }
  })

  it.each([
    ["headers", -32_020, undefined],
    ["revisions", -32_022, { supported: ["2027-01-01"], requested: "2026-07-28" }],
  ])("about %s is between it and the gateway, and never reaches a client", async (_what, code, data) => {
    const { gateway } = await behind(failing(code, data, 400))
    const { session, today } = await byBoth(gateway, "tools/call", { name: "any", arguments: {} })
    for (const said of [today, session]) {
      expect(said.status).toBe(200)
      expect(answerOf(said).error).toMatchObject({ code: -32_603 })
    }
  })

  it("about what a client cannot do is told, with what would be needed", async () => {
    const data = { requiredCapabilities: { sampling: {} } }
    const { gateway } = await behind(failing(-32_021, data, 400))
    const { session, today } = await byBoth(gateway, "tools/call", { name: "any", arguments: {} })
    expect([today.status, session.status]).toEqual([400, 200])
    for (const said of [today, session]) expect(answerOf(said).error).toMatchObject({ code: -32_021, data })
  })

  it.each([
    ["an old server", legacy((turn) => turn.error(-32_002, "not there"), { resources: {} })],
    ["a server of today that has kept an old code", failing(-32_002)],
    ["a server of today", failing(-32_602, { uri: "a://1" })],
  ])("that there is no such resource is said in each generation's code, by %s", async (_who, script) => {
    const { gateway } = await behind(script)
    const { session, today } = await byBoth(gateway, "resources/read", { uri: "a://1" })
    expect(answerOf(today).error).toMatchObject({ code: -32_602, data: { uri: "a://1" } })
    expect(answerOf(session).error).toMatchObject({ code: -32_002 })
  })

  it.each([
    ["an old server", legacy((turn) => turn.error(-32_601, "no such method"))],
    ["a server of today", failing(-32_601, undefined, 404)],
  ])("that there is no such method is 404 without a session, by %s", async (_who, script) => {
    const { gateway } = await behind(script)
    const { session, today } = await byBoth(gateway, "made/up")
    expect([today.status, session.status]).toEqual([404, 200])
    for (const said of [today, session]) expect(answerOf(said).error).toMatchObject({ code: -32_601 })
  })
})

describe("a server that is busy", () => {
  const body = { jsonrpc: "2.0", id: null, error: { code: -32_000, message: "later" } }
  it.each([
    ["of today", 429, modern((turn) => turn.json(429, body, { "retry-after": "7" }))],
    ["of today", 503, modern((turn) => turn.json(503, body, { "retry-after": "7" }))],
    ["with sessions", 429, legacy((turn) => turn.json(429, body, { "retry-after": "7" }))],
    ["with sessions", 503, legacy((turn) => turn.json(503, body, { "retry-after": "7" }))],
  ] as const)("%s says when to come again, and clients are told (%i)", async (_who, status, script) => {
    const { gateway } = await behind(script)
    const { session, today } = await byBoth(gateway, "tools/call", { name: "any", arguments: {} })
    for (const said of [today, session]) {
      expect([said.status, said.headers.get("retry-after")]).toEqual([status, "7"])
      expect(answerOf(said).error).toMatchObject({
        code: -32_603,
        data: { reason: "upstream_busy", target: "one", retryAfterMs: 7_000 },
      })
    }
  })
})

describe("a result of a kind that nobody knows", () => {
  it("is an error to a client that could not tell it from an answer", async () => {
    const { gateway } = await behind(modern((turn) => turn.result({ resultType: "riddle", content: [] })))
    const { session, today } = await byBoth(gateway, "tools/call", { name: "any", arguments: {} })
    expect(answerOf(today).result).toMatchObject({ resultType: "riddle" })
    expect(answerOf(session).error).toMatchObject({ code: -32_603 })
  })
})

describe("a server that sends people somewhere before it answers", () => {
  const elicitations = [{ mode: "url", url: "https://example.test/go", elicitationId: "e1", message: "go there" }]
  it("is told to nobody who cannot be sent: what would be needed is", async () => {
    const { gateway } = await behind(legacy((turn) => turn.error(-32_042, "go", { elicitations })))
    const said = await ask(gateway.url, "tools/call", { name: "any", arguments: {} })
    expect(said.status).toBe(400)
    expect(answerOf(said).error).toMatchObject({
      code: -32_021,
      data: { requiredCapabilities: { elicitation: { url: {} } } },
    })
  })

  it("asks whoever can be sent, and a refusal is an error of this generation", async () => {
    const { gateway } = await behind(legacy((turn) => turn.error(-32_042, "go", { elicitations })))
    const capabilities = { elicitation: { url: {} } }
    const params = { name: "any", arguments: {} }
    const asked = answerOf(await ask(gateway.url, "tools/call", params, { capabilities })).result as Json
    const [key = "", request] = Object.entries(asked["inputRequests"] as Json)[0] ?? []
    expect(request).toMatchObject({ method: "elicitation/create", params: { url: "https://example.test/go" } })
    const refused = await ask(
      gateway.url,
      "tools/call",
      { ...params, inputResponses: { [key]: { action: "decline" } }, requestState: asked["requestState"] },
      { capabilities },
    )
    expect(answerOf(refused).error?.["code"]).not.toBe(-32_042)
    expect(answerOf(refused).error).toMatchObject({ code: -32_603 })
  })
})

describe("how much a server is to log", () => {
  it.each([
    ["of today", modern((turn) => turn.result({ resultType: "complete" }), { tools: {}, logging: {} })],
    ["with sessions", legacy((turn) => turn.error(-32_602, "unknown level"), { tools: {}, logging: {} })],
  ])("is one of eight levels, for a server %s", async (_who, script) => {
    const { gateway } = await behind(script)
    const client = await begin(gateway.url)
    expect(answerOf(await client.request("logging/setLevel", { level: "loud" })).error).toMatchObject({ code: -32_602 })
    expect(answerOf(await client.request("logging/setLevel", {})).error).toMatchObject({ code: -32_602 })
  })

  it("is what each request without a session says: nothing, or from there on", async () => {
    const { gateway } = await behind(
      modern((turn) => {
        const stream = turn.stream()
        for (const level of ["debug", "warning"]) {
          stream.send({ jsonrpc: "2.0", method: "notifications/message", params: { level, data: level } })
        }
        stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { resultType: "complete", content: [] } })
        stream.end()
      }),
    )
    const levels = async (meta: Json): Promise<ReadonlyArray<unknown>> =>
      (await ask(gateway.url, "tools/call", { name: "any", arguments: {} }, { meta })).messages.flatMap(
        ({ method, params }) => (method === "notifications/message" ? [(params as Json)["level"]] : []),
      )
    expect(await levels({})).toEqual([])
    expect(await levels({ "io.modelcontextprotocol/logLevel": "warning" })).toEqual(["warning"])
    expect(await levels({ "io.modelcontextprotocol/logLevel": "debug" })).toEqual(["debug", "warning"])
  })
})
