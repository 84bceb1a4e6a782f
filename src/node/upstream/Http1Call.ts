/**
 * One request over HTTP/1.1 and its reply: what undici calls back, the flow of the reply's body, and the source of that
 * flow are one object, because this is the busiest path of the gateway.
 */
import * as Effect from "effect/Effect"
import type { Socket as NetSocket } from "node:net"
import type { Duplex, Readable } from "node:stream"
import type * as undici from "undici"
import { Headers, spellingOf } from "../../../protocols/http/headers.ts"
import { relayReply, relayTrailers } from "../../../protocols/http/hopByHop.ts"
import {
  type Body,
  empty,
  flowFailure,
  type FlowFailure,
  type Flow,
  join,
  type Sink,
  type Source,
} from "../../../stages/Body.ts"
import type { Reply, Request } from "../../../stages/Exchange.ts"
import type { SendOptions, UpstreamFailure } from "../../../stages/ports/Upstream.ts"
import { NodeSocket } from "../socket.ts"
import { authorityOf } from "./connect.ts"
import { cancelled, failureOf, OtherVersion } from "./failure.ts"
import type { Http1Connection, Http1Pool } from "./Http1Pool.ts"
import { latin1 } from "./latin1.ts"
import { RequestBody } from "./RequestBody.ts"

type Controller = undici.Dispatcher.DispatchController
type Resume = (effect: Effect.Effect<Reply, UpstreamFailure | OtherVersion>) => void

/**
 * Undici's parser cannot be entered twice, and a fiber that goes on may enter it again. So whatever lets a fiber go on
 * waits for the parser to return, which is one microtask away; by then a small body is often complete.
 */
let settled: Array<Http1Call> = []
const settle = (): void => {
  const calls = settled
  settled = []
  for (const call of calls) call.deliver()
}
const later = (call: Http1Call): void => {
  if (settled.push(call) === 1) queueMicrotask(settle)
}

/** How many of undici's callbacks are running. */
let parsing = 0

const expire = (call: Http1Call): void => call.expire()

/** Methods whose repetition changes nothing (RFC 9110 §9.2.2). */
const isIdempotent = (method: string): boolean =>
  method === "GET" ||
  method === "HEAD" ||
  method === "PUT" ||
  method === "DELETE" ||
  method === "OPTIONS" ||
  method === "TRACE"

/** Fields that belong to a connection, should a policy have put them there. */
const connectionFields = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "expect", "host"])

/** Undici would find one for each request, with a large regular expression, though TLS is not its business here. */
const servername = "upstream"

const WAITING = 0
const SETTLED = 1
const DELIVERED = 2
/** Nobody wants anything of it any more. */
const OVER = 3

export class Http1Call implements Flow, Source {
  readonly _tag = "Flow"
  length: number | undefined = undefined
  private readonly pool: Http1Pool
  private readonly request: Request
  private readonly options: SendOptions
  private readonly resumeFiber: Resume
  private readonly upgradePurpose: Parameters<Http1Pool["fresh"]>[0]
  private connection: Http1Connection | undefined
  private controller: Controller | undefined
  private requestBody: RequestBody | undefined
  private timer: NodeJS.Timeout | undefined
  private state = WAITING
  /** Whether a byte of the reply arrived. */
  private begun = false
  /** Whether the connection had served other requests before. */
  private reused = false
  private repeated = false
  private cleaned = false
  private status = 0
  private headers: Headers | undefined
  private tunnel: NetSocket | undefined
  private failure: UpstreamFailure | OtherVersion | undefined
  private chunks: Array<Uint8Array> | undefined
  private sink: Sink | undefined
  private ended = false
  /** The end of the connection is the end of the body. */
  private endsByClose = false
  private trailers: Headers | undefined
  private broken: FlowFailure | undefined

  constructor(
    pool: Http1Pool,
    request: Request,
    options: SendOptions,
    resumeFiber: Resume,
    upgradePurpose: Parameters<Http1Pool["fresh"]>[0],
  ) {
    this.pool = pool
    this.request = request
    this.options = options
    this.resumeFiber = resumeFiber
    this.upgradePurpose = upgradePurpose
  }

