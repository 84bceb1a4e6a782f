/**
 * A proxy built of the SDK's own server and client, for scale: what passing a call on costs where nobody minds.
 *
 *   node bench/sdkProxy.ts UPSTREAM_PORT
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { type NodeIncomingMessageLike, toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server"

const client = new Client({ name: "proxy", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } })
await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${process.argv[2]}/mcp`)))

const handler = createMcpHandler(() => {
  const made = new McpServer({ name: "proxy", version: "1" }, { capabilities: { tools: {} } })
  made.server.setRequestHandler("tools/call", ({ params }) => client.callTool(params) as never)
  made.server.setRequestHandler("tools/list", () => client.listTools() as never)
  return made
})
const answer = toNodeHandler(handler)
const server = http.createServer((request, response) => void answer(request as NodeIncomingMessageLike, response))
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once("disconnect", () => process.exit())
