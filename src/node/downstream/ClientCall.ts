/** A request over HTTP/1, and the reply that is owed for it. */
import * as Effect from "effect/Effect"
import { Headers } from "../../../protocols/http/headers.ts"
import type { RelayedRequest } from "../../../protocols/http/hopByHop.ts"
import { reasonOf } from "../../../protocols/http/reasons.ts"
import type { RequestHead } from "../../../protocols/http/requestHead.ts"
import {
  type Body,
  bytes as bodyOf,
  discard,
  empty,
  flowFailure,
  type FlowFailure,
  type Sink,
  type Source,
} from "../../../stages/Body.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import type { Delivered, Incoming } from "../../../stages/ports/Network.ts"
import { dateLine } from "../http1/dateLine.ts"
import { replyLines } from "../http1/fieldLines.ts"
import { Gathered, writeBetween } from "../http1/pieces.ts"
import { INTERIM_BYTES, INTERIM_BYTES_MAX } from "../interim.ts"
import { takeOver } from "../tunnel.ts"
import type { ClientConnection } from "./ClientConnection.ts"
import { RequestFlow } from "./RequestFlow.ts"

/** A body of at most so many bytes that nobody read is thrown away for the sake of the connection. */
export const UNREAD_BYTES_MAX = 65_536

const gone: Delivered = { outcome: "clientGone", bytes: 0, failure: undefined }

/** How every head begins, whatever will be answered. */
const BEGINNING = "HTTP/1.1 "

const plain = new Headers(["content-type", "text/plain"])
const internalError = Buffer.from("internal error")

export class ClientCall implements Incoming, Sink {
  readonly method: string
  readonly target: string
  readonly version: "1.0" | "1.1"
  readonly flat: Array<string>
  readonly fields: RelayedRequest
  readonly authority = undefined
  readonly scheme = undefined
  readonly protocol = undefined
  readonly body: Body
  readonly flow: RequestFlow | undefined
  private readonly connection: ClientConnection
  private readonly expects: boolean
  private finish: ((delivered: Effect.Effect<Delivered>) => void) | undefined
  private listener: (() => void) | undefined
  private source: Source | undefined
  private failure: FlowFailure | undefined
  private gathered: Gathered | undefined
  private sent = 0
  /** Bytes of interim replies. */
  private informed = 0
  /** Bytes that the head announced. */
  private declared = Infinity
  private bodiless = false
  private chunked = false
  private isEventStream = false
  /** How much of the beginning of the next head is written already. */
  foretold = 0
  /** Whether the head of the reply is made, and the whole reply is written. */
  private begun = false
  private ended = false
  private closed = false
  /** Whether the connection carries another request after this one. */
  persists: boolean

  constructor(connection: ClientConnection, head: RequestHead, fields: RelayedRequest, body: Uint8Array | undefined) {
    this.connection = connection
    this.method = head.method
    this.target = head.target
    this.version = head.version
    this.flat = head.flat
    this.fields = fields
    this.persists = fields.persists
    this.expects =
      body === undefined &&
      head.version === "1.1" &&
      fields.expect !== undefined &&
      /^100-continue$/i.test(fields.expect)
    const { chunked, contentLength, malformed } = fields
    this.flow =
      body === undefined && malformed === undefined && (chunked || (contentLength ?? 0) > 0)
        ? new RequestFlow(
            connection,
            chunked ? undefined : contentLength,
            this.expects ? () => this.invite() : undefined,
          )
        : undefined
    this.body = this.flow ?? (body === undefined ? empty : bodyOf(body))
  }

  /** The body is wanted: a client that waits to hear so is told. */
  private invite(): void {
    if (this.begun || this.closed) return
    this.connection.socket.write(this.untold(`${BEGINNING}100 Continue\r\n\r\n`), "latin1")
  }

  gone(listener: () => void): void {
    if (this.closed) listener()
    else this.listener = listener
  }

