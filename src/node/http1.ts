/**
 * HTTP/1 on one connection. The parser and serialiser are node:http, fed with sockets that our own accept stage took;
 * this file is the only one that writes such a socket. Requests are served one after the other: a client may send
 * ahead, but nothing it sent begins before the reply before it is on its way.
 */
import * as Effect from "effect/Effect"
import type * as http from "node:http"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import type { Headers } from "../../protocols/http/headers.ts"
import { mayUpgradeTo } from "../../protocols/http/hopByHop.ts"
import { type Body, discard, empty, flowFailure, type FlowFailure, type Sink, type Source } from "../../stages/Body.ts"
import type { Reply } from "../../stages/Exchange.ts"
import type { Delivered, HttpConnection, HttpEvents, HttpSettings, Incoming } from "../../stages/ports/Network.ts"
import { createServer, ServerResponse, STATUS_CODES } from "./builtinHttp.ts"
import { ReadableFlow } from "./flow.ts"
import { lookEveryMillis, queuedOf } from "./queued.ts"
import type { NodeSocket } from "./socket.ts"
import { takeOver } from "./tunnel.ts"

/** How long what a client still sends is read and thrown away, so that closing does not destroy its reply on the way. */
export const LINGER_MILLIS = 1_000

/** A body of at most so many bytes that nobody read is thrown away for the sake of the connection. */
export const UNREAD_BYTES_MAX = 65_536

/** How many requests a client may send ahead of their replies. */
export const PIPELINED_MAX = 1_024

/** How long a client that is not read from, or has closed its own half, may be left without a byte. */
export const HALF_CLOSED_SILENCE_MILLIS = 5_000

/** When an interim reply is repeated to a client that has closed its own half. */
const PROBE_MILLIS = 100

/** How many idle parsers with settings of their own are kept. */
const SERVERS_MAX = 16

const gone: Delivered = { outcome: "clientGone", bytes: 0, failure: undefined }

/** A request, and the reply that is owed for it. */
class Call implements Incoming, Sink {
  readonly method: string
  readonly target: string
  readonly version: "1.0" | "1.1"
  readonly flat: Array<string>
  readonly authority = undefined
  readonly scheme = undefined
  readonly protocol = undefined
  readonly body: Body
  readonly flow: ReadableFlow | undefined
  readonly incoming: http.IncomingMessage
  readonly response: http.ServerResponse
  protected readonly connection: Connection
  private readonly expects: boolean
  private finish: ((delivered: Effect.Effect<Delivered>) => void) | undefined
  private listener: (() => void) | undefined
  private source: Source | undefined
  private failure: FlowFailure | undefined
  private sent = 0
  /** Bytes that the head announced. */
  private declared = Infinity
  private isEventStream = false
  private bodiless = false
  private wrote = false
  private waitsForDrain = false
  private closed = false

  constructor(connection: Connection, incoming: http.IncomingMessage, response: http.ServerResponse, expects: boolean) {
    this.connection = connection
    this.incoming = incoming
    this.response = response
    this.expects = expects
    this.method = incoming.method as string
    this.target = incoming.url as string
    this.version = incoming.httpVersionMinor === 0 ? "1.0" : "1.1"
    this.flat = incoming.rawHeaders
    this.flow = this.flowOf(incoming)
    this.body = this.flow ?? empty
    response.on("close", () => this.onClose())
  }

