import { request, type ServerResponse } from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { sleep, until } from "../harness.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  modern,
  post,
  listen,
  readStream,
  type Script,
  type Scripted,
  scripted,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const behind = async (
  script: Script,
  setup: Parameters<typeof mcpGateway>[1] = {},
  more = "",
): Promise<{ readonly server: Scripted; readonly gateway: McpGateway }> => {
  const server = await scripted(script)
  open.push(server)
  const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]${more}}`, setup)
  open.push(gateway)
  return { server, gateway }
}

const answers: Script = (turn) =>
  turn.message.method === "tools/call" ? turn.result({ content: [{ type: "text", text: "done" }] }) : turn.result({})

describe("a session", () => {
  it("that a server has forgotten is begun anew without anybody noticing, whatever it was told before", async () => {
    const forgotten = new Set<string>()
    const { gateway, server } = await behind(
      legacy(
        (turn) => {
          const id = String(turn.headers["mcp-session-id"])
          return forgotten.has(id) ? turn.response.writeHead(404).end() : answers(turn)
        },
        { tools: {}, logging: {} },
      ),
    )
    const client = await begin(gateway.url)
    await client.request("logging/setLevel", { level: "debug" })
    for (const { headers } of server.requests) forgotten.add(String(headers["mcp-session-id"]))
    const said = await Promise.all([1, 2, 3].map(() => client.request("tools/call", { name: "x" })))
    for (const one of said) expect(answerOf(one).result).toMatchObject({ content: [{ text: "done" }] })
    expect(server.calls("initialize")).toHaveLength(2)
    expect(server.calls("logging/setLevel")).toHaveLength(2)
  })

  it("belongs to who began it; to anybody else it does not exist", async () => {
    const { gateway } = await behind(legacy(answers), {
      policies: "{apiKey: {mode: strict, keys: [{key: ann}, {key: bob}]}}",
    })
    const client = await begin(gateway.url, { headers: { authorization: "Bearer ann" } })
    expect(client.id).not.toBe("")
    const stolen = await post(
      gateway.url,
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x" } },
      { "mcp-session-id": client.id, authorization: "Bearer bob" },
    )
    expect(stolen.status).toBe(404)
    expect((await client.request("tools/call", { name: "x" })).status).toBe(200)
  })

  it("has a name that tells nothing and cannot be made up", async () => {
    const { gateway } = await behind(legacy(answers))
    const client = await begin(gateway.url)
    expect(client.id).toMatch(/^[\x21-\x7e]{32,}$/)
    expect(Buffer.from(client.id.slice(5), "base64url").toString("latin1")).not.toContain("principal")
    const changed = `${client.id.slice(0, -3)}AAA`
    const said = await post(gateway.url, { jsonrpc: "2.0", id: 1, method: "ping" }, { "mcp-session-id": changed })
    expect(said.status).toBe(404)
  })

  it("that nobody used for long enough ends, and its server is told", async () => {
    const { gateway, server } = await behind(legacy(answers), { options: { mcpSessionIdleMillis: 150 } })
    const client = await begin(gateway.url)
    await until("the server is told", () => server.requests.some(({ method }) => method === "DELETE"))
    expect((await client.request("ping")).status).toBe(404)
  })

  it("is taken up by another gateway with the same key, with the sessions its targets gave it", async () => {
    const key = new Uint8Array(32).fill(7)
    const { gateway, server } = await behind(legacy(answers), { options: { sealingKey: key } })
    const other = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`, {
      options: { sealingKey: key },
    })
    open.push(other)
    const client = await begin(gateway.url)
    const before = server.calls("initialize").length
    const said = await post(
      other.url,
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x" } },
      { "mcp-session-id": client.id, "mcp-protocol-version": "2025-11-25" },
    )
    expect(answerOf(said).result).toMatchObject({ content: [{ text: "done" }] })
    expect(server.calls("initialize")).toHaveLength(before)
  })
})

