/** One request over HTTP/2 and its reply. */
import * as Effect from "effect/Effect"
import type * as http2 from "node:http2"
import type { Headers } from "../../../protocols/http/headers.ts"
import { relayReply, relayTrailers } from "../../../protocols/http/hopByHop.ts"
import { isIdempotent } from "../../../protocols/http/methods.ts"
import {
  type Bytes,
  empty,
  flowFailure,
  type Flow,
  flowing,
  type FlowFailure,
  type Sink,
  type Source,
} from "../../../stages/Body.ts"
import type { Reply, Request } from "../../../stages/Exchange.ts"
import type { SendOptions, UpstreamFailure } from "../../../stages/ports/Upstream.ts"
import { describe, Failed, OtherVersion } from "./failure.ts"
import type { Http2Pool, Http2Session, Waiting } from "./Http2Pool.ts"
import { Upload, WATCHED_BYTES, WatchedUpload } from "./Http2Upload.ts"
import { Unread, unreadFor } from "./Unread.ts"
import { timerMillis } from "../timerMillis.ts"

type Resume = (effect: Effect.Effect<Reply, UpstreamFailure | OtherVersion>) => void

/** RFC 9113 §7, and the flag of §6.2. */
const REFUSED_STREAM = 0x7
const CANCEL = 0x8
const ENHANCE_YOUR_CALM = 0xb
const END_STREAM = 0x1

/** How long a server may take to end a reply that can have no body. */
const END_MILLIS = 1_000

const names: Readonly<Record<number, string>> = {
  0: "NO_ERROR",
  1: "PROTOCOL_ERROR",
  2: "INTERNAL_ERROR",
  3: "FLOW_CONTROL_ERROR",
  5: "STREAM_CLOSED",
  6: "FRAME_SIZE_ERROR",
  7: "REFUSED_STREAM",
  8: "CANCEL",
  9: "COMPRESSION_ERROR",
  11: "ENHANCE_YOUR_CALM",
  12: "INADEQUATE_SECURITY",
  13: "HTTP_1_1_REQUIRED",
}

const expire = (call: Http2Call): void => call.expire()

const closeCancelled = (stream: http2.ClientHttp2Stream): void => {
  if (stream.closed) stream.resume()
  else stream.close(CANCEL)
}

export class Http2Call implements Flow, Source, Waiting {
  readonly _tag = "Flow"
  length: number | undefined = undefined
  private readonly pool: Http2Pool
  private readonly request: Request
  private readonly options: SendOptions
  /** Whether another version will do. */
  private readonly mayChange: boolean
  private readonly resumeFiber: Resume
  private withdraw: (() => void) | undefined
  private session: Http2Session | undefined
  /** What the session had heard before. */
  private heardBytes = 0
  private stream: http2.ClientHttp2Stream | undefined
  private upload: Upload | undefined
  private timer: NodeJS.Timeout | undefined
  private unread: Unread | undefined
  private waiting = true
  private over = false
  avoids: Http2Session | undefined
  /** The END_STREAM flag was seen; a reset makes Node end the stream as well. */
  private complete = false
  /** Its end was seen behind all that came of it. */
  private whole = false
  private sink: Sink | undefined
  /** The sink asked to wait. */
  private held = false
  /** What came of a complete reply before it was wanted: the stream would lose it when its connection closes. */
  private rest: Array<Uint8Array> | undefined
  private trailers: Headers | undefined
  private broken: FlowFailure | undefined

  constructor(pool: Http2Pool, request: Request, options: SendOptions, mayChange: boolean, resumeFiber: Resume) {
    this.pool = pool
    this.request = request
    this.options = options
    this.mayChange = mayChange
    this.resumeFiber = resumeFiber
  }

  start(): void {
    const { replyTimeoutMillis } = this.options
    if (replyTimeoutMillis !== undefined) this.timer = setTimeout(expire, timerMillis(replyTimeoutMillis), this)
    this.withdraw = this.pool.acquire(this)
  }

  expire(): void {
    this.timer = undefined
    this.despair({ _tag: "ReplyTimeout", message: `no reply within ${this.options.replyTimeoutMillis} ms` })
  }

  /** Whoever was silent to everybody may be gone without a word, and would be waited for again by the next. */
  private despair(failure: UpstreamFailure): void {
    const { session } = this
    if (session?.heardBytes === this.heardBytes) session.doubt()
    this.settle(failure)
  }

  /** Nobody waits for the reply any more. */
  abort(): void {
    if (!this.waiting) return
    this.waiting = false
    this.drop()
  }

  failed(error: Error): void {
    this.withdraw = undefined
    if (error instanceof OtherVersion) this.settle(this.mayChange ? error : error.failure)
    else if (error instanceof Failed) this.settle(error.failure)
    else this.settle({ _tag: "ConnectFailed", message: "connection failed" })
  }

