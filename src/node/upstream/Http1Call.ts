/**
 * One request over HTTP/1.1 and its reply: what the connection calls back, the flow of the reply's body, and the source
 * of that flow are one object, because this is the busiest path of the gateway.
 */
import * as Effect from "effect/Effect"
import type { Socket as NetSocket } from "node:net"
import { Headers, spellingOf } from "../../../protocols/http/headers.ts"
import { type Relayed, relayTrailers } from "../../../protocols/http/hopByHop.ts"
import { isIdempotent } from "../../../protocols/http/methods.ts"
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
import { refuseUpgrade } from "../../../protocols/http/upgrade.ts"
import type { Reply, Request } from "../../../stages/Exchange.ts"
import type { SendOptions, UpstreamFailure } from "../../../stages/ports/Upstream.ts"
import { NodeSocket } from "../socket.ts"
import { authorityOf } from "./connect.ts"
import { failureOf, OtherVersion } from "./failure.ts"
import type { Http1Connection, Served } from "./Http1Connection.ts"
import type { Http1Pool } from "./Http1Pool.ts"
import { Unwritable } from "../http1/fieldLines.ts"
import { requestHead } from "./requestHead.ts"
import { Unread, unreadFor } from "./Unread.ts"
import { timerMillis } from "../timerMillis.ts"

type Resume = (effect: Effect.Effect<Reply, UpstreamFailure | OtherVersion>) => void

const expire = (call: Http1Call): void => call.expire()

const WAITING = 0
const SETTLED = 1
const DELIVERED = 2
/** Nobody wants anything of it any more. */
const OVER = 3

export class Http1Call implements Flow, Source, Served {
  readonly _tag = "Flow"
  length: number | undefined = undefined
  private readonly pool: Http1Pool
  private readonly request: Request
  private readonly options: SendOptions
  private readonly resumeFiber: Resume
  private readonly upgradePurpose: Parameters<Http1Pool["fresh"]>[0]
  private connection: Http1Connection | undefined
  private timer: NodeJS.Timeout | undefined
  private unread: Unread | undefined
  private state = WAITING
  /** Whether any of the request may have left. */
  private sent = false
  /** Whether the connection had served other requests before. */
  private reused = false
  private repeated = false
  private status = 0
  private headers: Headers | undefined
  private tunnel: NetSocket | undefined
  private failure: UpstreamFailure | OtherVersion | undefined
  private chunks: Array<Uint8Array> | undefined
  private sink: Sink | undefined
  private ended = false
  private trailers: Headers | undefined
  private broke: FlowFailure | undefined

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

  get method(): string {
    return this.request.method
  }

  start(): void {
    const { replyTimeoutMillis } = this.options
    if (replyTimeoutMillis !== undefined) this.timer = setTimeout(expire, timerMillis(replyTimeoutMillis), this)
    this.serve(this.isTunnelling ? this.pool.fresh(this.upgradePurpose) : this.pool.acquire())
  }

  private get isTunnelling(): boolean {
    return this.request.upgrade !== undefined || this.request.method === "CONNECT"
  }

  private serve(connection: Http1Connection): void {
    this.connection = connection
    connection.serve(this)
  }

  write(connection: Http1Connection): void {
    const { request } = this
    const { body, headers, method } = request
    const { spec } = this.pool
    const { tunnel, target } = spec
    let path = method === "CONNECT" ? request.authority : request.target
    let authority = request.authority
    const flat = headers.written
    const { length } = flat
    if (tunnel !== undefined && spec.tls === undefined && request.upgrade === undefined && target._tag === "Host") {
      // The proxy goes where the request target says, so it has to name the endpoint that was chosen.
      authority = target.port === 80 ? authorityOf(target).slice(0, -3) : authorityOf(target)
      path = `http://${authority}${path}`
      if (tunnel.authorization !== undefined) flat.push("proxy-authorization", tunnel.authorization)
    }
    let head: string
    try {
      head = requestHead(method, path, authority, flat, request.upgrade)
    } catch (error) {
      if (!(error instanceof Unwritable)) throw error
      this.drop()
      return this.fail({ _tag: "RequestAborted", message: `request cannot be sent: ${error.message}` })
    } finally {
      flat.length = length
    }
    this.reused = connection.served > 1
    this.sent = true
    if (body._tag === "Empty") connection.writeEmpty(head, method)
    else if (body._tag === "Bytes") connection.writeBytes(head, body.bytes)
    else connection.writeFlow(head, method, body)
    const { idleMillis } = this.options
    if (idleMillis !== undefined && body._tag !== "Empty" && this.state === WAITING) this.watch(connection, idleMillis)
  }

  /** What is written in one piece and taken at once needs no watching. */
  private watch(connection: Http1Connection, idleMillis: number): void {
    this.unread?.end()
    if (this.request.body._tag === "Bytes" && connection.taken === undefined) return
    this.unread = new Unread(
      idleMillis,
      () => connection.taken,
      () => {
        if (this.state !== WAITING) return
        this.drop()
        this.fail(unreadFor(idleMillis))
      },
    )
  }

  expire(): void {
    this.timer = undefined
    if (this.state !== WAITING) return
    this.drop()
    this.fail({ _tag: "ReplyTimeout", message: `no reply within ${this.options.replyTimeoutMillis} ms` })
  }

  /** Nobody waits for the reply any more. */
  abort(): void {
    if (this.state >= DELIVERED) return
    this.state = OVER
    this.stopTimers()
    this.drop()
  }