  /**
   * Writes a character that has to be written anyway, for the answer of a host that no longer has the connection: the next
   * one of how every head begins, or, where chunks are sent, a leading zero of the next one's size (RFC 9112 §7.1). A reply
   * of known length has no such place.
   */
  nudge(): void {
    if (this.ended || this.closed) return
    if (this.chunked) return this.gathered?.end("0")
    if (this.begun || this.foretold === BEGINNING.length) return
    this.connection.socket.write(BEGINNING.charAt(this.foretold++), "latin1")
  }

  /** What of a head is not written yet. */
  private untold(head: string): string {
    const { foretold } = this
    if (foretold === 0) return head
    this.foretold = 0
    return head.slice(foretold)
  }

  readonly inform = (status: number, flat: Array<string>): void => {
    // 100 is between us and the client, 101 is no interim reply, and HTTP/1.0 knows neither.
    if (status < 102 || status > 199 || this.version === "1.0" || this.begun || this.closed) return
    try {
      const lines = replyLines.write(flat)
      this.informed += lines.length + INTERIM_BYTES
      if (this.informed > INTERIM_BYTES_MAX) return
      const head = `${BEGINNING}${status} ${reasonOf(status)}\r\n${lines}\r\n`
      this.connection.socket.write(this.untold(head), "latin1")
    } catch {
      // A field that cannot be written is not worth an interim reply.
    }
  }