  private flowOf(incoming: http.IncomingMessage): ReadableFlow | undefined {
    const flat = this.flat
    let length: number | undefined
    let has = false
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string
      if (name.length === 14 && name.toLowerCase() === "content-length") {
        length = Number(flat[i + 1])
        has = true
      } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
        length = undefined
        has = true
        break
      }
    }
    if (!has || length === 0) return undefined
    return new ReadableFlow(incoming, length, this.expects ? () => this.invite() : undefined)
  }

  /** The body is wanted: a client that waits to hear so is told. */
  private invite(): void {
    const { response } = this
    if (!response.headersSent && !response.destroyed) response.writeContinue()
  }

  gone(listener: () => void): void {
    if (this.closed) listener()
    else this.listener = listener
  }

  /**
   * Writes something that changes nothing, for the answer of a host that no longer has the connection: an interim reply,
   * or, where chunks are sent, a leading zero of the next one's size (RFC 9112 §7.1). A reply of known length has no such
   * place.
   */
  nudge(): void {
    const { response } = this
    if (!response.headersSent) return this.inform(102, [])
    if (!response.chunkedEncoding || response.writableEnded || response.destroyed) return
    const { socket } = response
    if (socket === null || !socket.writable) return
    response.flushHeaders()
    socket.write("0")
  }

  readonly inform = (status: number, flat: Array<string>): void => {
    const { response } = this
    // 100 is between us and the client, 101 is no interim reply, and HTTP/1.0 knows neither.
    if (status < 102 || status > 199 || this.version === "1.0") return
    if (response.headersSent || response.destroyed) return
    try {
      response.writeInformation(status, flat)
    } catch {
      // A field that cannot be written is not worth an interim reply.
    }
  }

  respond(reply: Reply): Effect.Effect<Delivered> {
    return Effect.callback<Delivered>((resume) => {
      if (this.closed) {
        discard(reply.body)
        return resume(Effect.succeed(gone))
      }
      this.finish = resume
      try {
        this.begin(reply)
      } catch (error) {
        this.replace(reply, error instanceof Error ? error.message : String(error))
      }
      return Effect.sync(() => this.abort())
    })
  }

  private abort(): void {
    this.finish = undefined
    this.source?.cancel()
    this.connection.breakOff(this)
  }

  private begin(reply: Reply): void {
    const { response } = this
    const { body, headers, status } = reply
    if (this.connection.draining || this.leavesUnread()) response.shouldKeepAlive = false
    if (this.version === "1.0") response.useChunkedEncodingByDefault = false
    this.bodiless = this.method === "HEAD" || status === 204 || status === 304
    if (status === 204) headers.remove("content-length")
    switch (body._tag) {
      case "Flow":
        return this.stream(reply, body.length)
      case "Bytes":
        if (!this.bodiless) headers.set("content-length", String(body.bytes.byteLength))
        response.writeHead(status, headers.written)
        this.sent = body.bytes.byteLength
        endWith(response, body.bytes)
        return
      case "Empty":
        if (!this.bodiless) headers.set("content-length", "0")
        response.writeHead(status, headers.written)
        response.end()
    }
  }

  private stream(reply: Reply, length: number | undefined): void {
    const { response } = this
    const { headers } = reply
    const declared = headers.get("content-length")
    if (declared !== undefined) this.declared = Number(declared)
    else if (length !== undefined && !this.bodiless) {
      this.declared = length
      headers.append("content-length", String(length))
    }
    this.isEventStream =
      this.declared === Infinity && (headers.get("content-type")?.startsWith("text/event-stream") ?? false)
    response.writeHead(reply.status, headers.written)
    const source = (reply.body as Extract<Body, { readonly _tag: "Flow" }>).open(this)
    this.source = source
    if (this.closed) source.cancel()
    else if (!this.wrote && !response.writableEnded) process.nextTick(flushHead, this)
  }

  /** The head must not wait for a body that takes its time. */
  flush(): void {
    const { response } = this
    if (!this.wrote && !response.writableEnded && !response.destroyed) response.flushHeaders()
  }

  /** The reply cannot be written as it is. */
  private replace(reply: Reply, message: string): void {
    const { response } = this
    discard(reply.body)
    this.failure = flowFailure("malformed", message)
    if (response.headersSent) return void response.destroy()
    reply.status = 500
    response.writeHead(500, ["content-type", "text/plain", "content-length", "14"])
    response.end("internal error")
  }

  /** A body that nobody reads would be taken for the next request. */
  private leavesUnread(): boolean {
    const { flow } = this
    if (flow === undefined || this.incoming.complete || flow.waiting) return false
    return flow.failed || this.expects || flow.length === undefined || flow.length > UNREAD_BYTES_MAX
  }

  /** Whether the client has yet to send the rest of its body. */
  get unfinished(): boolean {
    return this.flow !== undefined && !this.incoming.complete
  }

  /** Whether the client is being told of events, for as long as there are any. */
  get followed(): boolean {
    return this.isEventStream && this.response.headersSent
  }

  /** Whether the end of the reply is only told by closing. */
  get endsByClosing(): boolean {
    return this.response.headersSent && this.declared === Infinity && !this.response.chunkedEncoding && !this.bodiless
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed) return false
    this.wrote = true
    if (this.bodiless) return true
    const { response } = this
    this.sent += chunk.byteLength
    if (this.sent >= this.declared) {
      if (this.sent > this.declared) {
        this.fail(flowFailure("malformed", "the body is longer than its head announced"))
        this.source?.cancel()
        return false
      }
      if (this.sent === chunk.byteLength) endWith(response, chunk)
      else response.end(chunk)
      return true
    }
    if (response.write(chunk)) return true
    if (!this.waitsForDrain) {
      this.waitsForDrain = true
      response.on("drain", () => this.source?.resume())
    }
    return false
  }

  end(trailers: Headers | undefined): void {
    const { response } = this
    if (response.writableEnded) return
    if (this.declared !== Infinity && this.sent < this.declared && !this.bodiless) {
      return this.fail(flowFailure("gone", "the body is shorter than its head announced"))
    }
    if (trailers !== undefined && trailers.flat.length > 0) {
      try {
        response.addTrailers([...trailers] as unknown as Array<[string, string]>)
      } catch {
        // Trailers that cannot be written are left out; the body is whole without them.
      }
    }
    response.end()
  }

  fail(failure: FlowFailure): void {
    this.failure = failure
    this.connection.breakOff(this)
  }

  /** The socket has taken what was written, where node:http no longer says so. */
  drained(): void {
    this.source?.resume()
  }

  private onClose(): void {
    this.closed = true
    const finished = this.response.writableFinished
    if (!finished) this.source?.cancel()
    const finish = this.finish
    if (finish !== undefined) {
      this.finish = undefined
      const { failure, sent: bytes } = this
      const outcome =
        finished && failure === undefined ? "complete" : failure === undefined ? "clientGone" : "upstreamFailed"
      finish(Effect.succeed({ outcome, bytes, failure }))
    } else if (!finished) this.listener?.()
    if (finished) this.connection.finished(this)
  }
}

