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
import { Fixture, type Style } from "./Fixture.ts"

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
  readonly fixture: Fixture
  readonly close: () => Promise<void>
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

const legacyServer = (fixture: Fixture): McpServer => {
  const server = everything(fixture, "legacy")
  fixture.sessions.add(server)
  return server
}

const streamable = (fixture: Fixture, era: Eras): Handler => {
  const modern = createMcpHandler(({ era: served }) => everything(fixture, served), {
    legacy: "reject",
    bus: fixture.bus,
  })
  const handle = toNodeHandler(modern)
  // Every request of a server has a method and a URL; its type is also that of a client's reply.
  const answerModern = (request: IncomingMessage, response: ServerResponse, body?: unknown) =>
    handle(request as NodeIncomingMessageLike, response, body)
  const answerLegacy = sessions(
    () => legacyServer(fixture),
    (server) => void fixture.sessions.delete(server),
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

const twoEndpoints = (fixture: Fixture): Handler =>
  httpSse(async (transport) => {
    const server = legacyServer(fixture)
    await server.connect(transport)
    const closed = transport.onclose
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- transports of the SDK have one listener
    transport.onclose = () => {
      fixture.sessions.delete(server)
      closed?.()
    }
  })

/** Listens on `localhost`, which is the only host that is answered. */
export const serve = ({ era, port, style, transport }: Options): Promise<Running> => {
  const fixture = new Fixture(style)
  const handler = transport === "sse" ? twoEndpoints(fixture) : streamable(fixture, era)
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
      resolve({ url: `http://localhost:${bound}${path}`, server, fixture, close })
    })
  })
}

const stdio = (fixture: Fixture, era: Eras): void => {
  if (era === "legacy") void legacyServer(fixture).connect(new StdioServerTransport())
  else {
    const make = (served: "legacy" | "modern"): McpServer => {
      // Here a server is a connection in either era.
      const server = everything(fixture, served)
      fixture.sessions.add(server)
      return server
    }
    serveStdio(({ era: served }) => make(served), { legacy: era === "dual" ? "serve" : "reject" })
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
  if (values.transport === "stdio") stdio(new Fixture(style), era)
  else {
    const transport = values.transport === "sse" ? "sse" : "http"
    const running = await serve({ transport, era, style, port: Number(values.port) })
    console.log(running.url)
  }
}
