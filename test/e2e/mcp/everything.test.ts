/** Clients as people have them, in front of the reference server over each of its transports, and of a server of the first SDK. */
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { createServer, type Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Server as FirstServer } from "@modelcontextprotocol/sdk/server/index.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import {
  CallToolRequestSchema,
  GetPromptRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
} from "@modelcontextprotocol/sdk/types.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type McpGateway, mcpGateway } from "./harness.ts"
import { freePort } from "../../freePort.ts"

const program = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js")

interface Running {
  /** What stands behind the name of the target. */
  readonly target: string
  readonly close: () => Promise<void> | void
}

const listening = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      if (/(?:on|port) \d+|listening|running/i.test(chunk.toString())) resolve()
    })
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)))
  })

const overHttp = async (transport: "sse" | "streamableHttp"): Promise<Running> => {
  const port = await freePort()
  const child = spawn(process.execPath, [program, transport], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PORT: String(port) },
  })
  await listening(child)
  const target =
    transport === "sse" ? `sse: {host: "http://localhost:${port}/sse"}` : `mcp: {host: "http://localhost:${port}/mcp"}`
  return { target, close: () => void child.kill("SIGKILL") }
}

const firstSdk = async (): Promise<Running> => {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const made = (): FirstServer => {
    const capabilities = { tools: {}, resources: {}, prompts: {} }
    const server = new FirstServer({ name: "first", version: "1" }, { capabilities })
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [{ name: "echo", inputSchema: { type: "object" as const, properties: { message: { type: "string" } } } }],
    }))
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => ({
      content: [{ type: "text" as const, text: `Echo: ${String(params.arguments?.["message"])}` }],
    }))
    server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: [{ uri: "note://one", name: "note" }] }))
    server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => ({
      contents: [{ uri: params.uri, text: "noted" }],
    }))
    server.setRequestHandler(GetPromptRequestSchema, () => ({
      messages: [{ role: "user" as const, content: { type: "text" as const, text: "Say it." } }],
    }))
    return server
  }
  const http: Server = createServer((request, response) => {
    const known = sessions.get(String(request.headers["mcp-session-id"]))
    if (known !== undefined) return void known.handleRequest(request, response)
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    void made()
      .connect(transport as Transport)
      .then(() => transport.handleRequest(request, response))
  })
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  return {
    target: `mcp: {host: "http://localhost:${(http.address() as AddressInfo).port}/mcp"}`,
    close: () => {
      http.closeAllConnections()
      http.close()
    },
  }
}

const servers: Readonly<Record<string, () => Promise<Running>>> = {
  "the reference server behind pipes": () =>
    Promise.resolve({
      target: `stdio: {cmd: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(program)}, stdio]}`,
      close: () => {},
    }),
  "the reference server over HTTP+SSE": () => overHttp("sse"),
  "the reference server over Streamable HTTP": () => overHttp("streamableHttp"),
  "a server of the first SDK": firstSdk,
}

interface Connected {
  readonly listTools: () => Promise<{ readonly tools: ReadonlyArray<{ readonly name: string }> }>
  readonly callTool: (params: { name: string; arguments?: Record<string, unknown> }) => Promise<unknown>
  readonly listResources: () => Promise<{ readonly resources: ReadonlyArray<{ readonly uri: string }> }>
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

describe.each(Object.entries(servers))("%s", (_name, start) => {
  let server: Running
  let gateway: McpGateway

  beforeAll(async () => {
    server = await start()
    gateway = await mcpGateway(`{targets: [{name: one, ${server.target}}]}`)
  }, 120_000)
  afterAll(async () => {
    await gateway.close()
    await server.close()
  })

  it.each(Object.entries(clients))("serves %s", { timeout: 120_000 }, async (_client, connect) => {
    const client = await connect(gateway.url)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toContain("echo")
    expect(await client.callTool({ name: "echo", arguments: { message: "hello" } })).toMatchObject({
      content: [{ type: "text", text: "Echo: hello" }],
    })
    const { resources } = await client.listResources()
    const [first] = resources
    if (first === undefined) throw new Error("no resources")
    expect(await client.readResource({ uri: first.uri })).toMatchObject({ contents: [{ uri: first.uri }] })
    expect(await client.getPrompt({ name: "simple-prompt" })).toMatchObject({ messages: [{ role: "user" }] })
    await client.close()
  })
})
