/**
 * HTTP/2 on one connection, over TLS or in plaintext by prior knowledge. Framing, header compression and flow control
 * are node:http2; what it refuses by itself (malformed pseudo-headers, connection fields, floods) never gets here.
 */
import type * as Effect from "effect/Effect"
import type * as http2 from "node:http2"
import type { Duplex } from "node:stream"
import type { HttpConnection, HttpEvents, HttpSettings } from "../../../stages/ports/Network.ts"
import * as onDemand from "../onDemand.ts"
import { takenOf } from "../queued.ts"
import { SENT_HEAD_BYTES_MAX, SESSION_MEGABYTES_MAX } from "../sessionMemory.ts"
import type { NodeSocket } from "../socket.ts"
import { breakOff } from "./breakOff.ts"
import { ClientStream, type StreamOwner } from "./ClientStream.ts"
import { Resets } from "./Resets.ts"
import { Standstill } from "./Standstill.ts"
import { watchFor } from "./watch.ts"
import { timerMillis } from "../timerMillis.ts"

/** RFC 9113 §7. */
const NO_ERROR = 0x0
const ENHANCE_YOUR_CALM = 0xb

const UNLIMITED = 2 ** 31 - 1

/** Where no window is configured: enough for a long way, little enough for many connections. */
const streamWindowBytes = 256 * 1024
const connectionWindowBytes = 1024 * 1024

/** How many frames that make no sense, and streams beyond what was allowed, end the connection. */
const INVALID_FRAMES_MAX = 100
const REJECTED_STREAMS_MAX = 200

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
  maxSendHeaderBlockLength: SENT_HEAD_BYTES_MAX,
  maxSessionMemory: SESSION_MEGABYTES_MAX,
  maxSessionInvalidFrames: INVALID_FRAMES_MAX,
  maxSessionRejectedStreams: REJECTED_STREAMS_MAX,
  maxOutstandingPings: 10,
  // Node counts each reset alike, so it is left no say.
  streamResetBurst: UNLIMITED,
  streamResetRate: UNLIMITED,
  // An upstream that repeats a field is not ours to judge here.
  strictSingleValueFields: false,
})

export class ClientSession implements HttpConnection, StreamOwner {
  readonly owner: NodeSocket
  private readonly socket: Duplex
  private readonly session: http2.ServerHttp2Session
  private readonly settings: HttpSettings
  private readonly events: HttpEvents
  private readonly streams = new Set<ClientStream>()
  private readonly resets = new Resets()
  private readonly writes = new Standstill()
  /** Nothing was said for as long as it may be idle, but some stream was still open. */
  private overdue = false
  private draining = false
  private doneMillis = 0

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
    session.setTimeout(timerMillis(settings.idleTimeoutMillis))
    session.on("timeout", () => {
      if (this.streams.size === 0) session.close()
      else this.overdue = true
    })
    const watch = watchFor(settings)
    watch.add(this)
    const pinging =
      keepaliveIntervalMillis === undefined
        ? undefined
        : setInterval(() => this.ping(), timerMillis(keepaliveIntervalMillis)).unref()
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
    const call = new ClientStream(this, stream, raw)
    if (call.flat.length > this.settings.headersMax * 2) {
      this.events.malformed(431, "too many request header fields")
      stream.respond({ ":status": 431, "content-type": "text/plain" })
      return void stream.end("request header fields too large")
    }
    this.streams.add(call)
    try {
      this.events.request(call)
    } catch {
      breakOff(stream)
    }
  }

  closedStream(stream: ClientStream): void {
    this.streams.delete(stream)
    if (!this.overdue || this.streams.size > 0) return
    this.overdue = false
    this.session.setTimeout(timerMillis(this.settings.idleTimeoutMillis))
  }

  answered(): void {
    this.resets.answered()
  }

  /** Whoever does nothing else is told to go; what is under way is served. */
  wasReset(): void {
    const { session } = this
    if (session.closed || session.destroyed || !this.resets.isBeyond(performance.now())) return
    session.goaway(ENHANCE_YOUR_CALM)
    session.close()
  }

  private ping(): void {
    const { session } = this
    if (session.destroyed || session.closed) return
    const timer = setTimeout(
      () => session.destroy(),
      timerMillis(this.settings.http2.keepaliveTimeoutMillis ?? keepaliveTimeoutMillis),
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
    if (!session.destroyed) {
      // Whoever reads nothing at all loses the connection, whoever starves a single stream that.
      if (this.writes.millis(takenOf(socket), nowMillis) >= settings.writeStallTimeoutMillis) session.destroy()
      else for (const stream of this.streams) stream.lookAfter(nowMillis, settings)
      return
    }
    if (this.doneMillis === 0) this.doneMillis = nowMillis
    else if (nowMillis - this.doneMillis >= LINGER_MILLIS) socket.destroy()
  }
}

export const serve = (owner: NodeSocket, settings: HttpSettings, events: HttpEvents): HttpConnection =>
  new ClientSession(owner, settings, events)