  /** Ends the wait without a reply. */
  private settle(failure: UpstreamFailure | OtherVersion): void {
    if (!this.waiting) return
    this.waiting = false
    this.drop()
    this.resumeFiber(Effect.fail(failure))
  }

  private stopTimers(): void {
    clearTimeout(this.timer)
    this.unread?.end()
  }

  private drop(): void {
    this.over = true
    this.rest = undefined
    this.stopTimers()
    this.withdraw?.()
    this.withdraw = undefined
    this.upload?.stop()
    this.cancelStream()
  }

  /**
   * A stream that still owes trailers may not be torn down from within what its session reads: Node would ask the remains
   * of it for them, and abort the process.
   */
  private cancelStream(): void {
    const { stream, upload } = this
    if (stream === undefined) return
    // What had come of it and is held back would keep the stream in being, and its place in the session taken.
    if (stream.closed) return void stream.resume()
    if (upload === undefined) stream.close(CANCEL)
    else setImmediate(closeCancelled, stream)
  }

  opened(session: Http2Session): void {
    this.withdraw = undefined
    const { request } = this
    const { body } = request
    const flat = [
      ":method",
      request.method,
      ":scheme",
      this.pool.spec.tls === undefined ? "http" : "https",
      ":authority",
      request.authority,
      ":path",
      request.target,
    ]
    for (const part of request.headers.flat) flat.push(part)
    let stream: http2.ClientHttp2Stream
    try {
      stream = session.session.request(flat, {
        endStream: body._tag === "Empty",
        waitForTrailers: body._tag === "Flow",
      })
    } catch (error) {
      session.give()
      const name = (error as NodeJS.ErrnoException).code ?? ""
      if (/SESSION/.test(name)) return this.refused(session, name)
      return this.settle({ _tag: "RequestAborted", message: describe(error as Error, "request cannot be sent") })
    }
    this.session = session
    this.heardBytes = session.heardBytes
    this.stream = stream
    this.listen(session, stream)
    if (body._tag === "Empty") return
    const { idleMillis } = this.options
    if (body._tag === "Bytes" && (idleMillis === undefined || body.bytes.byteLength <= WATCHED_BYTES)) {
      if (idleMillis !== undefined) this.watch(idleMillis, () => (stream.writableLength === 0 ? undefined : 0))
      stream.end(body.bytes)
      return
    }
    const failed = (failure: FlowFailure): void => this.uploadFailed(failure)
    const upload = idleMillis === undefined ? new Upload(stream, failed) : new WatchedUpload(stream, failed)
    this.upload = upload
    // Before the stream has a number the session may still turn out to be going away, and the body must be whole.
    if (stream.pending) {
      stream.once("ready", () => {
        if (!this.over) this.begin(upload, body)
      })
    } else this.begin(upload, body)
  }

  private begin(upload: Upload, body: Flow | Bytes): void {
    const { idleMillis } = this.options
    if (idleMillis !== undefined && upload instanceof WatchedUpload) this.watch(idleMillis, () => upload.taken)
    upload.begin(flowing(body))
  }

  private watch(idleMillis: number, taken: () => number | undefined): void {
    this.unread?.end()
    this.unread = new Unread(idleMillis, taken, () => this.despair(unreadFor(idleMillis)))
  }