  start(): void {
    const { replyTimeoutMillis } = this.options
    if (replyTimeoutMillis !== undefined) this.timer = setTimeout(expire, replyTimeoutMillis, this)
    if (parsing > 0) queueMicrotask(() => this.begin())
    else this.begin()
  }

  private get isTunnelling(): boolean {
    return this.request.upgrade !== undefined || this.request.method === "CONNECT"
  }

  private begin(): void {
    if (this.state !== WAITING) return
    this.dispatch(this.isTunnelling ? this.pool.fresh(this.upgradePurpose) : this.pool.acquire())
  }

  private dispatch(connection: Http1Connection): void {
    this.connection = connection
    const { request } = this
    const { spec } = this.pool
    const { tunnel, target } = spec
    let path = request.method === "CONNECT" ? request.authority : request.target
    let authority = request.authority
    if (this.cleaned) this.clean(request.headers.flat)
    const body = this.bodyOf(request)
    const flat = request.headers.written
    const { length } = flat
    if (tunnel !== undefined && spec.tls === undefined && request.upgrade === undefined && target._tag === "Host") {
      // The proxy goes where the request target says, so it has to name the endpoint that was chosen.
      authority = target.port === 80 ? authorityOf(target).slice(0, -3) : authorityOf(target)
      path = `http://${authority}${path}`
      if (tunnel.authorization !== undefined) flat.push("proxy-authorization", tunnel.authorization)
    }
    // Undici copies the fields before this call returns, so they need not be copied to add one.
    flat.push("host", authority)
    const method = request.method as undici.Dispatcher.HttpMethod
    const options: undici.Dispatcher.DispatchOptions & { readonly servername: string } =
      request.upgrade === undefined
        ? // Undici would close the connection after HEAD, against servers that send a body all the same.
          { path, method, headers: flat, body, reset: false, servername }
        : { path, method, headers: flat, body, upgrade: request.upgrade, servername }
    connection.client.dispatch(options, this as unknown as undici.Dispatcher.DispatchHandler)
    flat.length = length
  }

  /** A length that no longer fits the body would make two readers disagree about where the message ends. */
  private bodyOf({ body, headers }: Request): NonNullable<undici.Dispatcher.DispatchOptions["body"]> | null {
    if (body._tag === "Empty") return null
    if (body._tag === "Bytes") {
      const declared = headers.get("content-length")
      if (declared !== undefined && Number(declared) !== body.bytes.byteLength) {
        headers.set("content-length", String(body.bytes.byteLength))
      }
      return body.bytes
    }
    if (body.length === undefined) headers.remove("content-length")
    else if (!headers.has("content-length")) headers.append("content-length", String(body.length))
    this.requestBody = new RequestBody(body)
    return this.requestBody as unknown as Readable
  }

  private clean(flat: Array<string>): void {
    let length = 0
    for (let i = 0; i < flat.length; i += 2) {
      if (connectionFields.has(flat[i] as string)) continue
      flat[length++] = flat[i] as string
      flat[length++] = flat[i + 1] as string
    }
    flat.length = length
  }

  expire(): void {
    this.timer = undefined
    if (this.state !== WAITING) return
    this.fail({ _tag: "ReplyTimeout", message: `no reply within ${this.options.replyTimeoutMillis} ms` })
    this.drop()
  }

  /** Nobody waits for the reply any more. */
  abort(): void {
    if (this.state >= DELIVERED) return
    this.state = OVER
    clearTimeout(this.timer)
    this.drop()
  }

  private drop(): void {
    const { connection, controller } = this
    this.connection = undefined
    this.requestBody?.destroy()
    if (controller === undefined) connection?.destroy()
    else {
      controller.abort(cancelled)
      connection?.close()
    }
    this.tunnel?.destroy()
  }

  private fail(failure: UpstreamFailure | OtherVersion): void {
    if (this.state !== WAITING) return
    this.state = SETTLED
    this.failure = failure
    later(this)
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller
    const { connection } = this
    if (connection === undefined) return controller.abort(cancelled)
    this.reused = connection.served++ > 0
  }

