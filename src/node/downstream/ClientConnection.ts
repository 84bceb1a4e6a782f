/**
 * One connection of a client that speaks HTTP/1. Requests are served one after the other: a client may send ahead, but
 * nothing it sent is read before the reply before it is on its way.
 */
import type * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import type { RelayedRequest } from "../../../protocols/http/hopByHop.ts"
import { reasonOf } from "../../../protocols/http/reasons.ts"
import type { RequestHead, Unreadable } from "../../../protocols/http/requestHead.ts"
import { flowFailure } from "../../../stages/Body.ts"
import type { HttpConnection, HttpEvents, HttpSettings } from "../../../stages/ports/Network.ts"
import { dateLine } from "../http1/dateLine.ts"
import { leave, listen, type Owner, readAgain, stopReading } from "../http1/listening.ts"
import { takenOf } from "../queued.ts"
import type { NodeSocket } from "../socket.ts"
import { ClientCall } from "./ClientCall.ts"
import { type RequestEvents, RequestReader } from "./RequestReader.ts"
import type { Reading } from "./RequestFlow.ts"
import { Standstill } from "./Standstill.ts"
import { type Watch, watchFor } from "./watch.ts"

/** How long what a client still sends is read and thrown away, so that closing does not destroy its reply on the way. */
export const LINGER_MILLIS = 1_000

/** How long a client that is not read from, or has closed its own half, may be left without a byte. */
export const HALF_CLOSED_SILENCE_MILLIS = 5_000

/** How much a client may send ahead of the reply it waits for before its end is no longer looked for behind that. */
const PEEKED_BYTES_MAX = 262_144

/** How long a reply may take before a client that has closed its own half is probed, and a host to answer that. */
const PROBE_MILLIS = 100

/** How long a connection between two requests is kept once it is to go: the client may have sent the next one already. */
const IDLE_MILLIS = 100

/** How much longer than it was told a client may leave its connection idle: its next request may be on its way. */
const IDLE_MARGIN_MILLIS = 1_000

const headTimeout: Unreadable = { status: 408, message: "request head timeout" }
const endedInside: Unreadable = { status: 400, message: "the connection ended in the middle of it" }

/** As exchanges word it that come as far as to be refused. */
const textOf = ({ message, status }: Unreadable): string => (status === 400 ? `invalid request: ${message}` : message)

/** A head begins with nine characters, so each is spent later than the one before: they last for half an hour. */
const patienceMillis = ({ foretold }: ClientCall): number => HALF_CLOSED_SILENCE_MILLIS * 2 ** Math.max(0, foretold - 1)

/** What is said about the connection to clients that may go on using it. */
const persistences = new Map<number, string>()

const persistenceFor = (idleMillis: number): string => {
  const known = persistences.get(idleMillis)
  if (known !== undefined) return known
  const text = `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(idleMillis / 1_000)}\r\n`
  persistences.set(idleMillis, text)
  return text
}

/** Nobody reads until a tunnel stands, so the end of the stream is looked for here. */
function lookForEnd(this: Socket): void {
  if (this.readableLength === 0) this.destroy()
}

export class ClientConnection implements HttpConnection, RequestEvents, Reading, Owner {
  readonly owner: NodeSocket
  readonly socket: Socket
  /** What replies say about it while it may be used again. */
  readonly persistence: string
  private readonly events: HttpEvents
  private readonly settings: HttpSettings
  private readonly reader: RequestReader
  private readonly watch: Watch
  private draining = false
  private current: ClientCall | undefined
  /** Its head was read; it begins when everything that came with it was read as well. */
  private arrived: ClientCall | undefined
  /** Wants the connection itself: an upgrade, or CONNECT. Nothing behind it is read as a request. */
  private tunnel: ClientCall | undefined
  /** What came behind the request that is being served. */
  private ahead: Buffer | undefined
  /** What arrived is no request, and nothing after it can be. */
  private unreadable: Unreadable | undefined
  private reading = false
  private served = 0
  private closing = false
  private halfClosed = false
  /** Runs while the rest of a body that nobody wanted is awaited. */
  private skipping: NodeJS.Timeout | undefined
  private watched: ClientCall | undefined
  private watchedServed = 0
  private watchedPart = false
  /** Bytes of its body, when last looked at. */
  private received = 0
  private waitedMillis = performance.now()
  private readonly reads = new Standstill()
  private readonly writes = new Standstill()
  private readonly silence = new Standstill()

