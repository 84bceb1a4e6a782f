/**
 * HTTP/1 on one connection. The parser and serialiser are node:http, fed with sockets that our own accept stage took;
 * this file is the only one that writes such a socket.
 */
import * as Effect from "effect/Effect"
import * as http from "node:http"
import type { Socket as NetSocket } from "node:net"
import type { Duplex } from "node:stream"
import type { Headers } from "../../protocols/http/headers.ts"
import { type Body, empty, type FlowFailure, type Sink, type Source } from "../../stages/Body.ts"
import type { Reply } from "../../stages/Exchange.ts"
import type {
  Delivered,
  HttpConnection,
  HttpEvents,
  HttpSettings,
  Incoming,
  Socket,
} from "../../stages/ports/Network.ts"
import { ReadableFlow } from "./flow.ts"

/** What this file remembers of a connection. */
interface Connected {
  readonly events: HttpEvents
  readonly asSocket: (stream: Duplex) => Socket
  draining: boolean
}

const connected = new WeakMap<Duplex, Connected>()

class Response {
  private readonly incoming: http.IncomingMessage
  readonly response: http.ServerResponse
  private source: Source | undefined
  private failure: FlowFailure | undefined
  private sent = 0

  constructor(incoming: http.IncomingMessage, response: http.ServerResponse) {
    this.incoming = incoming
    this.response = response
  }

  onGone(listener: () => void): void {
    const { response } = this
    if (response.closed) return listener()
    response.on("close", () => {
      if (!response.writableFinished) listener()
    })
  }

  send(reply: Reply): Effect.Effect<Delivered> {
    const { response } = this
    return Effect.callback<Delivered>((resume) => {
      if (response.closed) return resume(Effect.succeed({ outcome: "clientGone", bytes: 0, failure: undefined }))
      // The listener is added here, not with the response: kept in a field, what it holds would outlive every scavenge.
      response.on("close", () => resume(Effect.succeed(this.delivered())))
      this.write(reply)
      return Effect.sync(() => {
        this.source?.cancel()
        response.destroy()
      })
    })
  }

  private write(reply: Reply): void {
    const { response } = this
    const { body, headers } = reply
    const flat = headers.flat
    if (this.mustClose(body)) response.shouldKeepAlive = false
    if (body._tag === "Flow") {
      response.writeHead(reply.status, flat)
      this.source = body.open(this.sink(body.length))
      if (response.closed) this.source.cancel()
      return
    }
    if (body._tag === "Bytes") {
      if (!headers.has("content-length")) flat.push("content-length", String(body.bytes.byteLength))
      response.writeHead(reply.status, flat)
      this.sent = body.bytes.byteLength
      response.end(body.bytes)
      return
    }
    if (this.hasNoBody(reply.status) || headers.has("content-length") || headers.has("transfer-encoding")) {
      response.writeHead(reply.status, flat)
    } else {
      flat.push("content-length", "0")
      response.writeHead(reply.status, flat)
    }
    response.end()
  }

  private hasNoBody(status: number): boolean {
    return this.incoming.method === "HEAD" || status === 204 || status === 304
  }

  /** A request body that nobody read would be taken for the next request. */
  private mustClose(_body: Body): boolean {
    const state = connected.get(this.incoming.socket)
    return state?.draining === true
  }

  private sink(length: number | undefined): Sink {
    const { response } = this
    return {
      write: (chunk) => {
        this.sent += chunk.byteLength
        if (this.sent === length) {
          response.end(chunk)
          return true
        }
        if (response.write(chunk)) return true
        if (response.listenerCount("drain") === 0) response.on("drain", () => this.source?.resume())
        return false
      },
      end: (trailers: Headers | undefined) => {
        if (response.writableEnded) return
        if (trailers !== undefined) {
          const pairs: Array<[string, string]> = []
          for (const [name, value] of trailers) pairs.push([name, value])
          response.addTrailers(pairs)
        }
        response.end()
      },
      fail: (failure) => {
        this.failure = failure
        response.destroy()
      },
    }
  }

  private delivered(): Delivered {
    const finished = this.response.writableFinished
    if (!finished) this.source?.cancel()
    return {
      outcome: finished ? "complete" : this.failure === undefined ? "clientGone" : "upstreamFailed",
      bytes: this.sent,
      failure: this.failure,
    }
  }
}

const bodyOf = (incoming: http.IncomingMessage, response: http.ServerResponse, expectsContinue: boolean): Body => {
  const length = incoming.headers["content-length"]
  if (length === undefined && incoming.headers["transfer-encoding"] === undefined) return empty
  const declared = length === undefined ? undefined : Number(length)
  if (declared === 0) return empty
  return new ReadableFlow(incoming, declared, expectsContinue ? () => response.writeContinue() : undefined)
}

const versionOf = (incoming: http.IncomingMessage): "1.0" | "1.1" => (incoming.httpVersionMinor === 0 ? "1.0" : "1.1")

const toIncoming = (
  incoming: http.IncomingMessage,
  response: http.ServerResponse,
  expectsContinue: boolean,
): Incoming => {
  const answer = new Response(incoming, response)
  return {
    method: incoming.method ?? "",
    target: incoming.url ?? "",
    version: versionOf(incoming),
    flat: incoming.rawHeaders,
    authority: undefined,
    scheme: undefined,
    body: bodyOf(incoming, response, expectsContinue),
    respond: (reply) => answer.send(reply),
    inform: (status, flat) => inform(response, status, flat),
    gone: (listener) => answer.onGone(listener),
  }
}