  onResponseStarted(): void {
    this.begun = true
  }

  onResponseStart(controller: Controller, status: number): void {
    if (this.state !== WAITING) return
    const flat = latin1(controller.rawHeaders)
    if (status < 200) return this.inform(controller, status, flat)
    const head = relayReply(flat)
    if (head.malformed !== undefined) return this.refuse(controller, head.malformed)
    if (status === 407 && this.pool.spec.tunnel !== undefined && this.pool.spec.tls === undefined) {
      this.fail({ _tag: "TunnelRefused", message: "tunnel proxy asks for authentication (407)", status })
      return controller.abort(cancelled)
    }
    this.status = status
    this.headers = head.headers
    if (this.request.headers.spelled !== undefined) head.headers.spelled = spellingOf(flat)
    this.length = this.isBodyless(status) ? 0 : head.contentLength
    this.endsByClose = this.length === undefined && !head.chunked
    this.state = SETTLED
    later(this)
  }

  private isBodyless(status: number): boolean {
    return this.request.method === "HEAD" || status === 204 || status === 304
  }

  private inform(controller: Controller, status: number, flat: Array<string>): void {
    if (status === 101) return this.refuse(controller, "protocol switched unasked")
    const { inform } = this.options
    if (inform === undefined) return
    const head = relayReply(flat)
    if (head.malformed === undefined) inform(status, head.headers.flat)
  }

  private refuse(controller: Controller, message: string): void {
    this.fail({ _tag: "MalformedReply", message })
    controller.abort(cancelled)
  }

  onResponseData(controller: Controller, chunk: Uint8Array): void {
    if (this.state === OVER) return
    const { sink } = this
    if (sink !== undefined && this.chunks === undefined) {
      parsing++
      try {
        if (!sink.write(chunk)) controller.pause()
      } finally {
        parsing--
      }
      return
    }
    if (this.chunks === undefined) this.chunks = [chunk]
    else this.chunks.push(chunk)
    if (this.state === DELIVERED) controller.pause()
  }

  onResponseEnd(controller: Controller): void {
    const { connection } = this
    // Undici takes a reset for an end where only the end of the connection ends a body.
    if (this.endsByClose && connection?.error !== undefined) return this.onResponseError(controller, connection.error)
    this.connection = undefined
    // One made for an upgrade may take another way than those of the pool.
    if (this.isTunnelling) connection?.close()
    else connection?.release()
    this.ended = true
    if (this.state === OVER) return
    const raw = controller.rawTrailers
    if (raw !== null && raw !== undefined && (raw as ReadonlyArray<unknown>).length > 0) {
      const trailers = relayTrailers(latin1(raw))
      if (trailers.flat.length > 0) this.trailers = trailers
    }
    if (this.sink === undefined || this.chunks !== undefined) return
    parsing++
    try {
      this.finish(this.sink)
    } finally {
      parsing--
    }
  }

  onRequestUpgrade(controller: Controller, status: number, _headers: unknown, socket: Duplex): void {
    const { connection } = this
    this.connection = undefined
    connection?.close()
    const stream = socket as NetSocket
    stream.allowHalfOpen = true
    if (this.state !== WAITING) return void stream.destroy()
    const head = relayReply(latin1(controller.rawHeaders))
    const { request } = this
    if (request.method !== "CONNECT" && head.upgrade?.toLowerCase() !== request.upgrade?.toLowerCase()) {
      stream.destroy()
      return this.fail({ _tag: "UpgradeRefused", message: "the upstream switched to another protocol" })
    }
    this.status = status
    this.headers = head.headers
    if (status === 101 && head.upgrade !== undefined) {
      head.headers.append("connection", "upgrade")
      head.headers.append("upgrade", head.upgrade)
    }
    this.tunnel = stream
    this.state = SETTLED
    later(this)
  }

