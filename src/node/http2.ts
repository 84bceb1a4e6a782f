/**
 * HTTP/2 on one connection, over TLS or in plaintext by prior knowledge. Framing, header compression and flow control
 * are node:http2; what it refuses by itself (malformed pseudo-headers, connection fields, floods) never gets here.
 */
import * as Effect from "effect/Effect"
import * as crypto from "node:crypto"
import type * as http2 from "node:http2"
import type { Duplex } from "node:stream"
import type { Headers } from "../../protocols/http/headers.ts"
import { type RelayedRequest, relayRequest } from "../../protocols/http/hopByHop.ts"
import { type Body, discard, empty, flowFailure, type FlowFailure, type Sink, type Source } from "../../stages/Body.ts"
import type { Reply, Tunnel } from "../../stages/Exchange.ts"
import type { Delivered, HttpConnection, HttpEvents, HttpSettings, Incoming } from "../../stages/ports/Network.ts"
import { StreamFlow } from "./StreamFlow.ts"
import { INTERIM_BYTES, INTERIM_BYTES_MAX } from "./interim.ts"
import * as onDemand from "./onDemand.ts"
import { watchFor } from "./downstream/watch.ts"
import { queuedOf } from "./queued.ts"
import { SESSION_MEGABYTES_MAX } from "./sessionMemory.ts"
import type { NodeSocket } from "./socket.ts"
import { join } from "./tunnel.ts"

/** RFC 9113 §7. */
const NO_ERROR = 0x0
const ENHANCE_YOUR_CALM = 0xb

/**
 * Breaks a stream off with INTERNAL_ERROR. `close` with a code would first end it properly, and a client could take
 * what it has for the whole. Not at once, because a stream that still owes trailers may not be torn down from within what
 * its session reads: Node would ask the remains of it for them, and abort the process.
 */
export const breakOff = (stream: http2.Http2Stream): void => void setImmediate(destroyBroken, stream)

const broken = new Error("broken off")
const destroyBroken = (stream: http2.Http2Stream): void => void stream.destroy(broken)
broken.stack = "broken off"

/** A reset without an error leaves a stream in being until all that came of it was read, which may never be. */
function dropAborted(this: http2.Http2Stream): void {
  setImmediate(destroy, this)
}
const destroy = (stream: http2.Http2Stream): void => void stream.destroy()

/** Where no window is configured: enough for a long way, little enough for many connections. */
const streamWindowBytes = 256 * 1024
const connectionWindowBytes = 1024 * 1024

/**
 * A client may open streams and reset them before they are answered: so many at once, then so many each second, and one
 * for each that it let be answered, since a proxy in front of us speaks for many. Behind the end of its reply a reset is
 * the way to say that the rest of a request will not come (RFC 9113 §8.1), and costs nothing.
 */
export const RESETS_BURST = 500
export const RESETS_PER_SECOND = 50
/** The library counts each reset alike, so it is left no say. */
const RESETS_UNLIMITED = 2 ** 31 - 1

/** How many frames that make no sense, and streams beyond what was allowed, end the connection. */
export const INVALID_FRAMES_MAX = 100
export const REJECTED_STREAMS_MAX = 200

/** How long a client may take to answer a keepalive ping where nothing else is configured. */
const keepaliveTimeoutMillis = 20_000

/** How long a connection that is done waits for the client to close its side. */
const LINGER_MILLIS = 1_000

/** Pseudo-headers a request can have. */
const pseudoHeadersMax = 5

const lastStreamId = 2 ** 31 - 1

const optionsOf = ({ headBytesMax, headersMax, http2: own }: HttpSettings): http2.ServerOptions => ({
  settings: {
    initialWindowSize: own.windowBytes ?? streamWindowBytes,
    maxHeaderListSize: own.headBytesMax ?? headBytesMax,
    maxConcurrentStreams: own.streamsMax,
    enableConnectProtocol: true,
    ...(own.frameBytes === undefined ? {} : { maxFrameSize: own.frameBytes }),
  },
  // Room above what we serve, so that a client that goes a little too far is told why.
  maxHeaderListPairs: 2 * headersMax + pseudoHeadersMax,
  maxSessionMemory: SESSION_MEGABYTES_MAX,
  maxSessionInvalidFrames: INVALID_FRAMES_MAX,
  maxSessionRejectedStreams: REJECTED_STREAMS_MAX,
  maxOutstandingPings: 10,
  streamResetBurst: RESETS_UNLIMITED,
  streamResetRate: RESETS_UNLIMITED,
  // An upstream that repeats a field is not ours to judge here.
  strictSingleValueFields: false,
})

