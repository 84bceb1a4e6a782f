/** What clients in the field do besides what the protocol says, and how each of it is answered. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  answerOf,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  post,
  type Scripted,
  scripted,
} from "./harness.ts"

let server: Scripted
let gateway: McpGateway
beforeAll(async () => {
  server = await scripted(
    legacy(({ message, result }) =>
      message.method === "tools/list"
        ? result({ tools: [{ name: "hello", inputSchema: { type: "object" } }] })
        : result({ content: [{ type: "text", text: "hello" }] }),
    ),
  )
  gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`)
})
afterAll(async () => {
  await gateway.close()
  await server.close()
})

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" }
const introduction = (version: string): Json => ({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "client", version: "1" } },
})
const list = { jsonrpc: "2.0", id: 1, method: "tools/list" }
const toolsOf = (answer: { readonly result?: Json }): unknown => answer.result?.["tools"]

describe("before there is a session", () => {
  it.each([
    // Clients look for a stream first, with the revision they are about to speak.
    ["GET", { accept: "text/event-stream", "mcp-protocol-version": "2025-11-25" }, 400],
    ["GET", { accept: "text/event-stream", "mcp-protocol-version": "2026-07-28" }, 405],
    ["GET", { accept: "application/json" }, 406],
    ["HEAD", {}, 405],
    ["PUT", {}, 405],
    ["DELETE", {}, 400],
    ["DELETE", { "mcp-protocol-version": "2026-07-28" }, 405],
    ["DELETE", { "mcp-session-id": "made-up" }, 404],
    ["GET", { accept: "text/event-stream", "mcp-session-id": "made-up" }, 404],
  ] as const)("%s with %j is answered by %i", async (method, headers, status) => {
    const reply = await fetch(gateway.url, { method, headers })
    await reply.arrayBuffer()
    expect(reply.status).toBe(status)
    if (status === 405) expect(reply.headers.get("allow")).toContain("POST")
  })

  it.each([
    ["a ping", { jsonrpc: "2.0", id: 1, method: "ping" }],
    ["a list", list],
  ])("%s is told to begin, or answered where no session is asked for", async (_what, message) => {
    const said = await post(gateway.url, message, { "mcp-session-id": "" })
    expect([400, 404]).toContain(said.status)
    expect(answerOf(said)).toMatchObject({ id: 1, error: {} })
  })
})

describe.each(["2025-03-26", "2025-06-18", "2025-11-25"])("a client of %s", (version) => {
  it.each([
    ["only JSON", "application/json"],
    ["anything", "*/*"],
    ["both, the other way round and with weights", "text/event-stream;q=0.9, application/json;q=1.0"],
  ])("that accepts %s is served", async (_what, accept) => {
    const said = await post(gateway.url, introduction(version), { accept })
    expect(said.status).toBe(200)
    const own = { accept, "mcp-session-id": said.headers.get("mcp-session-id") ?? "" }
    expect(toolsOf(answerOf(await post(gateway.url, list, own)))).toHaveLength(1)
  })

  it("that does not repeat the revision in a header is served in that of its session", async () => {
    const said = await post(gateway.url, introduction(version))
    const own = { "mcp-session-id": said.headers.get("mcp-session-id") ?? "" }
    expect(answerOf(said).result?.["protocolVersion"]).toBe(version)
    expect(toolsOf(answerOf(await post(gateway.url, list, own)))).toHaveLength(1)
  })

  it("may ping, and ask, before it says that it is ready", async () => {
    const said = await post(gateway.url, introduction(version))
    const own = { "mcp-session-id": said.headers.get("mcp-session-id") ?? "" }
    expect(answerOf(await post(gateway.url, { jsonrpc: "2.0", id: 1, method: "ping" }, own))).toMatchObject({
      result: {},
    })
    expect(toolsOf(answerOf(await post(gateway.url, list, own)))).toHaveLength(1)
  })

  it("that ends its session twice is told the second time that it is gone", async () => {
    const client = await begin(gateway.url, { version })
    expect(await client.end()).toBe(200)
    expect(await client.end()).toBe(404)
    expect((await client.request("tools/list")).status).toBe(404)
  })

  it("that introduces itself again begins another session, and the first one goes on", async () => {
    const client = await begin(gateway.url, { version })
    const again = await post(gateway.url, introduction(version), { "mcp-session-id": client.id })
    expect(again.headers.get("mcp-session-id")).not.toBe(client.id)
    expect(toolsOf(answerOf(await client.request("tools/list")))).toHaveLength(1)
  })

  it("that says what needs no answer gets none, whatever it says", async () => {
    const client = await begin(gateway.url, { version })
    for (const message of [
      { method: "notifications/initialized" },
      { method: "notifications/cancelled", params: { requestId: 404, reason: "too late" } },
      { method: "notifications/made/up", params: {} },
      { id: 12, result: {} },
    ]) {
      const said = await client.send(message)
      expect([said.status, said.text], JSON.stringify(message)).toEqual([202, ""])
    }
  })

  it("finds what belongs to requests without a session missing", async () => {
    const client = await begin(gateway.url, { version })
    for (const method of ["server/discover", "subscriptions/listen"]) {
      expect(answerOf(await client.request(method, {})).error, method).toMatchObject({ code: -32_601 })
    }
  })

  it.each([
    ["zero", "0", 200],
    ["a text", '"a"', 200],
    ["an empty text", '""', 200],
    ["a fraction", "1.5", 200],
    ["larger than any integer", "123456789012345678901234567890", 200],
    ["null", "null", 400],
    ["a list", "[1]", 400],
    ["true", "true", 400],
  ])("numbers a request with %s", async (_what, id, status) => {
    const client = await begin(gateway.url, { version })
    const said = await post(gateway.url, `{"jsonrpc":"2.0","id":${id},"method":"ping"}`, {
      "mcp-session-id": client.id,
      "mcp-protocol-version": version,
    })
    expect(said.status).toBe(status)
    if (status === 200) expect(said.text).toBe(`{"jsonrpc":"2.0","id":${id},"result":{}}`)
    else expect(answerOf(said).error).toMatchObject({ code: -32_600 })
  })
})