const inform = (response: http.ServerResponse, status: number, flat: ReadonlyArray<string>): void => {
  if (response.headersSent || response.req.httpVersionMinor === 0) return
  if (status === 102) return response.writeProcessing()
  if (status !== 103) return
  const hints: Record<string, string | Array<string>> = {}
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    const value = flat[i + 1] as string
    const before = hints[name]
    hints[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value]
  }
  if (hints["link"] !== undefined) response.writeEarlyHints(hints)
}

/** A request that wants the connection itself: an upgrade, or CONNECT. */
const toTunnelling = (
  incoming: http.IncomingMessage,
  socket: NetSocket,
  head: Buffer,
  asSocket: (stream: Duplex) => Socket,
): Incoming => {
  const response = new http.ServerResponse(incoming)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once("finish", () => {
    response.detachSocket(socket)
    if (!taken) socket.end()
  })
  socket.on("error", () => {})
  socket.once("close", () => {
    if (!response.writableFinished) response.destroy()
  })
  let taken = false
  const answer = new Response(incoming, response)
  const tunnel = (reply: Reply, other: NonNullable<Reply["tunnel"]>): Effect.Effect<Delivered> =>
    Effect.suspend(() => {
      taken = true
      response.detachSocket(socket)
      let text = `HTTP/1.1 ${reply.status} ${http.STATUS_CODES[reply.status] ?? ""}\r\n`
      for (const [name, value] of reply.headers) text += `${name}: ${value}\r\n`
      socket.write(`${text}\r\n`, "latin1")
      if (head.byteLength > 0) socket.unshift(head)
      return Effect.map(asSocket(socket).relay(other), (relayed) => ({
        outcome: "complete" as const,
        bytes: relayed.sentBytes,
        failure: undefined,
      }))
    })
  return {
    method: incoming.method ?? "",
    target: incoming.url ?? "",
    version: versionOf(incoming),
    flat: incoming.rawHeaders,
    authority: undefined,
    scheme: undefined,
    body: empty,
    respond: (reply) => (reply.tunnel === undefined ? answer.send(reply) : tunnel(reply, reply.tunnel)),
    inform: (status, flat) => inform(response, status, flat),
    gone: (listener) => answer.onGone(listener),
  }
}

/** Only a request without a body may take over its connection; h2c upgrades are passed by, as their standard allows. */
const mayUpgrade = (incoming: http.IncomingMessage): boolean =>
  incoming.headers["content-length"] === undefined &&
  incoming.headers["transfer-encoding"] === undefined &&
  !/(^|,)\s*h2c\s*(,|$)/i.test(incoming.headers.upgrade ?? "")

const malformed = (error: NodeJS.ErrnoException, socket: Duplex): { status: number; message: string } | undefined => {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: error.code === "HPE_HEADER_OVERFLOW" ? 431 : 413, message: error.message }
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, message: "request head timeout" }
    case "ECONNRESET":
    case "EPIPE":
      return undefined
    default:
      return socket.writable ? { status: 400, message: error.message } : undefined
  }
}

const makeServer = (settings: HttpSettings): http.Server => {
  const server = http.createServer({
    maxHeaderSize: settings.headBytesMax,
    headersTimeout: settings.headTimeoutMillis,
    requestTimeout: 0,
    keepAliveTimeout: settings.idleTimeoutMillis,
    connectionsCheckingInterval: Math.min(1_000, Math.max(50, settings.headTimeoutMillis / 4)),
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
    shouldUpgradeCallback: mayUpgrade,
  })
  server.maxHeadersCount = settings.headersMax + 1
  server.on("request", (incoming, response) => {
    connected.get(incoming.socket)?.events.request(toIncoming(incoming, response, false))
  })
  server.on("checkContinue", (incoming, response) => {
    connected.get(incoming.socket)?.events.request(toIncoming(incoming, response, true))
  })
  server.on("upgrade", (incoming: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const state = connected.get(socket)
    state?.events.request(toTunnelling(incoming, socket as NetSocket, head, state.asSocket))
  })
  server.on("connect", (incoming: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const state = connected.get(socket)
    state?.events.request(toTunnelling(incoming, socket as NetSocket, head, state.asSocket))
  })
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    const refusal = malformed(error, socket)
    if (refusal === undefined || !socket.writable) return void socket.destroy()
    connected.get(socket)?.events.malformed(refusal.status, refusal.message)
    const reason = http.STATUS_CODES[refusal.status] ?? ""
    socket.end(
      `HTTP/1.1 ${refusal.status} ${reason}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${reason.length}\r\n\r\n${reason}`,
      "latin1",
      () => socket.destroy(),
    )
  })
  // The server never listens; this starts its watch over slow heads.
  server.emit("listening")
  return server
}

const servers = new Map<string, http.Server>()

const serverOf = (settings: HttpSettings): http.Server => {
  const key = JSON.stringify(settings)
  const known = servers.get(key)
  if (known !== undefined) return known
  const server = makeServer(settings)
  servers.set(key, server)
  return server
}

export const serve = (
  socket: Duplex,
  settings: HttpSettings,
  events: HttpEvents,
  asSocket: (stream: Duplex) => Socket,
): HttpConnection => {
  const state: Connected = { events, asSocket, draining: false }
  connected.set(socket, state)
  const closed = Effect.callback<void>((resume) => {
    if (socket.destroyed) return resume(Effect.void)
    socket.once("close", () => resume(Effect.void))
  })
  serverOf(settings).emit("connection", socket)
  socket.resume()
  return {
    closed,
    drain: () => {
      state.draining = true
    },
  }
}