  constructor(owner: NodeSocket, socket: Socket, settings: HttpSettings, events: HttpEvents) {
    this.owner = owner
    this.socket = socket
    this.settings = settings
    this.events = events
    this.persistence = persistenceFor(settings.idleTimeoutMillis)
    this.reader = new RequestReader(this, settings.headBytesMax, settings.headersMax)
    this.watch = watchFor(settings)
    if (socket.destroyed) return
    this.watch.add(this)
    listen(socket, this)
    socket.resume()
  }

  get closed(): Effect.Effect<void> {
    return this.owner.closed
  }

  /** Whether a reply may say that the connection can be used again. */
  get mayPersist(): boolean {
    return !this.draining && !this.reader.stopped && (!this.halfClosed || this.ahead !== undefined)
  }

  isTunnel(call: ClientCall): boolean {
    return this.tunnel === call
  }

  onData(chunk: Buffer): void {
    if (this.closing || this.reader.stopped) return
    this.read(this.ahead === undefined ? chunk : Buffer.concat([this.ahead, chunk]))
  }

  /** Reads until everything is read, or something that is being served has to be answered first. */
  private read(chunk: Buffer): void {
    this.ahead = undefined
    this.reading = true
    let at = 0
    while (at >= 0 && at < chunk.byteLength && !this.closing) {
      if (this.current !== undefined && this.reader.between) {
        this.ahead = at === 0 ? chunk : chunk.subarray(at)
        this.socket.pause()
        break
      }
      at = this.reader.read(chunk, at)
      const { arrived, tunnel } = this
      if (tunnel !== undefined) {
        this.waitForTunnel(tunnel, chunk.subarray(at))
        break
      }
      if (arrived !== undefined) {
        this.arrived = undefined
        this.start(arrived)
      }
      if (this.unreadable !== undefined) this.broken(this.unreadable)
      // Nothing behind a request that could be read in two ways is read at all.
      if (this.reader.stopped) break
    }
    this.reading = false
    if (this.current === undefined && !this.closing) this.goOn()
  }

  private start(call: ClientCall): void {
    this.current = call
    try {
      this.events.request(call)
    } catch (error) {
      this.socket.destroy(error instanceof Error ? error : undefined)
    }
  }

  request(head: RequestHead, fields: RelayedRequest, body: Uint8Array | undefined): void {
    const call = new ClientCall(this, head, fields, body)
    if (this.reader.stopped && fields.malformed === undefined) this.tunnel = call
    else this.arrived = call
  }

  data(chunk: Uint8Array): void {
    const call = this.arrived ?? this.current
    call?.flow?.push(chunk)
  }

  end(trailers: Array<string> | undefined): void {
    if (this.skipping === undefined) {
      const call = this.arrived ?? this.current
      return call?.flow?.finish(trailers)
    }
    clearTimeout(this.skipping)
    this.skipping = undefined
  }

  malformed(status: number, message: string): void {
    this.unreadable = { status, message }
  }

  holdBack(): void {
    if (this.current !== undefined || this.arrived !== undefined) this.socket.pause()
  }

  goOn(): void {
    if (this.ahead === undefined && this.socket.isPaused()) this.socket.resume()
  }

  /** What follows is kept for the tunnel. */
  private waitForTunnel(call: ClientCall, rest: Buffer): void {
    const { socket } = this
    stopReading(socket)
    if (rest.byteLength > 0) socket.unshift(rest)
    socket.once("readable", lookForEnd)
    this.start(call)
  }

  /** The tunnel was declined by an ordinary reply: what was sent for it is thrown away, and with it the end is seen. */
  declined(call: ClientCall): void {
    if (this.tunnel !== call || this.closing) return
    this.tunnel = undefined
    this.socket.off("readable", lookForEnd)
    readAgain(this.socket)
  }

  /** The connection stops being HTTP. */
  handOver(): NodeSocket {
    const { socket } = this
    this.current = undefined
    this.closing = true
    this.watch.delete(this)
    socket.off("readable", lookForEnd)
    leave(socket)
    return this.owner
  }