/** Up to this size a copy is cheaper than a second buffer in the system call. */
const SMALL_BODY_BYTES_MAX = 4096

/** A small body goes out in one string with its head, byte for byte. */
const endWith = (response: http.ServerResponse, body: Uint8Array): void => {
  if (body.byteLength > SMALL_BODY_BYTES_MAX) response.end(body)
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"), "latin1")
}

const flushHead = (call: Call): void => call.flush()

/** A request that wants the connection itself: an upgrade, or CONNECT. The parser has let go of the socket. */
class TunnelCall extends Call {
  private readonly socket: net.Socket
  /** Nobody reads until the tunnel stands, so the end of the stream is looked for here. */
  private readonly look = (): void => {
    if (this.socket.readableLength === 0) this.socket.destroy()
  }

  constructor(connection: Connection, incoming: http.IncomingMessage, socket: net.Socket, head: Buffer) {
    const response = new ServerResponse(incoming)
    response.shouldKeepAlive = false
    super(connection, incoming, response, false)
    this.socket = socket
    response.once("finish", () => {
      response.detachSocket(socket)
      response.destroy()
    })
    socket.setTimeout(0)
    if (head.byteLength > 0) socket.unshift(head)
    socket.once("readable", this.look)
  }

  /** Its turn has come: no earlier reply is on the socket any more. */
  attach(): void {
    this.response.assignSocket(this.socket)
    readAgain(this.socket)
  }

  override respond(reply: Reply): Effect.Effect<Delivered> {
    const { tunnel } = reply
    if (tunnel === undefined) return super.respond(reply)
    return Effect.suspend(() => {
      const { response, socket } = this
      if (socket.destroyed) {
        tunnel.destroy?.()
        return Effect.succeed(gone)
      }
      response.detachSocket(socket)
      socket.off("readable", this.look)
      return takeOver(reply, tunnel, this.connection.owner, this.incoming.headers.upgrade)
    })
  }
}

/**
 * The stream believes that it reads all the time the parser did so in its place; where the parser had been held back
 * when it let go, nobody else would begin again.
 */
const readAgain = (socket: net.Socket): void => {
  const { _handle: handle } = socket as unknown as {
    readonly _handle?: { reading: boolean; readonly readStart: () => void } | null
  }
  if (handle === null || handle === undefined || handle.reading) return
  handle.reading = true
  handle.readStart()
}