const gone: Delivered = { outcome: "clientGone", bytes: 0, failure: undefined }

/** Fields of a handshake that HTTP/2 makes without them. */
const switching = new Set(["connection", "upgrade", "sec-websocket-accept", "keep-alive", "transfer-encoding"])

/** A request, and the reply that is owed for it. */
class Call implements Incoming, Sink {
  readonly method: string
  readonly target: string
  readonly version = "2"
  readonly flat: Array<string>
  readonly fields: RelayedRequest
  readonly authority: string | undefined
  readonly scheme: string | undefined
  readonly protocol: string | undefined
  readonly body: Body
  readonly flow: StreamFlow | undefined
  private readonly stream: http2.ServerHttp2Stream
  private readonly connection: Connection
  private finish: ((delivered: Effect.Effect<Delivered>) => void) | undefined
  private listener: (() => void) | undefined
  private source: Source | undefined
  private failure: FlowFailure | undefined
  private trailers: Headers | undefined
  private sent = 0
  /** Bytes of interim replies. */
  private informed = 0
  private declared = Infinity
  private bodiless = false
  /** Whether the end of the body is not yet that of the stream. */
  private trailing = false
  private waitsForDrain = false
  private ended = false
  private closed = false
  /** Less than nothing, so that silence is counted from the first look on. */
  private lastReceived = -1
  private readMillis = 0
  private lastQueued = 0
  private writeMillis = 0

