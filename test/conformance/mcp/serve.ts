/**
 * Runs the fixture: `node serve.ts --transport http|sse|stdio --era dual|legacy|modern --style push|write-once --port 0`.
 * Over HTTP its first line on stdout is its URL.
 */
import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeIncomingMessageLike,
  toNodeHandler,
} from "@modelcontextprotocol/node"
import { createMcpHandler, isLegacyRequest, type McpServer } from "@modelcontextprotocol/server"
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { parseArgs } from "node:util"
import { everything } from "./everything.ts"
import { bodyOf, httpSse } from "./httpSse.ts"
import { sessions } from "./sessions.ts"
import { Shared, type Style } from "./Shared.ts"

export type Eras = "dual" | "legacy" | "modern"

export interface Options {
  readonly transport: "http" | "sse"
  readonly era: Eras
  readonly style: Style
  readonly port: number
}

export interface Running {
  readonly url: string
  readonly server: Server
  readonly shared: Shared
  readonly close: () => Promise<void>
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

const legacyServer = (shared: Shared): McpServer => {
  const server = everything(shared, "legacy")
  shared.sessions.add(server)
  return server
}

const streamable = (shared: Shared, era: Eras): Handler => {
  const modern = createMcpHandler(({ era: served }) => everything(shared, served), {
    legacy: "reject",
    bus: shared.bus,
  })
  const handle = toNodeHandler(modern)
  // Every request of a server has a method and a URL; its type is also that of a client's reply.
  const answerModern = (request: IncomingMessage, response: ServerResponse, body?: unknown) =>
    handle(request as NodeIncomingMessageLike, response, body)
  const answerLegacy = sessions(
    () => legacyServer(shared),
    (server) => void shared.sessions.delete(server),
  )
  return async (request, response) => {
    if (request.method !== "POST") {
      return era === "modern" ? answerModern(request, response) : answerLegacy(request, response, undefined)
    }
    let body: unknown
    try {
      body = JSON.parse(await bodyOf(request))
    } catch {
      response.writeHead(400, { "content-type": "application/json" })
      response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}')
      return
    }
    const headers = Object.entries(request.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    )
    const head = new Request("http://localhost/mcp", { method: "POST", headers })
    const isLegacy = era === "legacy" || (era === "dual" && (await isLegacyRequest(head, body)))
    return isLegacy ? answerLegacy(request, response, body) : answerModern(request, response, body)
  }
}

const twoEndpoints = (shared: Shared): Handler =>
  httpSse(async (transport) => {
    const server = legacyServer(shared)
    await server.connect(transport)
    const closed = transport.onclose
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- transports of the SDK have one listener
    transport.onclose = () => {
      shared.sessions.delete(server)
      closed?.()
    }
  })

/** Listens on `localhost`, which is the only host that is answered. */
export const serve = ({ era, port, style, transport }: Options): Promise<Running> => {
  const shared = new Shared(style)
  const handler = transport === "sse" ? twoEndpoints(shared) : streamable(shared, era)
  const isHost = localhostHostValidation()
  const isOrigin = localhostOriginValidation()
  const server = createServer((request, response) => {
    if (!isHost(request, response) || !isOrigin(request, response)) return
    handler(request, response).catch((cause: unknown) => {
      if (!response.headersSent) response.writeHead(500)
      response.end(String(cause))
    })
  })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => {
      const { port: bound } = server.address() as AddressInfo
      const close = () =>
        new Promise<void>((done) => {
          server.close(() => done())
          server.closeAllConnections()
        })
      const path = transport === "sse" ? "/sse" : "/mcp"
      resolve({ url: `http://localhost:${bound}${path}`, server, shared, close })
    })
  })
}

const stdio = (shared: Shared, era: Eras): void => {
  if (era === "legacy") void legacyServer(shared).connect(new StdioServerTransport())
  else {
    serveStdio(({ era: served }) => (served === "legacy" ? legacyServer(shared) : everything(shared, served)), {
      legacy: era === "dual" ? "serve" : "reject",
    })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      transport: { type: "string", default: "http" },
      era: { type: "string", default: "dual" },
      style: { type: "string", default: "push" },
      port: { type: "string", default: "0" },
    },
  })
  const era = values.era as Eras
  const style = values.style as Style
  if (values.transport === "stdio") stdio(new Shared(style), era)
  else {
    const transport = values.transport === "sse" ? "sse" : "http"
    const running = await serve({ transport, era, style, port: Number(values.port) })
    console.log(running.url)
  }
}