  private listen(session: Http2Session, stream: http2.ClientHttp2Stream): void {
    let error: NodeJS.ErrnoException | undefined
    const { push } = stream
    stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
      const isEnd = chunk === null && !stream.closed
      if (isEnd) this.complete = true
      const takesMore = push.call(stream, chunk, encoding)
      if (isEnd) this.keepRest(stream)
      return takesMore
    }
    stream.on("headers", (headers, _flags, raw) => this.inform(Number(headers[":status"]), raw))
    stream.on("response", (headers, flags, raw) => this.replied(stream, Number(headers[":status"]), flags, raw))
    stream.on("trailers", (_headers, _flags, raw) => {
      const trailers = relayTrailers(raw)
      if (trailers.flat.length > 0) this.trailers = trailers
    })
    stream.on("error", (failure) => (error = failure))
    stream.once("end", () => this.ended(stream))
    stream.once("close", () => {
      // Node has its servers refuse everything on a connection on which clients gave much up; nobody else is to suffer.
      const hasEnough = this.waiting && stream.rstCode === ENHANCE_YOUR_CALM
      if (hasEnough || error?.code === "ERR_HTTP2_OUT_OF_STREAMS") session.leave()
      session.give()
      this.upload?.stop()
      this.closed(session, stream, error)
    })
  }

  private inform(status: number, raw: Array<string>): void {
    const { inform } = this.options
    if (inform === undefined || !this.waiting) return
    const head = relayReply(raw, "2.0")
    if (head.malformed === undefined) inform(status, head.headers.flat)
  }

  private replied(stream: http2.ClientHttp2Stream, status: number, flags: number, raw: Array<string>): void {
    if (!this.waiting) return
    const head = relayReply(raw, "2.0")
    if (head.malformed !== undefined) return this.settle({ _tag: "MalformedReply", message: head.malformed })
    this.waiting = false
    this.stopTimers()
    this.length = head.contentLength
    const isOver = (flags & END_STREAM) !== 0
    // As long as it has not ended, its server may go on reading what is being sent.
    const isIdle = !isOver && this.upload === undefined
    const bodyless = isOver || this.request.method === "HEAD" || (isIdle && (status === 204 || status === 304))
    if (bodyless) {
      this.complete = true
      stream.resume()
      // Its end may be in a frame of its own, but nobody waits for that.
      if (isIdle) setTimeout(closeCancelled, END_MILLIS, stream).unref()
    }
    const body = bodyless ? empty : this
    this.resumeFiber(
      Effect.succeed({ status, headers: head.headers, body, origin: "upstream", mayTrail: body === this }),
    )
  }

  /** The stream is gone, in whichever way. */
  private closed(
    session: Http2Session,
    stream: http2.ClientHttp2Stream,
    error: NodeJS.ErrnoException | undefined,
  ): void {
    const code = stream.rstCode
    if (this.waiting) {
      const isUntouched = code === REFUSED_STREAM || stream.id === undefined || stream.id > session.lastTaken
      if (isUntouched) return this.refused(session, error?.code ?? "REFUSED_STREAM")
      if (code === ENHANCE_YOUR_CALM && this.mayRepeat()) return this.repeat(session)
      const name = error?.code
      if (name?.startsWith("ERR_SSL_") === true) {
        return this.settle({ _tag: "TlsFailed", message: describe(error as Error, "TLS failed") })
      }
      return this.settle({ _tag: "Reset", message: resetMessage(code), sent: true })
    }
    this.ended(stream)
  }

  /** All that came of it was read, or there is nothing more to read it from. */
  private ended(stream: http2.ClientHttp2Stream): void {
    if (this.over || this.waiting) return
    if (this.complete) this.whole = true
    else this.broken ??= flowFailure("gone", resetMessage(stream.rstCode))
    if (this.sink !== undefined && (!this.complete || !this.held)) this.finish(this.sink)
  }

  private keepRest(stream: http2.ClientHttp2Stream): void {
    if (this.over) return
    if (this.sink === undefined) stream.on("data", this.take)
    let chunk: unknown
    do chunk = stream.read()
    while (chunk !== null)
  }

  private readonly take = (chunk: Uint8Array): void => {
    if (this.over) return
    if (this.held || this.sink === undefined) (this.rest ??= []).push(chunk)
    else if (!this.sink.write(chunk)) {
      this.held = true
      this.stream?.pause()
    }
  }

  /** The upstream says that it did nothing with this request (RFC 9113 §8.7), so any request may go elsewhere. */
  private refused(session: Http2Session, name: string): void {
    const untouched = this.request.body._tag !== "Flow" || this.upload === undefined
    if (this.avoids !== undefined || !untouched) {
      return this.settle({ _tag: "Reset", message: `stream refused (${name})`, sent: false })
    }
    this.repeat(session)
  }

  private mayRepeat(): boolean {
    return this.avoids === undefined && this.request.body._tag !== "Flow" && isIdempotent(this.request.method)
  }

  private repeat(session: Http2Session): void {
    this.avoids = session
    this.session = undefined
    this.stream = undefined
    this.withdraw = this.pool.acquire(this)
  }

  private uploadFailed(failure: FlowFailure): void {
    if (this.waiting) this.settle({ _tag: "RequestAborted", message: failure.message, reason: failure.reason })
    else this.cancelStream()
  }

  open(sink: Sink): Source {
    this.sink = sink
    const { stream } = this
    if (this.broken !== undefined || stream === undefined) {
      queueMicrotask(() => this.finish(sink))
      return this
    }
    if (this.complete) queueMicrotask(() => this.resume())
    else stream.on("data", this.take)
    return this
  }

  resume(): void {
    const { rest, sink, stream } = this
    if (sink === undefined) return
    this.held = false
    for (let chunk = rest?.shift(); chunk !== undefined && !this.over; chunk = rest?.shift()) {
      if (sink.write(chunk)) continue
      this.held = true
      return
    }
    if (this.over) return
    if (this.whole) this.finish(sink)
    else stream?.resume()
  }

  cancel(): void {
    if (!this.over) this.drop()
  }

  private finish(sink: Sink): void {
    if (this.over) return
    this.over = true
    if (this.broken !== undefined) sink.fail(this.broken)
    else sink.end(this.trailers)
  }
}

const resetMessage = (code: number): string => `stream broken off (${names[code] ?? code})`
