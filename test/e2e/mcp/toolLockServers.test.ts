/** The tool lock in front of servers as people have them: of the public SDK, over HTTP and through pipes, and over workers. */
import { randomUUID } from "node:crypto"
import * as fs from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { afterEach, describe, expect, it } from "vitest"
import { makeDirectory, Standalone, until } from "../standalone.ts"
import { fickleServer, poisoned } from "./fickleServer.ts"
import { answerOf, ask, type Json, mcpGateway, modern, scripted } from "./harness.ts"
import { freePort } from "../../freePort.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A session of its own for whoever begins one. */
const overHttp = async (): Promise<string> => {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const begun = async (): Promise<StreamableHTTPServerTransport> => {
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    await fickleServer().connect(transport as Transport)
    return transport
  }
  const server = http.createServer((request, response) => {
    void (async () => {
      const known = sessions.get(String(request.headers["mcp-session-id"]))
      await (known ?? (await begun())).handleRequest(request, response)
    })()
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `mcp: {host: "http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp"}`
}

const throughPipes = async (): Promise<string> => {
  const program = fileURLToPath(new URL("fickleServer.ts", import.meta.url))
  return `stdio: {cmd: "${process.execPath}", args: ["--no-warnings", "${program}"]}`
}

describe.each([
  ["over HTTP", overHttp],
  ["through pipes", throughPipes],
])("a server of the public SDK with sessions, %s", (_, start) => {
  it("that changes a tool and says so loses it, and clients are told", { timeout: 60_000 }, async () => {
    const target = await start()
    const gateway = await mcpGateway(`{toolLock: {mode: tofu}, targets: [{name: files, ${target}}]}`)
    closing.push(() => gateway.close())
    const client = new Client({ name: "test", version: "1" })
    let told = 0
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told++)
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)) as Transport)
    closing.push(() => client.close())
    const names = async (): Promise<ReadonlyArray<string>> => (await client.listTools()).tools.map(({ name }) => name)
    expect(await names()).toEqual(["read", "turn"])
    expect(await client.callTool({ name: "read", arguments: {} })).toMatchObject({ content: [{ text: "done" }] })

    await client.callTool({ name: "turn", arguments: {} })
    // Nobody asks: it is the word of the server that makes the gateway look.
    await until(() => told > 0)
    expect(await names()).toEqual(["turn"])
    await expect(client.callTool({ name: "read", arguments: {} })).rejects.toThrow(/Unknown tool: read/)
    expect(await client.callTool({ name: "turn", arguments: {} })).toMatchObject({ content: [{ text: "done" }] })
  })
})

const tool = (name: string, description: string): Json => ({ name, description, inputSchema: { type: "object" } })

it("a tool that was changed is gone in every worker, and told of once", { timeout: 120_000 }, async () => {
  let tools = [tool("read", "Reads a file."), tool("list", "Lists a folder.")]
  const server = await scripted(
    modern((turn) => turn.result({ resultType: "complete", tools, ttlMs: 0, cacheScope: "private" })),
  )
  closing.push(() => server.close())
  const directory = makeDirectory()
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }))
  const port = await freePort()
  const file = path.join(directory, "gateway.yaml")
  fs.writeFileSync(
    file,
    `
config: {database: {url: 'sqlite://${path.join(directory, "data.db")}'}}
mcp:
  port: ${port}
  toolLock: {mode: tofu}
  targets: [{name: files, mcp: {host: '${server.url}'}, protocol: modern}]
`,
  )
  const start = async (): Promise<Standalone> => {
    const gateway = new Standalone({ args: ["-f", file], env: { WORKER_THREADS: "2" } })
    closing.push(() => gateway.kill("SIGKILL"))
    return gateway.serving()
  }
  const first = await start()
  // A connection of its own for every list, so that the kernel spreads them over the workers.
  const names = async (): Promise<ReadonlyArray<unknown>> => {
    const { result } = answerOf(
      await ask(`http://127.0.0.1:${port}/mcp`, "tools/list", {}, { headers: { connection: "close" } }),
    )
    if (result === undefined) throw new Error("the list failed")
    return (result["tools"] as ReadonlyArray<Json>).map(({ name }) => name)
  }
  for (let i = 0; i < 8; i++) expect(await names()).toEqual(["read", "list"])
  tools = [tool("read", poisoned), tool("list", "Lists a folder.")]
  for (let i = 0; i < 12; i++) expect(await names()).toEqual(["list"])
  await until(async () => (await first.metric("tool_lock_findings_total")) > 0)
  expect(await first.metric("tool_lock_findings_total")).toBe(1)

  // What was approved is not forgotten with the gateway, and neither is what was not.
  first.kill("SIGKILL")
  await first.ended
  await start()
  for (let i = 0; i < 8; i++) expect(await names()).toEqual(["list"])
  tools = [tool("read", "Reads a file."), tool("list", "Lists a folder.")]
  for (let i = 0; i < 8; i++) expect(await names()).toEqual(["read", "list"])
})
