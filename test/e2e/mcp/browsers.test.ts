/** Clients that run in a page: what they may send, and what they may read of the reply. */
import { afterEach, describe, expect, it } from "vitest"
import { answerOf, legacy, type McpGateway, mcpGateway, post, scripted } from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const origin = "https://inspector.example.test"

const before = async (more: string, policies?: string): Promise<McpGateway> => {
  const server = await scripted(legacy((turn) => turn.result({ tools: [] })))
  open.push(server)
  const gateway = await mcpGateway(
    `{targets: [{name: one, mcp: {host: "${server.url}"}}]${more}}`,
    policies === undefined ? {} : { policies },
  )
  open.push(gateway)
  return gateway
}

const fields = ["mcp-session-id", "mcp-protocol-version", "last-event-id", "mcp-method", "mcp-name", "content-type"]

const preflight = async ({ url }: McpGateway, method: string, from = origin) => {
  const reply = await fetch(url, {
    method: "OPTIONS",
    headers: {
      origin: from,
      "access-control-request-method": method,
      "access-control-request-headers": fields.toSorted().join(","),
    },
  })
  await reply.arrayBuffer()
  return reply
}

const introduction = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "page", version: "1" } },
}

describe("a page that a policy lets in", () => {
  it.each([
    ["by name", `allowMethods: [GET, POST, DELETE], allowHeaders: [${fields.join(", ")}]`],
    ["with everything", `allowMethods: ["*"], allowHeaders: ["*"]`],
  ])("%s may use every method and field of MCP, and read the name of its session", async (_how, what) => {
    const gateway = await before(`, allowedOrigins: ["${origin}"]`, `{cors: {allowOrigins: ["${origin}"], ${what}}}`)
    for (const method of ["POST", "GET", "DELETE"]) {
      const reply = await preflight(gateway, method)
      expect(reply.status).toBeLessThan(300)
      expect(reply.headers.get("access-control-allow-origin")).toBe(origin)
      expect(reply.headers.get("access-control-allow-methods")).toContain(method)
      const allowed = reply.headers.get("access-control-allow-headers")?.toLowerCase() ?? ""
      for (const field of fields) expect(allowed).toContain(field)
    }
    const begun = await post(gateway.url, introduction, { origin })
    expect(begun.status).toBe(200)
    expect(begun.headers.get("access-control-allow-origin")).toBe(origin)
    expect(begun.headers.get("access-control-expose-headers")?.toLowerCase()).toContain("mcp-session-id")
    const session = begun.headers.get("mcp-session-id") ?? ""
    const listed = await post(
      gateway.url,
      { jsonrpc: "2.0", id: 2, method: "tools/list" },
      { origin, "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" },
    )
    expect(answerOf(listed).result).toMatchObject({ tools: [] })
    // A page can read why it was refused, too.
    const gone = await post(
      gateway.url,
      { jsonrpc: "2.0", id: 3, method: "tools/list" },
      { origin, "mcp-session-id": "made-up" },
    )
    expect([gone.status, gone.headers.get("access-control-allow-origin")]).toEqual([404, origin])
  })

  it("is no reason to let in another one", async () => {
    const gateway = await before(
      `, allowedOrigins: ["${origin}"]`,
      `{cors: {allowOrigins: ["${origin}"], allowMethods: ["*"], allowHeaders: ["*"]}}`,
    )
    const other = "https://elsewhere.example.test"
    expect((await preflight(gateway, "POST", other)).headers.get("access-control-allow-origin")).toBeNull()
    const said = await post(gateway.url, introduction, { origin: other })
    expect(said.status).toBe(403)
    expect(said.headers.get("access-control-allow-origin")).toBeNull()
  })
})

describe("a page without a policy", () => {
  it("may not even ask, and is told nothing that it could read", async () => {
    const gateway = await before("")
    const asked = await preflight(gateway, "POST")
    expect(asked.ok).toBe(false)
    expect(asked.headers.get("access-control-allow-origin")).toBeNull()
    const local = await post(gateway.url, introduction, { origin: "http://localhost:6274" })
    expect(local.status).toBe(200)
    expect(local.headers.get("access-control-allow-origin")).toBeNull()
    expect((await post(gateway.url, introduction, { origin })).status).toBe(403)
    expect((await post(gateway.url, introduction, { origin: "null" })).status).toBe(403)
  })
})
