/** What `npm start` serves without a configuration, as agents of either generation of the SDK meet it. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { embedded } from "../../../src/embedded/config.ts"
import { type Sample, startSample } from "../../../src/embedded/sample.ts"
import { gatewayOptions } from "../../../src/gatewayOptions.ts"
import { loadedOf } from "../../config/memoryIo.ts"
import { type Started, startGateway } from "../harness.ts"

let sample: Sample
let gateway: Started
let url: URL

beforeAll(async () => {
  sample = await startSample()
  const { snapshot, static: settings, warnings } = await loadedOf(embedded, { env: sample.environment })
  expect(warnings).toEqual([])
  const binds = new Map(
    [...snapshot.binds].map(([key, bind]) => [
      key,
      { ...bind, address: { _tag: "Ip" as const, host: "127.0.0.1", port: 0 } },
    ]),
  )
  gateway = await startGateway({ ...snapshot, binds }, gatewayOptions(settings))
  url = new URL(`http://localhost:${gateway.port}/mcp`)
})
afterAll(async () => {
  await gateway.close()
  sample.close()
})

const tools = [
  "count_words",
  "checksum",
  "change_case",
  "now",
  "convert",
  "list_notes",
  "add_note",
  "read_note",
  "delete_note",
]

describe("the embedded example", () => {
  it("is three servers as one for a client of the first SDK", async () => {
    const client = new Client({ name: "agent", version: "1" })
    // oxlint-disable-next-line typescript/no-explicit-any -- the SDK's own types disagree about optional members
    await client.connect(new StreamableHTTPClientTransport(url) as any)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(tools)
    expect(client.getInstructions()).toContain("[clock]\nWhat time it is, anywhere.")
    const told = await client.callTool({ name: "change_case", arguments: { text: "hello", to: "upper" } })
    expect(told["content"]).toEqual([{ type: "text", text: "HELLO" }])
    const added = await client.callTool({ name: "add_note", arguments: { body: { text: "milk" } } })
    expect(added["structuredContent"]).toMatchObject({ text: "milk" })
    const found = await client.callTool({ name: "list_notes", arguments: { query: { containing: "mil" } } })
    expect(found["structuredContent"]).toMatchObject({ notes: [{ text: "milk" }] })
    expect((await client.callTool({ name: "read_note", arguments: { path: { id: 99 } } }))["isError"]).toBe(true)
    await client.close()
  })

  it.each(["legacy", "auto"] as const)("and for one of the second, negotiating %s", async (mode) => {
    const client = new ModernClient({ name: "agent", version: "1" }, { versionNegotiation: { mode } })
    await client.connect(new ModernTransport(url))
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(tools)
    const told = await client.callTool({ name: "convert", arguments: { instant: "2026-01-31T12:00:00Z", zone: "UTC" } })
    expect(JSON.stringify(told.content)).toContain("31 January 2026 at 12:00:00")
    await client.close()
  })

  it("still answers everything else", async () => {
    const reply = await fetch(new URL("/hello", url))
    expect(await reply.json()).toMatchObject({ service: "sluice sample", path: "/hello" })
  })
})
