/** A second server for a federation, whose names clash with nobody's: prints its URL and serves until it is stopped. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const tool = { name: "other_tool", description: "Of another server.", inputSchema: { type: "object" } }

const results: Readonly<Record<string, unknown>> = {
  "server/discover": { supportedVersions: ["2026-07-28"], capabilities: { tools: { listChanged: true } } },
  "tools/list": { tools: [tool], ttlMs: 60_000, cacheScope: "public" },
  "tools/call": { content: [{ type: "text", text: "of another server" }] },
  "prompts/list": { prompts: [], ttlMs: 60_000, cacheScope: "public" },
  "resources/list": { resources: [], ttlMs: 60_000, cacheScope: "public" },
  "resources/templates/list": { resourceTemplates: [], ttlMs: 60_000, cacheScope: "public" },
}

const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id?: unknown; method: string }
    const result = results[method]
    const answer =
      result === undefined
        ? { jsonrpc: "2.0", id, error: { code: -32_601, message: "Method not found" } }
        : { jsonrpc: "2.0", id, result: { resultType: "complete", ttlMs: 0, cacheScope: "private", ...result } }
    response.writeHead(result === undefined ? 404 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(answer))
  })
})
server.listen(0, "127.0.0.1", () => console.log(`http://localhost:${(server.address() as AddressInfo).port}/mcp`))
