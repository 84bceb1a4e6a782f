import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { clients, connect, withTomlBlock } from "../../src/cli/connect.ts"

let server: http.Server
let url: string

beforeAll(async () => {
  server = http.createServer((request, response) => {
    void (async () => {
      const mcp = new McpServer({ name: "shop", version: "2" })
      mcp.registerTool("buy", { description: "buys" }, () => ({ content: [] }))
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined } as never)
      await mcp.connect(transport as never)
      await transport.handleRequest(request, response)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const home = () => mkdtempSync(join(tmpdir(), "sluice-connect-"))
const asked = (client: string, more: object = {}) => ({ client, url, revert: false, print: false, ...more })
const fileOf = (name: string, folder: string): string =>
  (clients[name] as (typeof clients)[string]).file({ HOME: folder }, folder, "linux")

describe("connect", () => {
  it.each(Object.keys(clients))("writes what %s reads, proves the way, and takes it back", async (name) => {
    const folder = home()
    const file = fileOf(name, folder)
    const printed = await connect(asked(name), { HOME: folder }, folder, "linux")
    expect(printed.error).toBe("")
    expect(printed.out).toContain("it answers: shop 2 with 1 tool\n")
    expect(readFileSync(file, "utf8")).toContain(url)
    expect(statSync(file).mode & 0o077).toBe(0)
    await connect(asked(name), { HOME: folder }, folder, "linux")
    expect(readFileSync(file, "utf8").split(url)).toHaveLength(2)
    const reverted = await connect(asked(name, { revert: true }), { HOME: folder }, folder, "linux")
    expect(reverted.exitCode).toBe(0)
    expect(existsSync(file)).toBe(false)
  })

  it("leaves everything else in the file as it was", async () => {
    const folder = home()
    const file = fileOf("cursor", folder)
    mkdirSync(dirname(file), { recursive: true })
    const before = `{\n    "theme": "dark",\n    "mcpServers": {\n        "other": {\n            "url": "http://other"\n        }\n    }\n}\n`
    writeFileSync(file, before, { mode: 0o644 })
    await connect(asked("cursor"), { HOME: folder }, folder, "linux")
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      theme: "dark",
      mcpServers: { other: { url: "http://other" }, sluice: { url } },
    })
    await connect(asked("cursor", { revert: true }), { HOME: folder }, folder, "linux")
    expect(readFileSync(file, "utf8")).toBe(before)
    expect(statSync(file).mode & 0o777).toBe(0o644)
  })

  it("does not touch a file it cannot read, and shows what belongs into it", async () => {
    const folder = home()
    const file = fileOf("vscode", folder)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, "{ // mine\n}")
    const printed = await connect(asked("vscode"), { HOME: folder }, folder, "linux")
    expect(printed.exitCode).toBe(1)
    expect(printed.error).toContain('"servers"')
    expect(readFileSync(file, "utf8")).toBe("{ // mine\n}")
  })

  it("says so when nothing answers yet", async () => {
    const folder = home()
    const printed = await connect(asked("claude", { url: "http://127.0.0.1:1/mcp" }), { HOME: folder }, folder, "linux")
    expect(printed.exitCode).toBe(1)
    expect(printed.error).toContain("--revert")
  })

  it("keeps a block of its own in TOML", () => {
    const before = 'model = "x"\n\n[mcp_servers.other]\nurl = "http://other"\n'
    const once = withTomlBlock(before, url)
    expect(once.startsWith(before)).toBe(true)
    expect(withTomlBlock(once, `${url}2`)).toBe(once.replace(url, `${url}2`))
    expect(withTomlBlock(once, undefined)).toBe(before)
  })
})