describe("several messages at once", () => {
  it.each([
    ["2025-03-26", 200],
    ["2025-06-18", 400],
    ["2025-11-25", 400],
  ])("in %s are answered by %i", async (version, status) => {
    const client = await begin(gateway.url, { version })
    const batch = [
      { jsonrpc: "2.0", method: "notifications/initialized" },
      { ...list, id: "a" },
      { ...list, id: 2, method: "ping" },
    ]
    const reply = await fetch(gateway.url, {
      method: "POST",
      headers: { ...json, "mcp-session-id": client.id },
      body: JSON.stringify(batch),
    })
    expect(reply.status).toBe(status)
    const answer = (await reply.json()) as ReadonlyArray<Json>
    if (status === 200) expect(answer.map(({ id }) => id).toSorted()).toEqual([2, "a"])
    else expect(answer).toMatchObject({ error: { code: -32_600 } })
  })
})

describe("a client without a session", () => {
  const version = "2026-07-28"
  const meta = {
    "io.modelcontextprotocol/protocolVersion": version,
    "io.modelcontextprotocol/clientCapabilities": {},
  }
  /** A request in every respect, but for what a test makes of it. */
  const said = (message: Json, headers: Record<string, string> = {}) => {
    const whole = { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: meta }, ...message }
    const method = String(whole.method)
    return post(gateway.url, whole, { "mcp-protocol-version": version, "mcp-method": method, ...headers })
  }

  it("is not interested in sessions: it is given none, and what it says of one is not heard", async () => {
    for (const headers of [{}, { "mcp-session-id": "made-up", "last-event-id": "1_1" }]) {
      const listed = await said({}, headers as Record<string, string>)
      expect(toolsOf(answerOf(listed))).toHaveLength(1)
      expect(listed.headers.get("mcp-session-id")).toBeNull()
    }
  })

  it.each([
    [
      "a revision in the header that is not that of the envelope",
      {},
      { "mcp-protocol-version": "2025-11-25" },
      -32_020,
    ],
    ["a newer one in the header", {}, { "mcp-protocol-version": "2027-01-01" }, -32_020],
    ["another method in the header", {}, { "mcp-method": "tools/call" }, -32_020],
    ["the method in other letters in the header", {}, { "mcp-method": "Tools/List" }, -32_020],
    ["no envelope", { params: {} }, {}, -32_602],
    ["no parameters", { params: undefined }, {}, -32_602],
    [
      "an envelope without what the client can do",
      { params: { _meta: { "io.modelcontextprotocol/protocolVersion": version } } },
      {},
      -32_602,
    ],
    [
      "a list of what the client can do",
      { params: { _meta: { ...meta, "io.modelcontextprotocol/clientCapabilities": [] } } },
      {},
      -32_602,
    ],
    [
      "a level that there is not",
      { params: { _meta: { ...meta, "io.modelcontextprotocol/logLevel": "loud" } } },
      {},
      -32_602,
    ],
    ["parameters in a list", { params: [meta] }, {}, -32_602],
    ["parameters that are null", { params: null }, {}, -32_602],
    ["no version of JSON-RPC", { jsonrpc: undefined }, {}, -32_600],
    ["an older version of JSON-RPC", { jsonrpc: "1.0" }, {}, -32_600],
  ] as const)(
    "that sends %s is told what is wrong, by the number of its request",
    async (_what, message, headers, code) => {
      const refused = await said(message, headers)
      expect(refused.status).toBe(400)
      expect(answerOf(refused)).toMatchObject({ id: 1, error: { code } })
    },
  )

  it("of a revision that nobody knows yet is told which there are", async () => {
    const later = { ...meta, "io.modelcontextprotocol/protocolVersion": "2027-01-01" }
    const refused = await said({ params: { _meta: later } }, { "mcp-protocol-version": "2027-01-01" })
    expect(refused.status).toBe(400)
    expect(answerOf(refused).error).toMatchObject({
      code: -32_022,
      data: { supported: [version], requested: "2027-01-01" },
    })
  })

  it.each(["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/result"])(
    "that sends %s is told that there is no such method",
    async (method) => {
      const refused = await said({ method })
      expect(refused.status).toBe(404)
      expect(answerOf(refused)).toMatchObject({ id: 1, error: { code: -32_601 } })
    },
  )

  it("is answered nothing to what needs no answer, and may send neither answers nor several messages", async () => {
    const notified = await said({ id: undefined, method: "notifications/made/up" })
    expect([notified.status, notified.text]).toEqual([202, ""])
    expect((await said({ method: undefined, params: undefined, result: {} })).status).toBe(400)
    const headers = { "mcp-protocol-version": version, "mcp-method": "tools/list" }
    const one = { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: meta } }
    expect((await post(gateway.url, [one], headers)).status).toBe(400)
    expect((await post(gateway.url, [one])).status).toBe(400)
  })

  it("may write its headers in any way that HTTP has, and names in the way that MCP has", async () => {
    const name = "hello"
    const encoded = `=?base64?${Buffer.from(name).toString("base64")}?=`
    for (const [field, value] of [
      ["Mcp-Name", name],
      ["MCP-NAME", ` ${name} `],
      ["mcp-name", encoded],
    ] as const) {
      const called = await said({ method: "tools/call", params: { name, _meta: meta } }, { [field]: value })
      expect(answerOf(called).result, value).toMatchObject({ content: [{ text: "hello" }] })
    }
    for (const value of ["Hello", "=?base64?###?=", `${name}, ${name}`]) {
      const refused = await said({ method: "tools/call", params: { name, _meta: meta } }, { "mcp-name": value })
      expect([refused.status, answerOf(refused).error?.["code"]], value).toEqual([400, -32_020])
    }
  })

  it.each([
    ["zero", "0", 200],
    ["an empty text", '""', 200],
    ["a fraction", "1.50", 200],
    ["larger than any integer", "123456789012345678901234567890", 200],
    ["null", "null", 400],
    ["a list", "[1]", 400],
  ])("numbers a request with %s", async (_what, id, status) => {
    const text = `{"jsonrpc":"2.0","id":${id},"method":"tools/list","params":{"_meta":${JSON.stringify(meta)}}}`
    const answered = await post(gateway.url, text, { "mcp-protocol-version": version, "mcp-method": "tools/list" })
    expect(answered.status).toBe(status)
    if (status === 200) expect(answered.text).toContain(`"id":${id},"result"`)
    else expect(answerOf(answered).error).toMatchObject({ code: -32_600 })
  })

  it("that says a thing twice has said the last of it, to the gateway and to the server alike", async () => {
    const text = `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"other","name":"hello","_meta":${JSON.stringify(meta)}}}`
    const headers = { "mcp-protocol-version": version, "mcp-method": "tools/call" }
    expect((await post(gateway.url, text, { ...headers, "mcp-name": "hello" })).status).toBe(200)
    expect(server.calls("tools/call").at(-1)?.params?.["name"]).toBe("hello")
    expect((await post(gateway.url, text, { ...headers, "mcp-name": "other" })).status).toBe(400)
    expect((await post(gateway.url, text, { ...headers, "mcp-method": "ping", "mcp-name": "hello" })).status).toBe(400)
  })
})

describe("a session", () => {
  it("goes on in any revision that its client names later, but in none that there is not", async () => {
    const client = await begin(gateway.url, { version: "2025-06-18" })
    const by = (version: string) =>
      post(gateway.url, list, { "mcp-session-id": client.id, "mcp-protocol-version": version })
    expect((await by("2025-11-25")).status).toBe(200)
    expect((await by("2020-01-01")).status).toBe(400)
    expect((await by("latest")).status).toBe(400)
  })

  it("is opened in a revision that the client knows, or else in the newest", async () => {
    for (const [asked, given] of [
      ["2024-11-05", "2024-11-05"],
      ["2026-07-28", "2025-11-25"],
      ["2030-01-01", "2025-11-25"],
      ["2020-01-01", "2025-11-25"],
      ["draft", "2025-11-25"],
    ]) {
      const said = await post(gateway.url, introduction(String(asked)))
      expect(answerOf(said).result?.["protocolVersion"], asked).toBe(given)
    }
  })

  it("has a name that is one word of visible characters", async () => {
    const { id } = await begin(gateway.url)
    expect(id).toMatch(/^[\x21-\x7e]+$/)
  })
})