  constructor(connection: Connection, stream: http2.ServerHttp2Stream, raw: ReadonlyArray<string>) {
    this.connection = connection
    this.stream = stream
    let method = ""
    let path: string | undefined
    let authority: string | undefined
    let scheme: string | undefined
    let protocol: string | undefined
    let length: number | undefined
    let expects = false
    const flat: Array<string> = []
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] as string
      const value = raw[i + 1] as string
      if (name.charCodeAt(0) !== 0x3a) {
        flat.push(name, value)
        if (name === "content-length") length = Number(value)
        else if (name === "expect") expects = value.toLowerCase() === "100-continue"
      } else if (name === ":method") method = value
      else if (name === ":path") path = value
      else if (name === ":authority") authority = value
      else if (name === ":scheme") scheme = value
      else if (name === ":protocol") protocol = value
    }
    // The next hop speaks HTTP/1, whose handshake asks for a key.
    if (protocol?.toLowerCase() === "websocket" && !flat.includes("sec-websocket-key")) {
      flat.push("sec-websocket-key", crypto.randomBytes(16).toString("base64"))
    }
    this.method = method
    this.target = path ?? authority ?? ""
    this.authority = authority
    this.scheme = scheme
    this.protocol = protocol
    this.flat = flat
    this.fields = relayRequest(flat, "2.0")
    this.flow =
      stream.endAfterHeaders || method === "CONNECT"
        ? undefined
        : new StreamFlow(stream, length, expects ? () => this.interim(100, []) : undefined)
    this.body = this.flow ?? empty
    if (!stream.endAfterHeaders) stream.once("aborted", dropAborted)
    stream.on("close", () => this.onClose())
  }

  gone(listener: () => void): void {
    if (this.closed) listener()
    else this.listener = listener
  }

  readonly inform = (status: number, flat: Array<string>): void => {
    if (status >= 102 && status <= 199) this.interim(status, flat)
  }

  private interim(status: number, flat: ReadonlyArray<string>): void {
    const { stream } = this
    if (stream.headersSent || stream.closed || stream.destroyed) return
    this.informed += INTERIM_BYTES
    for (const text of flat) this.informed += text.length
    if (this.informed > INTERIM_BYTES_MAX) return
    try {
      stream.additionalHeaders({ ":status": status, ...fieldsOf(flat) })
    } catch {
      // A field that cannot be written is not worth an interim reply.
    }
  }

  respond(reply: Reply): Effect.Effect<Delivered> {
    const { tunnel } = reply
    if (tunnel !== undefined) return Effect.suspend(() => this.join(reply, tunnel))
    return Effect.callback<Delivered>((resume) => {
      if (this.closed || this.stream.closed || this.stream.destroyed) {
        discard(reply.body)
        return resume(Effect.succeed(gone))
      }
      this.finish = resume
      try {
        this.begin(reply)
      } catch (error) {
        this.replace(reply, error instanceof Error ? error.message : String(error))
      }
      return Effect.sync(() => {
        this.finish = undefined
        this.source?.cancel()
        breakOff(this.stream)
      })
    })
  }

  private begin(reply: Reply): void {
    const { stream } = this
    const { body, headers, status } = reply
    this.bodiless = this.method === "HEAD" || status === 204 || status === 205 || status === 304
    // What Node sends without a body may not announce one.
    if (status === 204 || status === 205) headers.remove("content-length")
    switch (body._tag) {
      case "Flow": {
        const declared = headers.get("content-length")
        if (declared !== undefined) this.declared = Number(declared)
        else if (body.length !== undefined && !this.bodiless) {
          this.declared = body.length
          headers.append("content-length", String(body.length))
        }
        this.trailing = !this.bodiless && (this.declared === Infinity || reply.mayTrail === true)
        if (this.trailing) stream.on("wantTrailers", () => this.sendTrailers())
        respond(stream, [":status", String(status), ...headers.flat], { waitForTrailers: this.trailing })
        const source = body.open(this)
        this.source = source
        if (this.closed) source.cancel()
        return
      }
      case "Bytes":
        if (!this.bodiless) headers.set("content-length", String(body.bytes.byteLength))
        respond(stream, [":status", String(status), ...headers.flat], { endStream: this.bodiless })
        if (!this.bodiless) {
          this.sent = body.bytes.byteLength
          stream.end(body.bytes)
        }
        return this.settle()
      case "Empty":
        if (!this.bodiless && !headers.has("grpc-status")) headers.set("content-length", "0")
        respond(stream, [":status", String(status), ...headers.flat], { endStream: true })
        return this.settle()
    }
  }

  /** The reply cannot be written as it is. */
  private replace(reply: Reply, message: string): void {
    const { stream } = this
    discard(reply.body)
    this.failure = flowFailure("malformed", message)
    if (stream.headersSent || stream.destroyed) return breakOff(stream)
    reply.status = 500
    stream.respond({ ":status": 500, "content-type": "text/plain" })
    stream.end("internal error")
    this.settle()
  }

  private join(reply: Reply, tunnel: Tunnel): Effect.Effect<Delivered> {
    const { stream } = this
    try {
      const status = reply.status === 101 ? 200 : reply.status
      const flat: Array<string> = [":status", String(status)]
      for (const [name, value] of reply.headers) if (!switching.has(name)) flat.push(name, value)
      respond(stream, flat, {})
    } catch {
      tunnel.destroy?.()
      breakOff(stream)
      return Effect.succeed(gone)
    }
    // How it ends is seen by whoever carries the bytes, to their last; interrupting that would reset the other side.
    this.ended = true
    this.listener = undefined
    return join(this.connection.owner.above(stream), tunnel)
  }

  private sendTrailers(): void {
    const { stream } = this
    const fields = this.trailers === undefined ? {} : fieldsOf(this.trailers.flat)
    try {
      stream.sendTrailers(fields)
    } catch {
      if (!stream.closed && !stream.destroyed) stream.sendTrailers({})
    }
    this.settle()
  }

  /** When the reply is complete the client is told not to send the rest of its body, and nobody is to take it for whole. */
  private settle(): void {
    this.ended = true
    const { flow, stream } = this
    if (flow === undefined) return
    const stop = (): void => {
      setImmediate(() => {
        if (stream.readableEnded) return
        flow.abandon(flowFailure("cancelled", "the reply is complete"))
        if (!stream.closed) stream.close(NO_ERROR)
        // What came of it and is held back would keep the stream, and with it the exchange, in being.
        stream.resume()
      })
    }
    if (stream.writableFinished) stop()
    else stream.once("finish", stop)
  }

  write(chunk: Uint8Array): boolean {
    const { stream } = this
    if (this.closed || stream.closed) return false
    if (this.bodiless) return true
    this.sent += chunk.byteLength
    if (this.sent > this.declared) {
      this.fail(flowFailure("malformed", "the body is longer than its head announced"))
      this.source?.cancel()
      return false
    }
    if (stream.write(chunk)) return true
    if (!this.waitsForDrain) {
      this.waitsForDrain = true
      stream.on("drain", () => this.source?.resume())
    }
    return false
  }

  end(trailers: Headers | undefined): void {
    const { stream } = this
    if (this.ended || stream.closed) return
    if (this.declared !== Infinity && this.sent < this.declared && !this.bodiless) {
      return this.fail(flowFailure("gone", "the body is shorter than its head announced"))
    }
    this.trailers = trailers
    stream.end()
    if (!this.trailing) this.settle()
  }

  fail(failure: FlowFailure): void {
    this.failure = failure
    breakOff(this.stream)
  }

  private onClose(): void {
    this.closed = true
    const { failure, finish, sent: bytes, stream } = this
    this.connection.closedCall(this)
    if (this.ended && failure === undefined) this.connection.answered()
    else if (stream.errored !== broken) this.connection.wasReset()
    const complete = this.ended && failure === undefined && stream.rstCode === NO_ERROR
    if (!complete) this.source?.cancel()
    if (finish !== undefined) {
      this.finish = undefined
      const outcome = complete ? "complete" : failure === undefined ? "clientGone" : "upstreamFailed"
      finish(Effect.succeed({ outcome, bytes, failure }))
    } else if (!complete) this.listener?.()
  }

  /** Looks whether the client sends what is waited for and reads what is ready. */
  lookAfter(nowMillis: number, settings: HttpSettings): void {
    const { flow, stream } = this
    if (flow?.waiting !== true || flow.received !== this.lastReceived) {
      this.lastReceived = flow?.received ?? 0
      this.readMillis = nowMillis
    } else if (nowMillis - this.readMillis >= settings.bodyIdleTimeoutMillis) {
      flow.abandon(flowFailure("stalled", "request body timeout"))
    }
    const queued = stream.writableLength
    if (queued === 0 || queued !== this.lastQueued) {
      this.lastQueued = queued
      this.writeMillis = nowMillis
    } else if (nowMillis - this.writeMillis >= settings.writeStallTimeoutMillis) this.connection.stalled(stream)
  }
}