describe("streams", () => {
  it("are taken up again where they were lost, and only they", async () => {
    let go: (() => void) | undefined
    const { gateway } = await behind(
      legacy((turn) => {
        const stream = turn.stream()
        const log = (data: string): void =>
          stream.send({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data } })
        log("one")
        go = () => {
          log("two")
          stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { content: [] } })
          stream.end()
        }
      }),
    )
    const client = await begin(gateway.url)
    const lost = await readStream(gateway.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-session-id": client.id,
        "mcp-protocol-version": "2025-11-25",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "x" } }),
    })
    await until("the first event", () => lost.events.length === 2)
    expect(lost.events[0]).toMatchObject({ data: undefined })
    lost.close()
    await lost.closed
    go?.()
    await sleep(50)
    const again = await client.listen(lost.events[1]?.id)
    await again.closed
    expect(again.events.map(({ data }) => data?.["method"] ?? data?.["id"])).toEqual(["notifications/message", 5])
  })

  it.each([
    ["hangs up early", (response: ServerResponse) => void response.end()],
    ["breaks off", (response: ServerResponse) => void setTimeout(() => response.destroy(), 20)],
  ])("of a server that %s are taken up by the gateway", async (_what, leave) => {
    const server = await scripted(
      legacy((turn) => {
        turn.response.writeHead(200, { "content-type": "text/event-stream" })
        turn.response.write("id: e1\nretry: 10\ndata: \n\n")
        leave(turn.response)
        pending = String(turn.message.id)
      }),
      (request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        if (request.headers["last-event-id"] !== "e1") return
        response.end(`id: e2\ndata: {"jsonrpc":"2.0","id":${pending},"result":{"content":[]}}\n\n`)
      },
    )
    let pending = ""
    open.push(server)
    const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`)
    open.push(gateway)
    const client = await begin(gateway.url)
    expect(answerOf(await client.request("tools/call", { name: "x" })).result).toEqual({ content: [] })
  })

  it("tell a session of changes, and only of resources it asked for", async () => {
    const { gateway, server } = await behind(legacy(answers))
    const client = await begin(gateway.url)
    const stream = await client.listen()
    await until("the server is listened to", () => server.streams.size > 0)
    await client.request("resources/subscribe", { uri: "a://1" })
    server.push({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "a://2" } })
    server.push({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "a://1" } })
    server.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
    await until("both are told", () => stream.events.filter(({ data }) => data !== undefined).length === 2)
    expect(stream.events.flatMap(({ data }) => (data === undefined ? [] : [data["method"]]))).toEqual([
      "notifications/resources/updated",
      "notifications/tools/list_changed",
    ])
    stream.close()
  })

  it("tell a client without a session what it asked for, acknowledged first and tagged", async () => {
    const { gateway, server } = await behind(legacy(answers))
    const asked = { toolsListChanged: true, resourceSubscriptions: ["a://1"] }
    const listening = await listen(gateway.url, asked, "listen-1")
    await until("it is acknowledged", () => listening.events.length > 0)
    expect(listening.events[0]?.data).toEqual({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: {
        notifications: { toolsListChanged: true, resourceSubscriptions: ["a://1"] },
        _meta: { "io.modelcontextprotocol/subscriptionId": "listen-1" },
      },
    })
    server.push({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" })
    server.push({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "a://1" } })
    server.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
    await until("what was asked for is told", () => listening.events.length === 3)
    const told = listening.events.slice(1).map(({ data }) => data as Json)
    expect(told.map((data) => data["method"])).toEqual([
      "notifications/resources/updated",
      "notifications/tools/list_changed",
    ])
    for (const { params } of told as unknown as ReadonlyArray<{ readonly params: { readonly _meta: Json } }>) {
      expect(params._meta["io.modelcontextprotocol/subscriptionId"]).toBe("listen-1")
    }
    listening.close()
    // A client may have closed only its own half, so it is given a moment before it counts as gone.
    await until("the server is told", () => server.calls("resources/unsubscribe").length === 1, 15_000)
  })
})

describe("what may not come in", () => {
  it("is a request for another host or from another origin, where the gateway is reached locally", async () => {
    const { gateway } = await behind(legacy(answers))
    const from = (origin: string): Promise<number> =>
      fetch(gateway.url, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
      }).then(({ status }) => status)
    expect(await from("http://evil.example")).toBe(403)
    expect(await from("http://localhost:1234")).toBe(400)
    // A page of another place that a name was made to lead here sends no other origin, but that name.
    const to = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = { host, "content-type": "application/json" }
        const asked = request({ host: "127.0.0.1", port: gateway.port, path: "/mcp", method: "POST", headers })
        asked.on("response", (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        asked.on("error", reject)
        asked.end(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }))
      })
    for (const host of ["evil.example", "evil.example:80", "localhost.evil.example", "10.0.0.1"]) {
      expect(await to(host), host).toBe(403)
    }
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:5"]) expect(await to(host), host).toBe(400)
  })

  it("is refused so before anybody is asked who they are", async () => {
    const { gateway } = await behind(legacy(answers), {
      policies: "{apiKey: {mode: strict, keys: [{key: ann}]}}",
    })
    const from = async (origin: string, headers: Record<string, string> = {}): Promise<unknown> => {
      const reply = await fetch(gateway.url, {
        method: "POST",
        headers: { "content-type": "application/json", origin, ...headers },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
      })
      return [
        reply.status,
        reply.headers.get("content-type"),
        (await reply.text()).includes("this origin may not call"),
      ]
    }
    const refused = [403, "application/json", true]
    expect(await from("http://evil.example")).toEqual(refused)
    expect(await from("http://x@localhost")).toEqual(refused)
    expect(await from("http://x@localhost", { authorization: "Bearer ann" })).toEqual(refused)
    expect(await from("http://localhost:1234")).toEqual([401, "text/plain", false])
  })

  it("is what only one of the backends of a route would refuse not before it is that one's turn", async () => {
    const server = await scripted(legacy(answers))
    open.push(server)
    const targets = `targets: [{name: one, mcp: {host: "${server.url}"}}]`
    const gateway = await mcpGateway(`{${targets}, allowedOrigins: ["https://app.example"]}}, {mcp: {${targets}}`, {
      policies: "{apiKey: {mode: strict, keys: [{key: ann}]}}",
    })
    open.push(gateway)
    const from = (origin: string): Promise<number> =>
      fetch(gateway.url, { method: "POST", headers: { origin } }).then(({ status }) => status)
    expect([await from("https://app.example"), await from("http://evil.example")]).toEqual([401, 403])
  })

  it("is a tool that the caller may not use: it is not listed, and does not exist", async () => {
    const tools = ["read", "write"].map((name) => ({ name, inputSchema: { type: "object" } }))
    const { gateway, server } = await behind(
      modern((turn) =>
        turn.message.method === "tools/list"
          ? turn.result({ resultType: "complete", tools, ttlMs: 60_000, cacheScope: "public" })
          : turn.result({ resultType: "complete", content: [] }),
      ),
      {
        policies:
          "{mcpAuthorization: {rules: [\"mcp.tool.name == 'read' && (!has(mcp.tool.arguments) || !has(mcp.tool.arguments.secret))\"]}}",
      },
    )
    const list = answerOf(await ask(gateway.url, "tools/list")).result
    expect(((list?.["tools"] ?? []) as ReadonlyArray<Json>).map(({ name }) => name)).toEqual(["read"])
    expect(list?.["cacheScope"]).toBe("private")
    const denied = answerOf(await ask(gateway.url, "tools/call", { name: "write" })).error
    expect(denied).toEqual({ code: -32_602, message: "Unknown tool: write" })
    expect(answerOf(await ask(gateway.url, "tools/call", { name: "read" })).result).toBeDefined()
    const secret = await ask(gateway.url, "tools/call", { name: "read", arguments: { secret: 1 } })
    expect(answerOf(secret).error).toMatchObject({ code: -32_602 })
    expect(server.calls("tools/call")).toHaveLength(1)
  })
})