  /** All of a reply is with the socket. */
  written(call: ClientCall): void {
    const { socket } = this
    if (socket.writableLength === 0) this.finished(call)
    else socket.write("", "latin1", () => this.finished(call))
  }

  /** The reply is with the kernel. */
  private finished(call: ClientCall): void {
    if (this.current !== call || this.socket.destroyed) return
    this.served++
    this.current = undefined
    call.sentAll()
    if (this.closing) return
    if (!call.persists || call === this.tunnel) return this.closeSoon(call.unfinished)
    // It was told that it may go on, and may have done so.
    if (this.draining) this.closeWhenIdle()
    if (call.unfinished) this.skipRest()
    // Otherwise whoever reads goes on.
    if (this.reading) return
    const { ahead } = this
    if (ahead !== undefined) {
      this.socket.resume()
      this.read(ahead)
    } else if (this.halfClosed) this.closeSoon(false)
    // A body that came whole before anybody wanted it held the connection back.
    else this.goOn()
  }

  /** Nothing that arrived can be answered but with this. */
  private broken(reason: Unreadable): void {
    this.events.malformed(reason.status, textOf(reason))
    const { current } = this
    if (current === undefined) this.refuse(reason)
    else current.flow?.abandon(flowFailure("malformed", reason.message))
  }