interface Malformed {
  readonly status: number
  readonly message: string
}

const describe = (error: NodeJS.ErrnoException): Malformed | undefined => {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, message: "request header fields too large" }
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: 413, message: "request body too large: chunk extensions" }
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, message: "request head timeout" }
    default:
      if (error.code?.startsWith("HPE_") !== true) return undefined
      return { status: 400, message: `invalid request: ${error.message.replace(/^Parse Error: /, "")}` }
  }
}

const tooManyFields: Malformed = { status: 431, message: "request header fields too large" }
const otherVersion: Malformed = { status: 505, message: "HTTP version not supported" }

/** What the parser accepts and we do not: a list of fields that was cut, and versions that frame messages otherwise. */
const judge = (incoming: http.IncomingMessage, { headersMax }: HttpSettings): Malformed | undefined =>
  incoming.rawHeaders.length > headersMax * 2
    ? tooManyFields
    : incoming.httpVersionMajor === 1
      ? undefined
      : otherVersion

/** One connection, its calls in order, and what is watched about it. */
class Connection implements HttpConnection {
  readonly owner: NodeSocket
  readonly socket: net.Socket
  readonly events: HttpEvents
  readonly settings: HttpSettings
  draining = false
  private current: Call | undefined
  private readonly waiting: Array<Call> = []
  /** Answered when everything before it is. */
  private malformed: Malformed | undefined
  private served = 0
  private closing = false
  private halfClosed = false
  private watched: Call | undefined
  private lastReceived = 0
  private readMillis = 0
  private lastQueued = 0
  private writeMillis = 0
  private lastWritten = 0
  private silentMillis = 0

  constructor(owner: NodeSocket, socket: net.Socket, settings: HttpSettings, events: HttpEvents) {
    this.owner = owner
    this.socket = socket
    this.settings = settings
    this.events = events
    // node:http closes with this after the last reply.
    socket.destroySoon = () => this.closeSoon()
    socket.on("end", () => this.onEnd())
  }

  /**
   * The parser resumes reading at the end of every message, also when there is enough to do. To be called when its own
   * listeners are in place, so that this one has the last word.
   */
  attached(): void {
    const { socket } = this
    socket.on("resume", () => {
      if (this.waiting.length > 0) socket.pause()
    })
  }

  get closed(): Effect.Effect<void> {
    return this.owner.closed
  }

  arrived(call: Call): void {
    if (this.closing || this.malformed !== undefined) return
    if (this.current === undefined) return this.start(call)
    if (this.waiting.length >= PIPELINED_MAX) return void this.socket.destroy()
    this.waiting.push(call)
    this.socket.pause()
  }

  private start(call: Call): void {
    this.current = call
    if (call instanceof TunnelCall) call.attach()
    try {
      this.events.request(call)
    } catch (error) {
      this.socket.destroy(error instanceof Error ? error : undefined)
    }
  }

  /** The reply is with the kernel. */
  finished(call: Call): void {
    if (this.current !== call) return
    this.served++
    this.current = undefined
    if (this.closing || this.socket.destroyed) return
    if (call instanceof TunnelCall) return this.closeSoon()
    if (call.unfinished) this.skipRest(call)
    if (!this.draining) {
      const next = this.waiting.shift()
      if (next !== undefined) {
        // What follows a request for a tunnel is kept for the tunnel.
        if (this.waiting.length === 0 && !(next instanceof TunnelCall)) this.socket.resume()
        return this.start(next)
      }
    }
    if (this.malformed !== undefined) this.refuse(this.malformed)
    else if (this.draining || this.halfClosed) this.closeSoon()
  }

  /** The parser let through what is not served here; what follows it cannot be relied upon. */
  unserved(response: http.ServerResponse, { message, status }: Malformed): void {
    if (this.closing) return
    this.events.malformed(status, message)
    if (this.current !== undefined) return void (this.malformed ??= { status, message })
    this.closing = true
    response.shouldKeepAlive = false
    response.writeHead(status, ["content-type", "text/plain", "content-length", String(message.length)])
    response.end(message)
  }

  failed(error: NodeJS.ErrnoException): void {
    const malformed = describe(error)
    if (malformed === undefined || this.closing) return void this.socket.destroy()
    this.broken(malformed)
  }