  onResponseError(_controller: Controller | null, reported: Error): void {
    const { connection } = this
    const error = connection?.error ?? reported
    this.connection = undefined
    connection?.close()
    const aborted = this.requestBody?.failure
    switch (this.state) {
      case WAITING: {
        if (error instanceof OtherVersion) return this.fail(error)
        if (aborted !== undefined)
          return this.fail({ _tag: "RequestAborted", message: aborted.message, reason: aborted.reason })
        if (this.mayRepeat()) return this.repeat(this.pool.fresh())
        if (this.mayClean(error)) return this.repeat(this.pool.acquire())
        return this.fail(failureOf(error, this.controller !== undefined))
      }
      case SETTLED:
        // The head was not handed on yet: better no reply than the beginning of one.
        if (this.failure === undefined && this.headers !== undefined) this.failure = failureOf(error, true)
        return
      case DELIVERED:
        this.broken = aborted ?? flowFailure("gone", failureOf(error, true).message)
        if (this.sink !== undefined && this.chunks === undefined) this.finish(this.sink)
        return
      default:
    }
  }

  /** The server closed an idle connection at the moment we used it: its loss says nothing about the request. */
  private mayRepeat(): boolean {
    if (!this.reused || this.repeated || this.begun) return false
    return this.request.body._tag !== "Flow" && isIdempotent(this.request.method)
  }

  private mayClean(error: Error): boolean {
    if (this.cleaned || (error as NodeJS.ErrnoException).code !== "UND_ERR_INVALID_ARG") return false
    const { flat } = this.request.headers
    for (let i = 0; i < flat.length; i += 2) if (connectionFields.has(flat[i] as string)) return (this.cleaned = true)
    return false
  }

  private repeat(connection: Http1Connection): void {
    this.repeated = true
    this.reused = false
    this.controller = undefined
    // Undici is in the middle of losing the old connection.
    queueMicrotask(() => {
      if (this.state === WAITING) this.dispatch(connection)
      else connection.close()
    })
  }

  /** Hands the reply, or the reason why there is none, to the fiber that waits. */
  deliver(): void {
    if (this.state === OVER) return
    clearTimeout(this.timer)
    const { failure, headers } = this
    if (failure !== undefined || headers === undefined) {
      this.state = OVER
      return this.resumeFiber(Effect.fail(failure ?? { _tag: "MalformedReply", message: "no head" }))
    }
    this.state = DELIVERED
    const body = this.replyBody()
    const { status, tunnel } = this
    this.resumeFiber(
      Effect.succeed(
        tunnel === undefined
          ? { status, headers, body, origin: "upstream" }
          : { status, headers, body, origin: "upstream", tunnel: new NodeSocket(tunnel) },
      ),
    )
    if (this.chunks !== undefined && this.sink === undefined && !this.ended) this.controller?.pause()
  }

  private replyBody(): Body {
    const { chunks } = this
    if (this.tunnel === undefined && this.length !== 0 && (!this.ended || this.trailers !== undefined)) return this
    this.state = OVER
    if (this.tunnel !== undefined || this.length === 0) return empty
    this.chunks = undefined
    if (chunks === undefined) return empty
    let length = 0
    for (const chunk of chunks) length += chunk.byteLength
    return { _tag: "Bytes", bytes: join(chunks, length) }
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.drain(sink)
    return this
  }

  resume(): void {
    if (this.state !== DELIVERED || this.sink === undefined) return
    this.drain(this.sink)
  }

  private drain(sink: Sink): void {
    while (this.chunks !== undefined && this.state === DELIVERED) {
      const chunk = this.chunks.shift() as Uint8Array
      if (this.chunks.length === 0) this.chunks = undefined
      if (!sink.write(chunk)) return
    }
    if (this.state !== DELIVERED) return
    if (this.ended || this.broken !== undefined) this.finish(sink)
    else if (parsing > 0) queueMicrotask(() => this.state === DELIVERED && this.controller?.resume())
    else this.controller?.resume()
  }

  private finish(sink: Sink): void {
    if (this.state !== DELIVERED) return
    this.state = OVER
    if (this.broken !== undefined) sink.fail(this.broken)
    else sink.end(this.trailers)
  }

  cancel(): void {
    if (this.state === OVER) return
    this.state = OVER
    this.chunks = undefined
    if (!this.ended) this.drop()
  }
}
