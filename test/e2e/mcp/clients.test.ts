/** Clients as people have them, in front of servers as people have them. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Options, type Running, serve } from "../../conformance/mcp/serve.ts"
import { type McpGateway, mcpGateway } from "./harness.ts"

const servers = {
  legacy: { transport: "http", era: "legacy", style: "push", port: 0 },
  modern: { transport: "http", era: "modern", style: "write-once", port: 0 },
  dual: { transport: "http", era: "dual", style: "write-once", port: 0 },
  sse: { transport: "sse", era: "legacy", style: "push", port: 0 },
} as const satisfies Readonly<Record<string, Options>>

interface Connected {
  readonly listTools: () => Promise<{ readonly tools: ReadonlyArray<{ readonly name: string }> }>
  readonly callTool: (params: { name: string; arguments?: Record<string, unknown> }) => Promise<unknown>
  readonly readResource: (params: { uri: string }) => Promise<unknown>
  readonly getPrompt: (params: { name: string }) => Promise<unknown>
  readonly close: () => Promise<void>
}

const info = { name: "test", version: "1" }

const old = async (transport: Transport): Promise<Connected> => {
  const client = new Client(info, { capabilities: {} })
  await client.connect(transport)
  return client as unknown as Connected
}

const recent = async (url: string, mode: "legacy" | "auto" | "modern"): Promise<Connected> => {
  const client = new ModernClient(info, {
    capabilities: {},
    versionNegotiation: { mode: mode === "modern" ? { pin: "2026-07-28" } : mode },
  })
  await client.connect(new ModernTransport(new URL(url)))
  return client as unknown as Connected
}

const clients: Readonly<Record<string, (url: string) => Promise<Connected>>> = {
  "sdk 1.x": (url) => old(new StreamableHTTPClientTransport(new URL(url)) as Transport),
  "sdk 1.x over HTTP+SSE": (url) => old(new SSEClientTransport(new URL(url))),
  "client 2.x, legacy": (url) => recent(url, "legacy"),
  "client 2.x, auto": (url) => recent(url, "auto"),
  "client 2.x, modern": (url) => recent(url, "modern"),
}

describe.each(Object.entries(servers))("a server that is %s", (_name, options) => {
  let server: Running
  let gateway: McpGateway

  beforeAll(async () => {
    server = await serve(options)
    const kind = options.transport === "sse" ? "sse" : "mcp"
    gateway = await mcpGateway(`{targets: [{name: one, ${kind}: {host: "${server.url}"}}]}`)
  })
  afterAll(async () => {
    await gateway.close()
    await server.close()
  })

  it.each(Object.entries(clients))("serves %s", async (_client, connect) => {
    const client = await connect(gateway.url)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toContain("test_simple_text")
    expect(await client.callTool({ name: "test_simple_text", arguments: {} })).toMatchObject({
      content: [{ type: "text" }],
    })
    expect(await client.readResource({ uri: "test://static-text" })).toMatchObject({
      contents: [{ uri: "test://static-text" }],
    })
    expect(await client.getPrompt({ name: "test_simple_prompt" })).toMatchObject({ messages: [{ role: "user" }] })
    await client.close()
  })
})
