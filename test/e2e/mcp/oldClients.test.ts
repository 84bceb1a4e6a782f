/** What a server of today says, for clients that were written before it: strict ones, and very old ones. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { onStream } from "./faces.ts"
import {
  answerOf,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  modern,
  type Scripted,
  scripted,
} from "./harness.ts"

const tools: ReadonlyArray<Json> = [
  { name: "list", inputSchema: { type: "object" }, outputSchema: { type: "array", items: { type: "integer" } } },
  { name: "untyped", inputSchema: { properties: { a: { type: "string" } } } },
  { name: "either", inputSchema: { oneOf: [{ required: ["a"] }, { required: ["b"] }] } },
  { name: "scalar", inputSchema: { type: "string" } },
  {
    name: "mirrored",
    inputSchema: { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } },
  },
  {
    name: "unmirrorable",
    inputSchema: { type: "object", properties: { size: { type: "number", "x-mcp-header": "Size" } } },
  },
]

const contents: Readonly<Record<string, Json>> = {
  list: { structuredContent: [1, 2], content: [] },
  structured: { structuredContent: { a: 1 } },
  untyped: {
    content: [
      { type: "audio", data: "AAAA", mimeType: "audio/wav" },
      { type: "resource_link", uri: "note://1", name: "a note" },
      { type: "text", text: "plain" },
    ],
  },
}

const prompt: Json = {
  messages: [
    { role: "user", content: { type: "audio", data: "AAAA", mimeType: "audio/wav" } },
    { role: "user", content: { type: "resource_link", uri: "note://2", name: "another" } },
    { role: "user", content: { type: "text", text: "plain" } },
  ],
}

let server: Scripted
let gateway: McpGateway
beforeAll(async () => {
  server = await scripted(
    modern(
      (turn) => {
        const { method, params = {} } = turn.message
        if (method === "tools/list") {
          return turn.result({ resultType: "complete", tools, ttlMs: 0, cacheScope: "private" })
        }
        if (method === "resources/read") return turn.error(-32_602, "not found", { uri: params["uri"] })
        return turn.result({ resultType: "complete", content: [], ...contents[String(params["name"])] })
      },
      { tools: {}, resources: {} },
    ),
  )
  gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`)
})
afterAll(async () => {
  await gateway.close()
  await server.close()
})

describe("a strict client of the first SDK", () => {
  it("gets past every tool that it can call, and past what they answer", async () => {
    const client = new Client({ name: "old", version: "1" })
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)) as Transport)
    const listed = await client.listTools()
    // One cannot be called with an object, and one wants a header that cannot be made.
    expect(listed.tools.map(({ name }) => name)).toEqual(["list", "untyped", "either", "mirrored"])
    for (const { inputSchema } of listed.tools) expect(inputSchema.type).toBe("object")
    // It checks what is answered against what was promised.
    const answer = await client.callTool({ name: "list" })
    expect(answer["structuredContent"]).toEqual({ value: [1, 2] })
    expect(answer["content"]).toEqual([{ type: "text", text: "[1,2]" }])
    await expect(client.readResource({ uri: "note://9" })).rejects.toMatchObject({ code: -32_002 })
    await client.close()
  })
})

describe("a client of 2024-11-05", () => {
  it("is told in words what it could not read", async () => {
    const face = await onStream(gateway.url)
    expect(face.introduction["protocolVersion"]).toBe("2024-11-05")
    const { result } = await face.request("tools/call", { name: "untyped", arguments: {} })
    expect(result?.["content"]).toEqual([
      { type: "text", text: "[audio: audio/wav]" },
      { type: "text", text: "note://1" },
      { type: "text", text: "plain" },
    ])
    const listed = (await face.request("tools/list")).result?.["tools"] as ReadonlyArray<Json>
    const names = listed.map(({ name }) => name)
    expect(names).toEqual(["list", "untyped", "either", "mirrored"])
    face.close()
  })
})

describe.each([
  ["of today", modern],
  ["of 2025-11-25", legacy],
] as const)("before a server %s", (_who, kind) => {
  const behind = async (): Promise<Pick<McpGateway, "url" | "close">> => {
    const newer = await scripted(
      kind(
        ({ message, result }) => {
          if (message.method === "prompts/get") return result({ resultType: "complete", ...prompt })
          return result({ resultType: "complete", ...contents[String(message.params?.["name"])] })
        },
        { tools: {}, prompts: {} },
      ),
    )
    const { close, url } = await mcpGateway(`{targets: [{name: one, mcp: {host: "${newer.url}"}}]}`)
    return { url, close: async () => void (await Promise.all([close(), newer.close()])) }
  }

  it.each([
    ["2024-11-05", "[audio: audio/wav]", "note://1"],
    ["2025-03-26", undefined, "note://1"],
    ["2025-06-18", undefined, undefined],
  ])("a client of %s reads in words what it could not read otherwise", async (version, audio, link) => {
    const { close, url } = await behind()
    const client = await begin(url, { version })
    const types = (blocks: unknown): ReadonlyArray<unknown> =>
      (blocks as ReadonlyArray<Json>).map(({ text, type }) => (type === "text" ? text : type))
    const result = answerOf(await client.request("tools/call", { name: "untyped", arguments: {} })).result
    expect(types(result?.["content"])).toEqual([audio ?? "audio", link ?? "resource_link", "plain"])
    const { messages } = answerOf(await client.request("prompts/get", { name: "p" })).result as Json
    expect(types((messages as ReadonlyArray<Json>).map(({ content }) => content))).toEqual([
      audio ?? "audio",
      link === undefined ? "resource_link" : "note://2",
      "plain",
    ])
    const structured = answerOf(await client.request("tools/call", { name: "structured", arguments: {} })).result
    expect(structured?.["structuredContent"]).toEqual({ a: 1 })
    if (link !== undefined) expect(structured?.["content"]).toEqual([{ type: "text", text: '{"a":1}' }])
    await close()
  })
})