  private stopTimers(): void {
    clearTimeout(this.timer)
    this.unread?.end()
  }

  private drop(): void {
    const { connection } = this
    this.connection = undefined
    connection?.abort()
    this.tunnel?.destroy()
  }

  private fail(failure: UpstreamFailure | OtherVersion): void {
    if (this.state !== WAITING) return
    this.state = SETTLED
    this.failure = failure
    // Whoever began this may not yet be ready for its end.
    queueMicrotask(() => this.told())
  }

  interim(status: number, head: Relayed): void {
    this.options.inform?.(status, head.headers.flat)
  }

  head(status: number, head: Relayed, flat: Array<string>): void {
    if (this.state !== WAITING) return
    if (status === 407 && this.pool.spec.tunnel !== undefined && this.pool.spec.tls === undefined) {
      this.drop()
      return this.fail({ _tag: "TunnelRefused", message: "tunnel proxy asks for authentication (407)", status })
    }
    this.status = status
    this.headers = head.headers
    if (this.request.headers.spelled !== undefined) head.headers.spelled = spellingOf(flat)
    const bodiless = this.request.method === "HEAD" || status === 204 || status === 304
    this.length = bodiless ? 0 : head.contentLength
    this.state = SETTLED
  }

  data(chunk: Uint8Array): boolean {
    if (this.state === OVER) return true
    const { sink } = this
    if (sink !== undefined && this.chunks === undefined) return sink.write(chunk)
    if (this.chunks === undefined) this.chunks = [chunk]
    else this.chunks.push(chunk)
    return this.state !== DELIVERED
  }

  end(trailers: Array<string> | undefined): void {
    const { connection } = this
    this.connection = undefined
    // One made for an upgrade may take another way than those of the pool.
    if (this.isTunnelling) connection?.close()
    this.ended = true
    if (this.state === OVER) return
    if (trailers !== undefined) {
      const relayed = relayTrailers(trailers)
      if (relayed.flat.length > 0) this.trailers = relayed
    }
    if (this.sink !== undefined && this.chunks === undefined) this.finish(this.sink)
  }

  switched(status: number, head: Relayed, socket: NetSocket): void {
    this.connection = undefined
    socket.allowHalfOpen = true
    if (this.state !== WAITING) return void socket.destroy()
    const { request } = this
    if (request.method !== "CONNECT") {
      const refused =
        request.upgrade === undefined
          ? ({ _tag: "MalformedReply", message: "protocol switched unasked" } as const)
          : refuseUpgrade(request.upgrade, head.upgrade) !== undefined
            ? ({ _tag: "UpgradeRefused", message: "the upstream switched to another protocol" } as const)
            : undefined
      if (refused !== undefined) {
        socket.destroy()
        return this.fail(refused)
      }
    }
    this.status = status
    this.headers = head.headers
    if (status === 101 && head.upgrade !== undefined) {
      head.headers.append("connection", "upgrade")
      head.headers.append("upgrade", head.upgrade)
    }
    this.tunnel = socket
    this.state = SETTLED
  }

  /** The client's side broke off, or sent another length than it announced. */
  uploadFailed(failure: FlowFailure): void {
    this.drop()
    if (this.state === WAITING) {
      return this.fail({ _tag: "RequestAborted", message: failure.message, reason: failure.reason })
    }
    this.breakOff(failure, { _tag: "Reset", message: failure.message, sent: true })
  }

  broken(error: Error, heard: boolean): void {
    this.connection = undefined
    if (this.state !== WAITING) {
      const failure = failureOf(error, true)
      return this.breakOff(flowFailure("gone", failure.message), failure)
    }
    if (error instanceof OtherVersion) return this.fail(error)
    if (!heard && this.mayRepeat()) return this.repeat()
    this.fail(failureOf(error, this.sent))
  }

  private breakOff(broke: FlowFailure, failure: UpstreamFailure): void {
    if (this.state === SETTLED) {
      // The head was not handed on yet: better no reply than the beginning of one.
      if (this.failure === undefined && this.headers !== undefined && !this.ended) this.failure = failure
    } else if (this.state === DELIVERED && !this.ended) {
      this.broke = broke
      if (this.sink !== undefined && this.chunks === undefined) this.finish(this.sink)
    }
  }

  /** The server closed an idle connection at the moment we used it: its loss says nothing about the request. */
  private mayRepeat(): boolean {
    if (!this.reused || this.repeated) return false
    return this.request.body._tag !== "Flow" && isIdempotent(this.request.method)
  }

  private repeat(): void {
    this.repeated = true
    this.sent = false
    this.serve(this.pool.fresh())
  }

  /** Hands the reply, or the reason why there is none, to the fiber that waits. */
  told(): void {
    if (this.state !== SETTLED) return
    this.stopTimers()
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
    if (this.chunks !== undefined && this.sink === undefined && !this.ended) this.connection?.pause()
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
    if (this.ended || this.broke !== undefined) this.finish(sink)
    else this.connection?.resume()
  }

  private finish(sink: Sink): void {
    if (this.state !== DELIVERED) return
    this.state = OVER
    if (this.broke !== undefined) sink.fail(this.broke)
    else sink.end(this.trailers)
  }

  cancel(): void {
    if (this.state === OVER) return
    this.state = OVER
    this.chunks = undefined
    if (!this.ended) this.drop()
  }
}