const fieldsOf = (flat: ReadonlyArray<string>): Record<string, Array<string>> => {
  const fields: Record<string, Array<string>> = Object.create(null)
  for (let i = 0; i < flat.length; i += 2) (fields[flat[i] as string] ??= []).push(flat[i + 1] as string)
  return fields
}

let takesPairs = true

/** Node takes fields as they are in turn only from 24 on; before that they go by name, which keeps those of one name in order. */
export const respond = (
  stream: Pick<http2.ServerHttp2Stream, "respond">,
  flat: ReadonlyArray<string>,
  options: http2.ServerStreamResponseOptions,
): void => {
  if (takesPairs) {
    try {
      return stream.respond(flat, options)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_INVALID_ARG_TYPE") throw error
      takesPairs = false
    }
  }
  stream.respond(fieldsOf(flat), options)
}

class Connection implements HttpConnection {
  readonly owner: NodeSocket
  private readonly socket: Duplex
  private readonly session: http2.ServerHttp2Session
  private readonly settings: HttpSettings
  private readonly events: HttpEvents
  private readonly calls = new Set<Call>()
  private draining = false
  private doneMillis = 0
  /** How many streams may be reset unanswered by now, and when that was reckoned. */
  private resetsLeft = RESETS_BURST
  private resetMillis = 0

