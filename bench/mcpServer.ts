/**
 * An MCP server of both generations that costs as little as it can: sessions are named and not looked at.
 *
 *   node bench/mcpServer.ts [LIST_TTL_MILLIS]
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

const ttl = Number(process.argv[2] ?? 0)

const words = "The forecast for tomorrow is dry, with light wind from the west and a little sun. "
const content = JSON.stringify([{ type: "text", text: words.repeat(4) }])
const tool = (name: string) => ({
  name,
  description: words.repeat(2),
  inputSchema: {
    type: "object",
    properties: { city: { type: "string", description: words }, days: { type: "integer", minimum: 1, maximum: 14 } },
    required: ["city"],
  },
})
const tools = JSON.stringify(["forecast", "history", "warnings", "stations", "radar"].map(tool))
const capabilities = '{"tools":{"listChanged":true}}'
const info = '{"name":"bench","version":"1"}'

const modern: Readonly<Record<string, string>> = {
  "tools/call": `{"resultType":"complete","content":${content}}`,
  "tools/list": `{"resultType":"complete","tools":${tools},"ttlMs":${ttl},"cacheScope":"public"}`,
  "server/discover": `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":${capabilities},"ttlMs":60000,"cacheScope":"public","serverInfo":${info}}`,
}
const legacy: Readonly<Record<string, string>> = {
  "tools/call": `{"content":${content}}`,
  "tools/list": `{"tools":${tools}}`,
  initialize: `{"protocolVersion":"2025-11-25","capabilities":${capabilities},"serverInfo":${info}}`,
}

let sessions = 0

const server = http.createServer({ noDelay: true }, (incoming, response) => {
  if (incoming.method !== "POST") {
    incoming.resume()
    return void response.writeHead(incoming.method === "DELETE" ? 200 : 405).end()
  }
  const chunks: Array<Buffer> = []
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
  incoming.once("end", () => {
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id?: unknown; method: string }
    if (id === undefined) return void response.writeHead(202).end()
    const isModern = incoming.headers["mcp-protocol-version"] === "2026-07-28"
    const result = (isModern ? modern : legacy)[method]
    const body = Buffer.from(
      result === undefined
        ? `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"Method not found"}}`
        : `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`,
    )
    const head: http.OutgoingHttpHeaders = { "content-type": "application/json", "content-length": body.byteLength }
    if (method === "initialize") head["mcp-session-id"] = `session-${++sessions}`
    response.writeHead(result === undefined && isModern ? 404 : 200, head)
    response.end(body)
  })
})
server.keepAliveTimeout = 0
server.listen(0, "127.0.0.1", 4096, () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once("disconnect", () => process.exit())