  respond(reply: Reply): Effect.Effect<Delivered> {
    const { tunnel } = reply
    if (tunnel !== undefined && this.connection.isTunnel(this)) {
      return Effect.suspend(() => {
        if (this.closed) {
          tunnel.destroy?.()
          return Effect.succeed(gone)
        }
        return takeOver(reply, tunnel, this.connection.handOver(), this.fields.upgrade, (head) => this.untold(head))
      })
    }
    return Effect.callback<Delivered>((resume) => {
      this.connection.declined(this)
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
    const { body, headers, status } = reply
    this.bodiless = this.method === "HEAD" || status === 204 || status === 304
    const announced = status === 204 ? undefined : headers.get("content-length")
    switch (body._tag) {
      case "Flow":
        return this.stream(reply, body, announced)
      case "Bytes":
        this.sent = body.bytes.byteLength
        return this.whole(status, headers, this.bodiless ? announced : String(body.bytes.byteLength), body.bytes)
      case "Empty":
        this.whole(status, headers, this.bodiless ? announced : "0", undefined)
    }
  }

  /** A reply that is at hand, in one write. */
  private whole(status: number, headers: Headers, length: string | undefined, bytes: Uint8Array | undefined): void {
    const head = this.headOf(status, headers, length)
    this.begun = true
    if (bytes === undefined || this.bodiless) this.connection.socket.write(head, "latin1")
    else writeBetween(this.connection.socket, head, bytes, "")
    this.written()
  }

  private stream(reply: Reply, body: Extract<Body, { readonly _tag: "Flow" }>, announced: string | undefined): void {
    const { headers, status } = reply
    const length =
      announced ?? (body.length === undefined || status === 204 || this.bodiless ? undefined : String(body.length))
    if (length !== undefined) this.declared = Number(length)
    else {
      this.chunked = this.version === "1.1" && !this.bodiless
      this.isEventStream = headers.get("content-type")?.startsWith("text/event-stream") ?? false
    }
    const head = this.headOf(status, headers, length)
    const { socket } = this.connection
    // The head leaves with the first of the body, and does not wait for one that takes its time.
    const gathered = new Gathered(socket)
    gathered.add(head)
    this.gathered = gathered
    this.begun = true
    // What is at hand leaves in one system call.
    socket.cork()
    const source = body.open(this)
    socket.uncork()
    this.source = source
    if (this.closed) source.cancel()
  }

  /** May throw, where a field cannot be written. */
  private headOf(status: number, headers: Headers, length: string | undefined): string {
    const { connection } = this
    const lines = replyLines.write(headers.written)
    const ownEnd = length !== undefined || this.chunked || this.bodiless
    this.persists &&= ownEnd && !replyLines.closes && connection.mayPersist && !this.leavesUnread()
    const frame =
      length === undefined ? (this.chunked ? "transfer-encoding: chunked\r\n" : "") : `content-length: ${length}\r\n`
    return this.untold(
      `${BEGINNING}${status} ${reasonOf(status)}\r\n${lines}${replyLines.hasDate ? "" : dateLine()}` +
        `${this.persists ? connection.persistence : "connection: close\r\n"}${frame}\r\n`,
    )
  }

  /** The reply cannot be written as it is. */
  private replace(reply: Reply, message: string): void {
    if (this.begun) return this.connection.breakOff(this)
    discard(reply.body)
    this.failure = flowFailure("malformed", message)
    reply.status = 500
    this.bodiless = this.method === "HEAD"
    this.whole(500, plain, String(internalError.byteLength), internalError)
  }

  /** A body that nobody reads would be taken for the next request. */
  private leavesUnread(): boolean {
    const { flow } = this
    if (flow === undefined || flow.complete || flow.waiting) return false
    return flow.failed || this.expects || flow.length === undefined || flow.length > UNREAD_BYTES_MAX
  }

  /** Whether the client has yet to send the rest of its body. */
  get unfinished(): boolean {
    return this.flow !== undefined && !this.flow.complete
  }

  /** Whether the client is being told of events, for as long as there are any. */
  get followed(): boolean {
    return this.isEventStream && this.begun
  }

  /** Whether its reply has begun. */
  get answered(): boolean {
    return this.begun
  }

  /** Whether the end of the reply is only told by closing. */
  get endsByClosing(): boolean {
    return this.begun && !this.chunked && this.declared === Infinity && !this.bodiless && this.source !== undefined
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed || this.ended) return false
    const { byteLength } = chunk
    if (this.bodiless || byteLength === 0) return true
    this.sent += byteLength
    if (this.sent > this.declared) {
      this.fail(flowFailure("malformed", "the body is longer than its head announced"))
      this.source?.cancel()
      return false
    }
    const before = this.chunked ? `${byteLength.toString(16)}\r\n` : ""
    const after = this.chunked ? "\r\n" : ""
    return this.gathered?.write(before, chunk, after) ?? false
  }

  end(trailers: Headers | undefined): void {
    if (this.ended || this.closed) return
    if (this.declared !== Infinity && this.sent < this.declared && !this.bodiless) {
      return this.fail(flowFailure("gone", "the body is shorter than its head announced"))
    }
    const lines = trailers === undefined ? "" : replyLines.writeTrailers(trailers.written)
    this.gathered?.end(this.chunked ? `0\r\n${lines}\r\n` : "")
    this.written()
  }

  fail(failure: FlowFailure): void {
    if (this.ended || this.closed) return
    this.failure ??= failure
    this.gathered?.end("")
    this.connection.breakOff(this)
  }

  /** The socket has taken what was written. */
  drained(): void {
    if (!this.ended) this.source?.resume()
  }

  /** All of the reply is with the socket; it counts as sent once the kernel has it. */
  private written(): void {
    this.ended = true
    this.connection.written(this)
  }

  /** All of the reply is with the kernel. */
  sentAll(): void {
    const { failure, finish, sent: bytes } = this
    this.finish = undefined
    if (finish === undefined) return
    finish(Effect.succeed({ outcome: failure === undefined ? "complete" : "upstreamFailed", bytes, failure }))
  }

  /** The connection closed first. */
  lost(): void {
    this.closed = true
    this.source?.cancel()
    this.flow?.abandon(flowFailure("gone", "the sender went away"))
    const { failure, finish, sent: bytes } = this
    this.finish = undefined
    if (finish === undefined) return this.listener?.()
    finish(Effect.succeed({ outcome: failure === undefined ? "clientGone" : "upstreamFailed", bytes, failure }))
  }
}
