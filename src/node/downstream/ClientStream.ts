/** A request over HTTP/2, and the reply that is owed for it. */
import * as Effect from "effect/Effect"
import * as crypto from "node:crypto"
import type * as http2 from "node:http2"
import { isGrpc } from "../../../protocols/http/grpc.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import { type RelayedRequest, relayRequest } from "../../../protocols/http/hopByHop.ts"
import {
  type Body,
  discard,
  empty,
  flowFailure,
  type FlowFailure,
  type Sink,
  type Source,
} from "../../../stages/Body.ts"
import type { Reply, Tunnel } from "../../../stages/Exchange.ts"
import type { Delivered, HttpSettings, Incoming } from "../../../stages/ports/Network.ts"
import { fieldsOf } from "../fieldsOf.ts"
import { INTERIM_BYTES, INTERIM_BYTES_MAX } from "../interim.ts"
import type { NodeSocket } from "../socket.ts"
import { join } from "../tunnel.ts"
import { breakOff, isBrokenOff } from "./breakOff.ts"
import { respond } from "./respond.ts"
import { Standstill } from "./Standstill.ts"
import { StreamFlow } from "./StreamFlow.ts"

/** The connection that a stream is one of. */
export interface StreamOwner {
  readonly owner: NodeSocket
  readonly closedStream: (stream: ClientStream) => void
  /** A stream came to its end, or its client took the request back. */
  readonly answered: () => void
  readonly wasReset: () => void
}

/** RFC 9113 §7. */
const NO_ERROR = 0x0

/** So much is written at once: what a client has taken of one write, nobody can see. */
const WRITE_BYTES_MAX = 65_536
/** How long a client that has its reply may take to end its request. */
const LINGER_MILLIS = 1_000
const closeProperly = (stream: http2.Http2Stream): void => {
  if (!stream.closed) stream.close(NO_ERROR)
}

/** A reset without an error leaves a stream in being until all that came of it was read, which may never be. */
function dropAborted(this: http2.Http2Stream): void {
  setImmediate(destroy, this)
}
const destroy = (stream: http2.Http2Stream): void => void stream.destroy()

const gone: Delivered = { outcome: "clientGone", bytes: 0, failure: undefined }

/** Fields of a handshake that HTTP/2 makes without them. */
const switching = new Set(["connection", "upgrade", "sec-websocket-accept", "keep-alive", "transfer-encoding"])

export class ClientStream implements Incoming, Sink {
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
  private readonly session: StreamOwner
  private finish: ((delivered: Effect.Effect<Delivered>) => void) | undefined
  private listener: (() => void) | undefined
  private source: Source | undefined
  private failure: FlowFailure | undefined
  private trailers: Headers | undefined
  private sent = 0
  /** Bytes of it that are with Node. */
  private written = 0
  /** The others. */
  private ahead: Array<Uint8Array> | undefined
  /** Bytes of interim replies. */
  private informed = 0
  private declared = Infinity
  private bodiless = false
  /** Whether the end of the body is not yet that of the stream. */
  private trailing = false
  private waitsForDrain = false
  /** Whether nothing more comes of the body. */
  private whole = false
  private ended = false
  private closed = false
  private tunnelled = false
  /** Few streams are open for so long that somebody looks. */
  private reads: Standstill | undefined
  private writes: Standstill | undefined