  /** What arrived last is no request, and nothing after it can be. */
  broken(malformed: Malformed): void {
    if (this.malformed !== undefined) return
    this.events.malformed(malformed.status, malformed.message)
    const { current } = this
    if (current === undefined) return this.refuse(malformed)
    this.malformed = malformed
    const last = this.waiting.at(-1) ?? current
    if (last.unfinished) last.flow?.abandon(flowFailure("malformed", malformed.message))
  }

  private refuse({ message, status }: Malformed): void {
    this.closing = true
    const { socket } = this
    const date = new Date().toUTCString()
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\ndate: ${date}\r\nconnection: close\r\n`
    const length = Buffer.byteLength(message)
    socket.end(`${head}content-type: text/plain\r\ncontent-length: ${length}\r\n\r\n${message}`)
    this.linger()
  }

  /** Ends the connection where a reply cannot go on; the client must not take what it has for the whole. */
  breakOff(call: Call): void {
    if (call.endsByClosing) this.owner.reset()
    call.response.destroy()
    this.socket.destroy()
  }

  /** Reads the little that is left of a body nobody wanted, but not for long. */
  private skipRest(call: Call): void {
    call.incoming.resume()
    setTimeout(() => {
      if (call.unfinished) this.socket.destroy()
    }, LINGER_MILLIS).unref()
  }

  private closeSoon(): void {
    if (this.closing && this.socket.writableEnded) return
    this.closing = true
    const { current, socket } = this
    socket.end()
    if (current?.unfinished === true) {
      current.incoming.once("end", () => socket.destroy())
      current.incoming.resume()
      return this.linger()
    }
    if (socket.writableFinished) socket.destroy()
    else socket.once("finish", () => socket.destroy())
  }

  /** Our side is ended; the client gets a moment to read its reply. */
  private linger(): void {
    const { socket } = this
    if (socket.destroyed) return
    setTimeout(() => socket.destroy(), LINGER_MILLIS).unref()
    socket.resume()
  }

  /**
   * The client sends nothing more: it waits for its reply, or it has left; both look alike until something is written.
   * An interim reply is written twice: the first one makes a host without that connection reset it, the second notices.
   */
  private onEnd(): void {
    const { current, socket } = this
    if (current instanceof TunnelCall) return
    // Whoever follows events has no reason to end half of its connection: it has left, and its call need not wait for an event.
    if (this.closing || current?.followed === true) return void socket.destroy()
    this.halfClosed = true
    this.silentMillis = performance.now()
    if (current === undefined) return
    if (this.waiting.length === 0) current.response.shouldKeepAlive = false
    this.probe()
  }

  private probe(): void {
    this.current?.nudge()
    setTimeout(() => this.current?.nudge(), PROBE_MILLIS).unref()
  }

  drain(): void {
    if (this.draining) return
    this.draining = true
    // A connection that carried nothing yet was opened for a request that is on its way.
    if (this.current === undefined && this.served > 0 && !this.closing) this.closeSoon()
  }

  /** Looks for clients that neither send what is waited for nor read what is ready. */
  watch(nowMillis: number): void {
    const { current, settings, socket } = this
    if (current === undefined || current instanceof TunnelCall) return
    if (this.watched !== current) {
      this.watched = current
      this.readMillis = nowMillis
      this.writeMillis = nowMillis
      this.silentMillis = nowMillis
      this.lastReceived = 0
    }
    const { flow } = current
    if (flow?.waiting !== true || flow.received !== this.lastReceived) {
      this.lastReceived = flow?.received ?? 0
      this.readMillis = nowMillis
    } else if (nowMillis - this.readMillis >= settings.bodyIdleTimeoutMillis) {
      flow.abandon(flowFailure("stalled", "request body timeout"))
    }
    const queued = queuedOf(socket)
    if (queued === 0 || queued !== this.lastQueued) {
      this.lastQueued = queued
      this.writeMillis = nowMillis
    } else if (nowMillis - this.writeMillis >= settings.writeStallTimeoutMillis) socket.destroy()
    // While nothing is read, as after the client's end, only writing finds out whether somebody is still there.
    const isBlind = this.halfClosed || socket.isPaused()
    if (!isBlind || socket.bytesWritten !== this.lastWritten) {
      this.lastWritten = socket.bytesWritten
      this.silentMillis = nowMillis
    } else if (nowMillis - this.silentMillis >= HALF_CLOSED_SILENCE_MILLIS) {
      if (!current.response.headersSent) this.probe()
      else if (this.halfClosed) socket.destroy()
    }
  }

  /** The parser is gone, and with it the one who told replies that the socket drained: those that are owed still ask. */
  released(): void {
    this.socket.on("drain", () => this.current?.drained())
  }
}

/** Only a request without a body may take over its connection. */
const mayUpgrade = (incoming: http.IncomingMessage): boolean =>
  incoming.headers["content-length"] === undefined &&
  incoming.headers["transfer-encoding"] === undefined &&
  incoming.httpVersionMinor === 1 &&
  mayUpgradeTo(incoming.headers.upgrade ?? "")

/** A parser with its settings, for all connections that share them. */
class Server {
  private readonly connections = new Map<Duplex, Connection>()
  private readonly server: http.Server
  private readonly watching: NodeJS.Timeout

  constructor(settings: HttpSettings) {
    const server = createServer({
      maxHeaderSize: settings.headBytesMax,
      headersTimeout: settings.headTimeoutMillis,
      requestTimeout: 0,
      keepAliveTimeout: settings.idleTimeoutMillis,
      connectionsCheckingInterval: lookEveryMillis(settings.headTimeoutMillis),
      requireHostHeader: false,
      insecureHTTPParser: false,
      noDelay: true,
      shouldUpgradeCallback: mayUpgrade,
    })
    // One more than allowed, so that too many are seen.
    server.maxHeadersCount = settings.headersMax + 1
    const { connections } = this
    const receive = (expects: boolean) => (incoming: http.IncomingMessage, response: http.ServerResponse) => {
      const connection = connections.get(incoming.socket)
      if (connection === undefined) return
      const unserved = judge(incoming, settings)
      if (unserved !== undefined) return connection.unserved(response, unserved)
      connection.arrived(new Call(connection, incoming, response, expects))
    }
    server.on("request", receive(false))
    server.on("checkContinue", receive(true))
    server.on("checkExpectation", receive(false))
    const take = (incoming: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
      const connection = connections.get(incoming.socket)
      if (connection === undefined || !(socket instanceof net.Socket) || !incoming.complete)
        return void socket.destroy()
      const unserved = judge(incoming, settings)
      if (unserved !== undefined) return connection.broken(unserved)
      connection.released()
      connection.arrived(new TunnelCall(connection, incoming, socket, head))
    }
    server.on("upgrade", take)
    server.on("connect", take)
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      const connection = connections.get(socket)
      if (connection === undefined) socket.destroy()
      else connection.failed(error)
    })
    // A client that only sends may still read.
    ;(server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true
    // The server never listens; this starts its watch over slow heads.
    server.emit("listening")
    this.server = server
    this.watching = setInterval(
      () => this.watch(),
      lookEveryMillis(Math.min(settings.bodyIdleTimeoutMillis, settings.writeStallTimeoutMillis)),
    ).unref()
  }

  get idle(): boolean {
    return this.connections.size === 0
  }

  take(connection: Connection): void {
    const { socket } = connection
    this.connections.set(socket, connection)
    socket.once("close", () => this.connections.delete(socket))
    this.server.emit("connection", socket)
    connection.attached()
    socket.resume()
  }

  close(): void {
    clearInterval(this.watching)
    this.server.close()
  }

  private watch(): void {
    const now = performance.now()
    for (const connection of this.connections.values()) connection.watch(now)
  }
}

const servers = new Map<string, Server>()

const serverOf = (settings: HttpSettings): Server => {
  const key = JSON.stringify(settings)
  const known = servers.get(key)
  if (known !== undefined) return known
  if (servers.size >= SERVERS_MAX) {
    for (const [other, server] of servers) {
      if (!server.idle) continue
      server.close()
      servers.delete(other)
    }
  }
  const server = new Server(settings)
  servers.set(key, server)
  return server
}

export const serve = (owner: NodeSocket, settings: HttpSettings, events: HttpEvents): HttpConnection => {
  const socket = owner.release() as net.Socket
  const connection = new Connection(owner, socket, settings, events)
  if (!socket.destroyed) serverOf(settings).take(connection)
  return connection
}