  constructor(owner: NodeSocket, settings: HttpSettings, events: HttpEvents) {
    this.owner = owner
    this.settings = settings
    this.events = events
    const socket = owner.release()
    this.socket = socket
    const session = onDemand.http2().performServerHandshake(socket, optionsOf(settings))
    this.session = session
    session.on("error", () => {})
    session.on("stream", (stream, _headers, _flags, raw) => this.arrived(stream, raw))
    const { connectionWindowBytes: configured, keepaliveIntervalMillis } = settings.http2
    session.setLocalWindowSize(configured ?? connectionWindowBytes)
    session.setTimeout(settings.idleTimeoutMillis, () => {
      if (this.calls.size === 0) session.close()
    })
    const watch = watchFor(settings)
    watch.add(this)
    const pinging =
      keepaliveIntervalMillis === undefined
        ? undefined
        : setInterval(() => this.ping(), keepaliveIntervalMillis).unref()
    // Unlike HTTP/1, a half of a connection is worth nothing here.
    socket.once("end", () => socket.destroy())
    socket.once("close", () => {
      watch.delete(this)
      clearInterval(pinging)
      session.destroy()
    })
  }

  get closed(): Effect.Effect<void> {
    return this.owner.closed
  }

  private arrived(stream: http2.ServerHttp2Stream, raw: ReadonlyArray<string>): void {
    // Without a listener an error ends the process; what is to be done is done when the stream closes.
    stream.on("error", () => {})
    if (stream.destroyed) return this.wasReset()
    const call = new Call(this, stream, raw)
    if (call.flat.length > this.settings.headersMax * 2) {
      this.events.malformed(431, "too many request header fields")
      stream.respond({ ":status": 431, "content-type": "text/plain" })
      return void stream.end("request header fields too large")
    }
    this.calls.add(call)
    try {
      this.events.request(call)
    } catch {
      breakOff(stream)
    }
  }

  closedCall(call: Call): void {
    this.calls.delete(call)
  }

  answered(): void {
    if (this.resetsLeft < RESETS_BURST) this.resetsLeft++
  }

  /** The client took a request back. Whoever does nothing else is told to go; what is under way is served. */
  wasReset(): void {
    const { session } = this
    if (session.closed || session.destroyed) return
    const nowMillis = performance.now()
    const earned = ((nowMillis - this.resetMillis) / 1_000) * RESETS_PER_SECOND
    this.resetsLeft = Math.min(RESETS_BURST, this.resetsLeft + earned) - 1
    this.resetMillis = nowMillis
    if (this.resetsLeft >= 0) return
    session.goaway(ENHANCE_YOUR_CALM)
    session.close()
  }

  /** A client that reads nothing at all loses the connection, one that starves a single stream loses that. */
  stalled(stream: http2.ServerHttp2Stream): void {
    if (queuedOf(this.socket) > 0) this.session.destroy()
    else breakOff(stream)
  }

  private ping(): void {
    const { session } = this
    if (session.destroyed || session.closed) return
    const timer = setTimeout(
      () => session.destroy(),
      this.settings.http2.keepaliveTimeoutMillis ?? keepaliveTimeoutMillis,
    )
    const sent = session.ping(() => clearTimeout(timer))
    if (sent === false) clearTimeout(timer)
  }

  /** First says that the end is near, and closes when the client must have heard it: no stream is refused in flight. */
  drain(): void {
    const { session } = this
    if (this.draining || session.destroyed) return
    this.draining = true
    const close = (): void => {
      clearTimeout(timer)
      if (!session.destroyed) session.close()
    }
    const timer = setTimeout(close, LINGER_MILLIS).unref()
    session.goaway(NO_ERROR, lastStreamId)
    session.ping(close)
  }

  lookAfter(nowMillis: number): void {
    const { session, settings, socket } = this
    for (const call of this.calls) call.lookAfter(nowMillis, settings)
    if (!session.destroyed) return
    if (this.doneMillis === 0) this.doneMillis = nowMillis
    else if (nowMillis - this.doneMillis >= LINGER_MILLIS) socket.destroy()
  }
}

export const serve = (owner: NodeSocket, settings: HttpSettings, events: HttpEvents): HttpConnection =>
  new Connection(owner, settings, events)