  constructor(session: StreamOwner, stream: http2.ServerHttp2Stream, raw: ReadonlyArray<string>) {
    this.session = session
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
    // One that nobody read is reset by Node as soon as its reply is written, and that overtakes an end which waits for a window.
    else stream.resume()
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
        if (this.bodiless) return this.settle()
        this.write(body.bytes)
        return this.end(undefined)
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
    this.tunnelled = true
    this.listener = undefined
    return join(this.session.owner.above(stream), tunnel)
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

  /**
   * When the reply is complete the client is told not to send the rest of its body, and nobody is to take it for whole.
   * Not at once: many clients lose the reply to a reset that comes right behind it, and most that have little left to send
   * need none.
   */
  private settle(): void {
    this.ended = true
    const { flow, stream } = this
    if (flow === undefined) return
    // One that nobody reads would be reset by Node.
    if (stream.readableFlowing === null) stream.resume()
    const stop = (): void => {
      setImmediate(() => {
        if (stream.readableEnded || this.closed) return
        flow.abandon(flowFailure("cancelled", "the reply is complete"))
        // What came of it and is held back would keep the stream in being.
        stream.resume()
        this.listener = undefined
        const { finish, sent: bytes } = this
        this.finish = undefined
        finish?.(Effect.succeed({ outcome: "complete", bytes, failure: undefined }))
        setTimeout(closeProperly, LINGER_MILLIS, stream).unref()
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
    if (this.ahead === undefined && chunk.byteLength <= WRITE_BYTES_MAX && stream.writableLength < WRITE_BYTES_MAX) {
      return this.hand(chunk)
    }
    const ahead = (this.ahead ??= [])
    for (let at = 0; at < chunk.byteLength; at += WRITE_BYTES_MAX) ahead.push(chunk.subarray(at, at + WRITE_BYTES_MAX))
    if (!stream.writableNeedDrain) this.goOn()
    return false
  }

  private hand(chunk: Uint8Array): boolean {
    const { stream } = this
    this.written += chunk.byteLength
    if (stream.write(chunk)) return true
    if (!this.waitsForDrain) stream.on("drain", this.goOn)
    this.waitsForDrain = true
    return false
  }

  private readonly goOn = (): void => {
    for (let next = this.ahead?.shift(); next !== undefined; next = this.ahead?.shift()) if (!this.hand(next)) return
    this.ahead = undefined
    if (this.whole) this.finishBody()
    else this.source?.resume()
  }

  end(trailers: Headers | undefined): void {
    if (this.ended || this.stream.closed) return
    if (this.declared !== Infinity && this.sent < this.declared && !this.bodiless) {
      return this.fail(flowFailure("gone", "the body is shorter than its head announced"))
    }
    this.trailers = trailers
    this.whole = true
    if (this.ahead === undefined) this.finishBody()
  }

  private finishBody(): void {
    this.stream.end()
    if (!this.trailing) this.settle()
  }

  fail(failure: FlowFailure): void {
    this.failure = failure
    breakOff(this.stream)
  }

  private onClose(): void {
    this.closed = true
    this.ahead = undefined
    const { failure, finish, stream, written: bytes } = this
    this.session.closedStream(this)
    // What can have no body is whole with its head, whatever its source still has to say.
    const isWhole = this.ended || (this.bodiless && stream.rstCode === NO_ERROR)
    if (isWhole && failure === undefined) this.session.answered()
    else if (!isBrokenOff(stream)) this.session.wasReset()
    const complete = isWhole && failure === undefined && stream.rstCode === NO_ERROR
    if (!complete || !this.ended) this.source?.cancel()
    if (finish !== undefined) {
      this.finish = undefined
      const outcome = complete ? "complete" : failure === undefined ? "clientGone" : "upstreamFailed"
      finish(Effect.succeed({ outcome, bytes, failure }))
    } else if (!complete) this.listener?.()
  }

  /** Looks whether the client sends what is waited for and reads what is ready. */
  lookAfter(nowMillis: number, settings: HttpSettings): void {
    const { flow, stream } = this
    // Both sides of what is behind a switch of protocols may be as slow as they like.
    if (this.tunnelled) return
    const received = flow?.waiting === true && !this.mayBeSilent ? flow.received : undefined
    if ((this.reads ??= new Standstill()).millis(received, nowMillis) >= settings.bodyIdleTimeoutMillis) {
      flow?.abandon(flowFailure("stalled", "request body timeout"))
    }
    const queued = stream.writableLength
    const taken = queued === 0 ? undefined : this.written - queued
    if ((this.writes ??= new Standstill()).millis(taken, nowMillis) >= settings.writeStallTimeoutMillis) {
      breakOff(stream)
    }
  }

  /** What a client has to say may depend on what it hears, and a service of gRPC need not begin its reply to be heard. */
  private get mayBeSilent(): boolean {
    return this.stream.headersSent || isGrpc(this.fields.headers.get("content-type"))
  }
}
