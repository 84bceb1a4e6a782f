/**
 * One connection that speaks HTTP/1.1, and the request it serves. Requests follow one another: what arrives between
 * them, or behind the end of a reply, ends the connection, since it could be taken for the next reply.
 */
import type { Socket } from "node:net"
import type { Relayed } from "../../../protocols/http/hopByHop.ts"
import type { Flow, FlowFailure } from "../../../stages/Body.ts"
import { hearNoMore, hearOut } from "../lastWords.ts"
import { leave, listen, type Owner } from "../http1/listening.ts"
import { queuedOf } from "../queued.ts"
import type { Purpose } from "./connect.ts"
import { Failed } from "./failure.ts"
import type { Http1Pool } from "./Http1Pool.ts"
import { type ReplyEvents, ReplyReader } from "./ReplyReader.ts"
import { RequestBody, writeWhole } from "./RequestBody.ts"
import { expectsBody } from "./requestHead.ts"
import { timerMillis } from "../timerMillis.ts"

/** A server that announces when it will close is believed a little early. */
const KEEP_ALIVE_MARGIN_MILLIS = 500

/** Who is served. */
export interface Served {
  readonly method: string
  /** The connection stands: the request is to be written now. */
  write(connection: Http1Connection): void
  interim(status: number, head: Relayed): void
  head(status: number, head: Relayed, flat: Array<string>): void
  /** False asks to hold back. */
  data(chunk: Uint8Array): boolean
  end(trailers: Array<string> | undefined): void
  switched(status: number, head: Relayed, socket: Socket): void
  /** Everything of what arrived together was told. */
  told(): void
  uploadFailed(failure: FlowFailure): void
  /** `heard` is whether a byte of the reply arrived. */
  broken(error: Error, heard: boolean): void
}

const closedByUpstream = (): Failed =>
  new Failed({ _tag: "Reset", message: "connection closed by the upstream", sent: true })

const announced = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i

const lookAtIdle = (connection: Http1Connection): void => connection.look()

export class Http1Connection implements ReplyEvents, Owner {
  private readonly pool: Http1Pool
  private readonly idleMillis: number
  private readonly reader = new ReplyReader(this)
  private readonly purpose: Purpose
  private readonly first: string | undefined
  private upload: RequestBody | undefined
  private cancelConnecting: (() => void) | undefined
  private socket: Socket | undefined
  private call: Served | undefined
  private timer: NodeJS.Timeout | undefined
  private closing = false
  private held = false
  /** Whether the request has a body, so that the server may answer before it has read all of it. */
  private uploads = false
  private persists = true
  /** What broke the socket; its closing tells only that. */
  private error: Error | undefined
  /** How many requests were begun on it; from the second on the server may have closed it meanwhile. */
  served = 0
  /** Whether anything arrived since the request that is being served. */
  private heard = false
  address: string | undefined
  idle = false
  /** When the server said that it would close it. */
  expiresMillis = Infinity
  /** When the pool has no more use for it. */
  private restsUntilMillis = 0
  private looksMillis = Infinity
  newer: Http1Connection | undefined
  older: Http1Connection | undefined

  constructor(pool: Http1Pool, idleMillis: number, purpose: Purpose, first: string | undefined) {
    this.pool = pool
    this.idleMillis = idleMillis
    this.purpose = purpose
    this.first = first
  }

  /** Serves a request, connecting first where that is still to be done. */
  serve(call: Served): void {
    this.call = call
    if (this.socket !== undefined) return this.begin(call)
    this.cancelConnecting = this.pool.connect(this.purpose, this.first, (error, socket, address) => {
      this.cancelConnecting = undefined
      this.address = address
      if (socket === undefined) return this.lost(error ?? closedByUpstream())
      if (this.closing) return void socket.destroy()
      this.attach(socket)
      if (this.call !== undefined) this.begin(this.call)
    })
  }

  private attach(socket: Socket): void {
    this.socket = socket
    this.lookAfter(performance.now(), this.idleMillis)
    listen(socket, this)
    hearOut(
      socket,
      (chunk) => this.onData(chunk),
      () => this.mayBeAnswered(),
    )
    // Whoever asked a proxy for the tunnel stopped reading.
    socket.resume()
  }

  private detach(socket: Socket): void {
    this.socket = undefined
    clearTimeout(this.timer)
    hearNoMore(socket)
    leave(socket)
  }

  private begin(call: Served): void {
    this.served++
    this.heard = false
    this.uploads = false
    this.reader.expect(call.method)
    call.write(this)
  }

  /** Each of these writes the one request; `head` lacks only what frames the body. */
  writeEmpty(head: string, method: string): void {
    this.socket?.write(expectsBody(method) ? `${head}content-length: 0\r\n\r\n` : `${head}\r\n`, "latin1")
  }

  writeBytes(head: string, bytes: Uint8Array): void {
    if (this.socket === undefined) return
    this.uploads = true
    writeWhole(this.socket, head, bytes)
  }

