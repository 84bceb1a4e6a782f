/** The bundled sample service behind the embedded configuration: says what it was asked, on loopback only. */
import type * as http from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { createServer } from "../node/builtinHttp.ts"
import { answerAgent } from "./agent.ts"
import { clockServer } from "./clockServer.ts"
import { Notes } from "./notes.ts"
import { answer as answerTool, type ToolServer } from "./toolServer.ts"

const eventsMax = 100
/** Statuses whose replies have no body (RFC 9110 §6.4.1). */
const bodiless = new Set(["204", "205", "304"])

const streamEvents = (response: http.ServerResponse, count: number): void => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
  let sent = 0
  const timer = setInterval(() => {
    sent++
    response.write(`data: ${JSON.stringify({ event: sent, of: count })}\n\n`)
    if (sent < count) return
    clearInterval(timer)
    response.end()
  }, 100)
  response.on("close", () => clearInterval(timer))
}

/** The program of the bundled stdio server. */
const textServer = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./textServer.ts" : "./textServer.js", import.meta.url),
)

const bodyBytesMax = 1_048_576

/** The body as JSON; undefined where it is none. */
const withBody = (request: http.IncomingMessage, then: (body: unknown) => void): void => {
  const chunks: Array<Buffer> = []
  let length = 0
  request.on("data", (chunk: Buffer) => {
    length += chunk.byteLength
    if (length <= bodyBytesMax) chunks.push(chunk)
  })
  request.on("end", () => then(length > bodyBytesMax ? undefined : parse(Buffer.concat(chunks).toString("utf8"))))
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const sendJson = (response: http.ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}

const answerMcp = (server: ToolServer, request: http.IncomingMessage, response: http.ServerResponse): void => {
  if (request.method !== "POST") {
    response.writeHead(405)
    response.end()
    return
  }
  withBody(request, (body) => {
    const { message, status } = answerTool(server, body)
    if (message !== undefined) return sendJson(response, status, message)
    response.writeHead(status)
    response.end()
  })
}

interface Served {
  readonly clock: ToolServer
  readonly notes: Notes
}

const answer = ({ clock, notes }: Served, request: http.IncomingMessage, response: http.ServerResponse): void => {
  const [path = "/", query = ""] = (request.url ?? "/").split("?", 2)
  if (path === "/mcp") return answerMcp(clock, request, response)
  if (/^\/notes(?:\/|$)/.test(path)) {
    return withBody(request, (body) => {
      const reply = notes.answer(request.method ?? "GET", path.slice("/notes".length), new URLSearchParams(query), body)
      sendJson(response, reply.status, reply.body)
    })
  }
  const status = /^\/status\/([2-5]\d\d)$/.exec(path)?.[1]
  if (answerAgent(request, response)) return
  if (path === "/events") {
    request.resume()
    const count = Math.trunc(Number(new URLSearchParams(query).get("count") ?? 5))
    return streamEvents(response, count >= 1 ? Math.min(eventsMax, count) : 5)
  }
  if (path === "/echo") {
    response.writeHead(200, { "content-type": request.headers["content-type"] ?? "application/octet-stream" })
    request.pipe(response)
    return
  }
  request.resume()
  request.once("end", () => {
    if (status !== undefined && bodiless.has(status)) {
      response.writeHead(Number(status))
      response.end()
      return
    }
    const body = `${JSON.stringify(
      {
        service: "sluice sample",
        method: request.method,
        path: request.url,
        headers: request.headers,
        try: ["/echo", "/events?count=3", "/status/418"],
      },
      undefined,
      2,
    )}\n`
    response.writeHead(status === undefined ? 200 : Number(status), {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    })
    response.end(body)
  })
}

export interface Sample {
  /** What the embedded configuration takes from the environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly close: () => void
}

export const startSample = (): Promise<Sample> =>
  new Promise((resolve, reject) => {
    const served: Served = { clock: clockServer(Date.now), notes: new Notes() }
    const server = createServer((request, response) => answer(served, request, response))
    server.once("error", reject)
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      resolve({
        environment: {
          SLUICE_SAMPLE_PORT: String((server.address() as AddressInfo).port),
          SLUICE_NODE: process.execPath,
          SLUICE_TEXT_SERVER: textServer,
        },
        close: () => {
          server.close()
          server.closeAllConnections()
        },
      })
    })
  })
