import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import {
  answerOf,
  ask,
  begin,
  legacy,
  type McpGateway,
  mcpGateway,
  modern,
  type Script,
  type Scripted,
  scripted,
  targetsOf,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const behind = async (script: Script): Promise<{ readonly server: Scripted; readonly gateway: McpGateway }> => {
  const server = await scripted(script)
  open.push(server)
  const gateway = await mcpGateway(targetsOf({ one: server }))
  open.push(gateway)
  return { server, gateway }
}

/** Lists one tool, and echoes what it is called with. */
const echo: Script = (turn) => {
  switch (turn.message.method) {
    case "tools/list":
      return turn.result({ tools: [{ name: "echo", inputSchema: { type: "object" }, "x-unknown": { kept: true } }] })
    case "tools/call":
      return turn.result({ content: [{ type: "text", text: JSON.stringify(turn.message.params?.["arguments"]) }] })
    default:
      return turn.error(-32_601, "Method not found")
  }
}

const modernEcho: Script = (turn) => {
  switch (turn.message.method) {
    case "tools/list":
      return turn.result({
        resultType: "complete",
        tools: [{ name: "echo", inputSchema: { type: "object" } }],
        ttlMs: 1_000,
        cacheScope: "public",
      })
    case "tools/call":
      return turn.result({
        resultType: "complete",
        content: [{ type: "text", text: JSON.stringify(turn.message.params?.["arguments"]) }],
      })
    default:
      return turn.error(-32_601, "Method not found", undefined, 404)
  }
}

describe("any client and any server", () => {
  it("a session reaches a server with sessions", async () => {
    const { gateway, server } = await behind(legacy(echo))
    const client = await begin(gateway.url)
    expect(client.introduction["protocolVersion"]).toBe("2025-11-25")
    const said = await client.request("tools/call", { name: "echo", arguments: { a: 1 } })
    expect(answerOf(said).result).toEqual({ content: [{ type: "text", text: '{"a":1}' }] })
    expect(await client.end()).toBe(200)
    await until("the server is told", () => server.requests.some(({ method }) => method === "DELETE"))
  })

  it("a session reaches a server without them, and sees nothing of that era", async () => {
    const { gateway } = await behind(modern(modernEcho))
    const client = await begin(gateway.url)
    const list = answerOf(await client.request("tools/list")).result
    expect(list).toEqual({ tools: [{ name: "echo", inputSchema: { type: "object" } }] })
    const said = await client.request("tools/call", { name: "echo", arguments: { a: 1 } })
    expect(answerOf(said).result).toEqual({ content: [{ type: "text", text: '{"a":1}' }] })
  })

  it("a client without a session reaches a server with them", async () => {
    const { gateway } = await behind(legacy(echo))
    const list = answerOf(await ask(gateway.url, "tools/list")).result
    expect(list).toMatchObject({ resultType: "complete", ttlMs: 0, cacheScope: "private" })
    expect(list?.["tools"]).toEqual([{ name: "echo", inputSchema: { type: "object" }, "x-unknown": { kept: true } }])
    const said = await ask(gateway.url, "tools/call", { name: "echo", arguments: { a: 1 } })
    expect(answerOf(said).result).toEqual({
      content: [{ type: "text", text: '{"a":1}' }],
      resultType: "complete",
    })
  })

  it("a client without a session reaches a server without them, envelope and headers included", async () => {
    const { gateway, server } = await behind(modern(modernEcho))
    const said = await ask(
      gateway.url,
      "tools/call",
      { name: "echo", arguments: { a: 1 } },
      { meta: { "my/key": [1] } },
    )
    expect(answerOf(said).result).toMatchObject({ resultType: "complete" })
    const [call] = server.calls("tools/call")
    expect(call?.params?.["_meta"]).toMatchObject({
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "test" },
      "my/key": [1],
    })
    const request = server.requests.findLast(({ headers }) => headers["mcp-method"] === "tools/call")
    expect(request?.headers).toMatchObject({ "mcp-name": "echo", "mcp-protocol-version": "2026-07-28" })
  })
})

describe("what is passed on", () => {
  it("keeps numbers, unknown members and the difference between null and nothing as they were written", async () => {
    const { gateway, server } = await behind(
      legacy((turn) => {
        turn.response.writeHead(200, { "content-type": "application/json" })
        const big = '{"content":[],"structuredContent":{"n":12345678901234567890,"f":1.0,"e":"\\u00e9","z":null}}'
        turn.response.end(`{"jsonrpc":"2.0","id":${String(turn.message.id)},"result":${big}}`)
      }),
    )
    const client = await begin(gateway.url)
    const said = await client.request("tools/call", { name: "x" })
    expect(said.text).toContain('"structuredContent":{"n":12345678901234567890,"f":1.0,"e":"\\u00e9","z":null}')
    expect(server.calls("tools/call")[0]?.params).toEqual({ name: "x" })
  })

  it("does not hand the client's own credentials to a server", async () => {
    const { gateway, server } = await behind(legacy(echo))
    const client = await begin(gateway.url, {
      headers: { authorization: "Bearer mine", cookie: "a=b", "x-team": "red" },
    })
    await client.request("tools/list")
    for (const { headers } of server.requests) {
      expect(headers.authorization).toBeUndefined()
      expect(headers.cookie).toBeUndefined()
    }
    expect(server.requests.at(-1)?.headers["x-team"]).toBe("red")
  })
})