  private refuse(reason: Unreadable): void {
    const { status } = reason
    const message = textOf(reason)
    this.closing = true
    const head = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n${dateLine()}connection: close\r\n`
    const length = Buffer.byteLength(message)
    this.socket.end(`${head}content-type: text/plain\r\ncontent-length: ${length}\r\n\r\n${message}`)
    this.linger()
  }

  /** Ends the connection where a reply cannot go on; the client must not take what it has for the whole. */
  breakOff(call: ClientCall): void {
    if (call.endsByClosing) this.owner.reset()
    this.socket.destroy()
  }

  /** Reads the little that is left of a body nobody wanted, but not for long. */
  private skipRest(): void {
    this.skipping = setTimeout(() => this.socket.destroy(), LINGER_MILLIS).unref()
    this.goOn()
  }

  /** `unread` is whether the client may still be sending. */
  private closeSoon(unread: boolean): void {
    if (this.closing) return
    this.closing = true
    const { socket } = this
    const lingers = unread || this.ahead !== undefined || this.reader.stopped || socket.isPaused()
    socket.end()
    if (lingers) this.linger()
    else if (socket.writableFinished) socket.destroy()
    else socket.once("finish", () => socket.destroy())
  }

  /** Our side is ended; the client gets a moment to read its reply. */
  private linger(): void {
    const { socket } = this
    if (socket.destroyed) return
    setTimeout(() => socket.destroy(), LINGER_MILLIS).unref()
    socket.off("readable", lookForEnd)
    socket.resume()
  }

  onDrain(): void {
    this.current?.drained()
  }

  /** Its closing tells enough. */
  onError(): void {}

  onClose(): void {
    this.closing = true
    this.watch.delete(this)
    clearTimeout(this.skipping)
    const { current } = this
    this.current = undefined
    current?.lost()
  }

  /**
   * The client sends nothing more: it waits for its reply, or it has left; both look alike until something is written.
   * Most replies come before anybody needs to know.
   */
  onEnd(): void {
    const { current, socket } = this
    if (current !== undefined && current === this.tunnel) return
    // Whoever follows events has no reason to end half of its connection: it has left, and its call need not wait for an event.
    if (this.closing || current?.followed === true) return void socket.destroy()
    this.halfClosed = true
    this.silence.forget()
    if (!this.reader.between && !this.reader.stopped) {
      this.reader.stop()
      this.unreadable = endedInside
      this.broken(endedInside)
    } else if (current === undefined) return this.closeSoon(false)
    if (current === undefined) return
    const probe = (): void => {
      if (this.current === current) this.probe()
    }
    setTimeout(probe, PROBE_MILLIS).unref()
  }

  /** A character makes a host without this connection reset it, and writing nothing notices that. */
  private probe(): void {
    this.current?.nudge()
    setTimeout(() => this.feel(), PROBE_MILLIS).unref()
  }

  drain(): void {
    if (this.draining) return
    this.draining = true
    // A connection that carried nothing yet was opened for a request that is on its way.
    if (this.isIdle && this.served > 0) this.closeWhenIdle()
  }

  private get isIdle(): boolean {
    return this.current === undefined && this.reader.between
  }

  /** The next request may be on its way; what has come by then is read first, and answered as the last. */
  private closeWhenIdle(): void {
    const close = (): void => {
      if (this.isIdle && !this.socket.destroyed) this.closeSoon(false)
    }
    setTimeout(() => setImmediate(close), IDLE_MILLIS).unref()
  }

  /** Looks for clients that neither send what is waited for nor read what is ready. */
  lookAfter(nowMillis: number): void {
    if (this.closing) return
    const { current } = this
    if (current === undefined) this.lookAfterPause(nowMillis)
    else if (current === this.tunnel) this.lookAfterTunnel(current, nowMillis)
    else this.lookAfterCall(current, nowMillis)
  }

  private lookAfterPause(nowMillis: number): void {
    const isPart = !this.reader.between
    if (this.served !== this.watchedServed || isPart !== this.watchedPart) {
      this.watchedServed = this.served
      this.watchedPart = isPart
      this.waitedMillis = nowMillis
      return
    }
    if (this.skipping !== undefined) return
    const { headTimeoutMillis, idleTimeoutMillis } = this.settings
    const waited = nowMillis - this.waitedMillis
    if (isPart) {
      if (waited < headTimeoutMillis) return
      this.reader.stop()
      this.broken(headTimeout)
    } else if (waited >= (this.served > 0 ? idleTimeoutMillis + IDLE_MARGIN_MILLIS : headTimeoutMillis)) {
      this.closeSoon(false)
    }
  }

  private lookAfterCall(current: ClientCall, nowMillis: number): void {
    const { settings, socket } = this
    const { flow } = current
    if (this.watched !== current) {
      this.watched = current
      this.received = 0
      this.reads.forget()
      this.writes.forget()
      this.silence.forget()
    }
    const received = flow?.received ?? 0
    const isGoingOn = received !== this.received
    this.received = received
    // What a client has to say may depend on what it hears.
    const isAwaited = flow?.waiting === true && !current.answered
    if (this.reads.millis(isAwaited ? received : undefined, nowMillis) >= settings.bodyIdleTimeoutMillis) {
      flow?.abandon(flowFailure("stalled", "request body timeout"))
    }
    if (this.writes.millis(takenOf(socket), nowMillis) >= settings.writeStallTimeoutMillis) socket.destroy()
    // While nothing is read, as after the client's end, only writing finds out whether somebody is still there. A body that
    // goes on at the pace of its reader needs no such question.
    const isBlind = (this.halfClosed || socket.isPaused()) && !isGoingOn
    const written = isBlind ? socket.bytesWritten : undefined
    if (this.silence.millis(written, nowMillis) >= patienceMillis(current)) {
      if (!current.answered) {
        this.silence.forget()
        if (current.unfinished) this.feel()
        else this.probe()
      } else if (this.halfClosed) socket.destroy()
      else this.peek()
    }
  }

  /**
   * A client in the middle of its body is there, however long the upstream takes none of it. Writing nothing finds a reset
   * without a word.
   */
  private feel(): void {
    if (!this.closing && this.socket.writableLength === 0) this.socket.write("", "latin1")
  }

  /** The end of a client that sent ahead lies behind what it sent: a little more of that is looked at. */
  private peek(): void {
    const { ahead } = this
    if (ahead !== undefined && ahead.byteLength < PEEKED_BYTES_MAX) this.socket.resume()
  }

  /** Where bytes wait for a tunnel nobody sees the end behind them; writing finds out whether the client is still there. */
  private lookAfterTunnel(tunnel: ClientCall, nowMillis: number): void {
    const { silence, socket } = this
    if (this.watched !== tunnel) silence.forget()
    this.watched = tunnel
    if (silence.millis(socket.readableLength || undefined, nowMillis) < patienceMillis(tunnel)) return
    silence.forget()
    this.probe()
  }
}

export const serve = (owner: NodeSocket, settings: HttpSettings, events: HttpEvents): HttpConnection =>
  new ClientConnection(owner, owner.release() as Socket, settings, events)
