/** What a server speaks, found out from servers that answer in every way they should not. */
import { afterEach, describe, expect, it } from "vitest"
import { type Running, serve } from "../../conformance/mcp/serve.ts"
import { answerOf, ask, type Json, legacy, type McpGateway, mcpGateway, type Script, scripted } from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const before = async (target: string): Promise<McpGateway> => {
  const gateway = await mcpGateway(`{targets: [{name: one, ${target}}]}`)
  open.push(gateway)
  return gateway
}

const called = async ({ url }: McpGateway, name = "x"): Promise<unknown> => {
  const { error, result } = answerOf(await ask(url, "tools/call", { name, arguments: {} }))
  return (result?.["content"] as ReadonlyArray<Json> | undefined)?.[0]?.["text"] ?? error
}

const old: Script = legacy((turn) => turn.result({ content: [{ type: "text", text: "old" }] }))

describe("a server over HTTP", () => {
  it.each([
    ["404 and nothing", 404, ""],
    ["405 and nothing", 405, ""],
    ["400 and a page", 400, "<html>Bad Request</html>"],
    ["406 and words", 406, "Not Acceptable"],
  ])("that answers a question of today with %s is an older one", async (_name, status, text) => {
    const server = await scripted((turn) =>
      turn.headers["mcp-protocol-version"] === "2026-07-28" ? turn.response.writeHead(status).end(text) : old(turn),
    )
    open.push(server)
    expect(await called(await before(`mcp: {host: "${server.url}"}`))).toBe("old")
  })

  it.each([500, 502, 503])(
    "that is out of order (%i) when it is first asked, in words of its own, is asked again",
    async (status) => {
      let isBroken = true
      // It speaks both ways, so nothing would show that the older one was taken by mistake.
      const server = await scripted((turn) => {
        const { id, method } = turn.message
        if (turn.headers["mcp-protocol-version"] !== "2026-07-28") return old(turn)
        if (isBroken) return turn.json(status, { jsonrpc: "2.0", id, error: { code: -32_603, message: "broken" } })
        return method === "server/discover"
          ? turn.result({ resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: {} })
          : turn.result({ resultType: "complete", content: [{ type: "text", text: "today" }] })
      })
      open.push(server)
      const gateway = await before(`mcp: {host: "${server.url}"}`)
      expect(await called(gateway)).toMatchObject({ code: -32_603 })
      isBroken = false
      expect(await called(gateway)).toBe("today")
      expect(server.calls("initialize")).toEqual([])
    },
  )

  it("that answers no POST at all is asked for the stream of the first revision", async () => {
    const server: Running = await serve({ transport: "sse", era: "legacy", style: "push", port: 0 })
    open.push(server)
    const gateway = await before(`mcp: {host: "${server.url}"}`)
    expect(await called(gateway, "test_simple_text")).toBe("This is a simple text response for testing.")
  })

  it("whose stream of the first revision leads to another place is not followed there", async () => {
    const elsewhere = await scripted(old)
    open.push(elsewhere)
    const server = await scripted(
      (turn) => turn.response.writeHead(404).end(),
      (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(`event: endpoint\ndata: ${elsewhere.url}\n\n`)
      },
    )
    open.push(server)
    const gateway = await before(`sse: {host: "${server.url.replace("/mcp", "/sse")}"}`)
    expect(await called(gateway)).toMatchObject({ code: -32_603 })
    expect(elsewhere.requests).toEqual([])
  })
})

describe("a server behind pipes", { timeout: 60_000 }, () => {
  it("that ends when it is asked before the handshake is an older one", async () => {
    const program = `
      let rest = "", isIntroduced = false
      process.stdin.setEncoding("utf8").on("data", (text) => {
        const lines = (rest + text).split("\\n")
        rest = lines.pop()
        for (const line of lines) {
          const { id, method } = JSON.parse(line)
          if (method !== "initialize" && !isIntroduced) process.exit(2)
          isIntroduced = true
          const say = (result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
          if (method === "initialize")
            say({ protocolVersion: "2024-11-05", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } })
          if (method === "tools/call") say({ content: [{ type: "text", text: "old" }] })
        }
      })`
    const args = JSON.stringify(["-e", program])
    const gateway = await before(`stdio: {cmd: ${JSON.stringify(process.execPath)}, args: ${args}}`)
    expect(await called(gateway)).toBe("old")
  })
})