  writeFlow(head: string, method: string, flow: Flow): void {
    const { call, socket } = this
    if (socket === undefined || call === undefined) return
    const body = new RequestBody(flow, socket, head, expectsBody(method), (failure) => call.uploadFailed(failure))
    this.upload = body
    this.uploads = true
    body.open()
  }

  /** Grows as the server takes what is written; undefined while there is nothing for it to take. */
  get taken(): number | undefined {
    const { socket } = this
    if (socket === undefined) return undefined
    const queued = queuedOf(socket)
    return queued === 0 ? undefined : socket.bytesWritten - queued
  }

  pause(): void {
    if (this.held) return
    this.held = true
    this.socket?.pause()
  }

  resume(): void {
    if (!this.held) return
    this.held = false
    this.socket?.resume()
  }

  onData(chunk: Buffer): void {
    const { call } = this
    this.heard = true
    this.reader.read(chunk)
    call?.told()
  }

  onDrain(): void {
    this.upload?.drained()
  }

  onError(error: Error): void {
    this.error ??= error
    // A socket is closed some time after it broke: no request may take it until then.
    if (this.idle) this.destroy()
  }

  /** A write failed. A server that has seen enough of a body answers and closes: its answer may wait here. */
  private mayBeAnswered(): boolean {
    if (this.call === undefined || !this.uploads) return false
    this.closing = true
    this.upload?.cancel()
    return true
  }

  /** The server sends nothing more, which is the end of some bodies. */
  onEnd(): void {
    const { call } = this
    if (this.reader.endsByClosing && this.error === undefined) this.end(undefined, true)
    else this.destroy()
    call?.told()
  }

  onClose(): void {
    this.lost(this.error ?? closedByUpstream())
  }

  /** Nothing more will come of it. */
  private lost(error: Error): void {
    const { call } = this
    this.call = undefined
    this.closing = true
    clearTimeout(this.timer)
    this.reader.stop()
    this.upload?.cancel()
    this.upload = undefined
    this.pool.lost(this)
    call?.broken(error, this.heard)
  }

  interim(status: number, head: Relayed): void {
    this.call?.interim(status, head)
  }

  head(status: number, head: Relayed, flat: Array<string>): void {
    this.persists = head.persists
    this.expiresMillis = head.keepAlive === undefined ? Infinity : announcedBy(head.keepAlive)
    this.call?.head(status, head, flat)
  }

  data(chunk: Uint8Array): void {
    if (this.call?.data(chunk) === false) this.pause()
  }

  end(trailers: Array<string> | undefined, over: boolean): void {
    const { call, socket, upload } = this
    this.call = undefined
    this.upload = undefined
    // What no longer has a reader would stand in front of the next request.
    const unsent = (upload !== undefined && !upload.over) || (socket !== undefined && socket.writableLength > 0)
    upload?.cancel()
    if (over || unsent || this.closing || !this.persists || this.expired) this.destroy()
    else {
      this.resume()
      this.pool.release(this)
    }
    call?.end(trailers)
  }

  switched(status: number, head: Relayed, rest: Uint8Array): void {
    const { call, socket } = this
    if (call === undefined || socket === undefined) return
    this.call = undefined
    this.closing = true
    this.upload = undefined
    this.detach(socket)
    if (rest.byteLength > 0) socket.unshift(rest)
    call.switched(status, head, socket)
  }

  malformed(message: string): void {
    const failed = new Failed({ _tag: "MalformedReply", message })
    this.destroy()
    this.lost(failed)
  }

  /** When it has nothing to do any more, or at once if that is so. */
  close(): void {
    this.closing = true
    if (this.call === undefined) this.destroy()
  }

  /** Whatever it does, it is given up, and whoever is served hears nothing more. */
  abort(): void {
    this.call = undefined
    this.upload?.cancel()
    this.upload = undefined
    this.destroy()
  }

  private destroy(): void {
    this.closing = true
    this.reader.stop()
    this.cancelConnecting?.()
    this.cancelConnecting = undefined
    this.socket?.destroy()
    if (this.idle) this.pool.lost(this)
  }

  get expired(): boolean {
    return this.expiresMillis !== Infinity && this.expiresMillis <= performance.now()
  }

  rest(): void {
    const now = performance.now()
    this.idle = true
    this.restsUntilMillis = Math.min(this.expiresMillis, now + this.idleMillis)
    if (this.restsUntilMillis < this.looksMillis) this.lookAfter(now, this.restsUntilMillis - now)
  }

  /** One timer for the life of the connection: it looks again when there was work since. */
  private lookAfter(nowMillis: number, millis: number): void {
    clearTimeout(this.timer)
    this.looksMillis = nowMillis + millis
    this.timer = setTimeout(lookAtIdle, timerMillis(millis), this).unref()
  }

  look(): void {
    const now = performance.now()
    const left = this.idle ? this.restsUntilMillis - now : this.idleMillis
    if (left <= 0) this.close()
    else this.lookAfter(now, left)
  }
}

const announcedBy = (keepAlive: string): number => {
  const seconds = announced.exec(keepAlive)?.[1]
  return seconds === undefined ? Infinity : performance.now() + Number(seconds) * 1_000 - KEEP_ALIVE_MARGIN_MILLIS
}
