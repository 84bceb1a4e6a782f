/**
 * Sessions that speak HTTP/2. A request takes the first session with a free stream; another session is opened only
 * when all are full or are going away.
 */
import type * as http2 from "node:http2"
import type * as net from "node:net"
import type { EndpointSpec } from "../../../stages/ports/Upstream.ts"
import * as onDemand from "../onDemand.ts"
import { SENT_HEAD_BYTES_MAX, SESSION_MEGABYTES_MAX } from "../sessionMemory.ts"
import type { Connector, Purpose } from "./connect.ts"
import { Failed, OtherVersion } from "./failure.ts"
import { timerMillis } from "../timerMillis.ts"

const HEADERS_MAX = 1_000
/** What came were no frames. */
const NO_FRAMES = "ERR_HTTP2_ERROR"
/** More streams than this on one session wait for each other. */
export const STREAMS_MAX = 250
/**
 * Our side of flow control: how much of one reply may be under way. What all of a session may is bounded by that alone:
 * Node opens the window of the session again whatever is read, and as a server it resets streams, with NO_ERROR and in
 * place of their end, that meet a window which others have used up.
 */
const STREAM_WINDOW_BYTES = 262_144
const SESSION_WINDOW_BYTES = STREAMS_MAX * STREAM_WINDOW_BYTES
/** Servers of gRPC end connections that are pinged more often than every five minutes. */
export const PING_INTERVAL_MILLIS_MIN = 300_000
export const PING_TIMEOUT_MILLIS = 20_000

/** How long a server may take to end its side of a connection that is done, and to read what is left for it. */
const FAREWELL_MILLIS = 1_000

/** Over how many addresses of a name requests are spread. */
const ADDRESSES_MAX = 64

export interface PingSettings {
  readonly intervalMillis: number
  readonly timeoutMillis: number
}

/** Lists may come in several fields, and what else a client repeats is for the server to judge. Types know this of servers only. */
const repeating = { strictSingleValueFields: false }

const ignore = (): void => {}

/** A call that waits for a session. */
export interface Waiting {
  /** The one that refused it. */
  readonly avoids: Http2Session | undefined
  readonly opened: (session: Http2Session) => void
  readonly failed: (error: Error) => void
}

export class Http2Session {
  readonly session: http2.ClientHttp2Session
  private readonly socket: net.Socket
  private readonly pool: Http2Pool
  private readonly ping: PingSettings
  streams = 0
  /** Until the server says how many it takes, it gets one, and none as long as it may not speak HTTP/2 at all. */
  streamsMax: number
  ready = false
  /** Takes no further streams. */
  leaving = false
  /** The last stream that the server may have done something with. */
  lastTaken = Infinity
  readonly address: string | undefined
  private idleTimer: NodeJS.Timeout | undefined
  private pingTimer: NodeJS.Timeout | undefined
  private pongTimer: NodeJS.Timeout | undefined
  private farewellTimer: NodeJS.Timeout | undefined

  constructor(pool: Http2Pool, socket: net.Socket, address: string | undefined, ping: PingSettings, isSure: boolean) {
    this.pool = pool
    this.socket = socket
    this.streamsMax = isSure ? 1 : 0
    this.address = address
    this.ping = ping
    const session = onDemand.http2().connect("http://upstream", {
      createConnection: () => socket,
      maxHeaderListPairs: HEADERS_MAX,
      maxSendHeaderBlockLength: SENT_HEAD_BYTES_MAX,
      maxSessionMemory: SESSION_MEGABYTES_MAX,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
      ...repeating,
    })
    this.session = session
    session.once("connect", () => session.setLocalWindowSize(SESSION_WINDOW_BYTES))
    const { connectTimeoutMillis } = pool.spec
    const settingsTimer = setTimeout(() => {
      const message = `no HTTP/2 settings within ${connectTimeoutMillis} ms`
      pool.refuse(new Failed({ _tag: "ConnectTimeout", message }))
      session.destroy()
    }, timerMillis(connectTimeoutMillis))
    session.on("remoteSettings", ({ maxConcurrentStreams }) => {
      clearTimeout(settingsTimer)
      this.ready = true
      pool.isSure = true
      this.streamsMax = Math.min(maxConcurrentStreams ?? STREAMS_MAX, STREAMS_MAX)
      pool.serve()
    })
    session.on("goaway", (_code, lastStream) => {
      this.lastTaken = lastStream
      this.leave()
    })
    let broken: Error | undefined
    session.on("error", (error) => (broken = error))
    session.once("close", () => {
      clearTimeout(settingsTimer)
      clearTimeout(this.farewellTimer)
      this.stopTimers()
      if (!this.ready) pool.doubt(isSure, (broken as NodeJS.ErrnoException | undefined)?.code === NO_FRAMES)
      this.leave()
    })
  }

  get isFree(): boolean {
    return !this.leaving && this.streams < this.streamsMax && !this.session.destroyed
  }

  /** How much the server has said, so that it can be seen whether it says anything at all. */
  get heardBytes(): number {
    return this.socket.bytesRead
  }

  /** Counts a stream in. */
  take(): void {
    this.streams++
    clearTimeout(this.idleTimer)
    this.idleTimer = undefined
    if (this.pingTimer === undefined && !this.leaving) this.pingLater()
  }

  /** Counts a stream out, when it is closed. */
  give(): void {
    this.streams--
    if (this.streams === 0) {
      this.stopTimers()
      if (this.leaving) this.end()
      else if (!this.pool.keeps(this)) this.leave()
      else this.rest()
    }
    this.pool.serve()
  }

  /** Waits for streams, for as long as a session may be idle. */
  rest(): void {
    if (this.streams > 0 || this.leaving) return
    clearTimeout(this.idleTimer)
    this.idleTimer = setTimeout(() => this.leave(), timerMillis(this.pool.spec.poolIdleMillis))
    this.idleTimer.unref()
  }

  /** Takes nothing new, and closes when its streams have ended. */
  leave(): void {
    if (!this.leaving) {
      this.leaving = true
      this.pool.forget(this)
    }
    if (!this.session.closed && !this.session.destroyed) this.session.close()
    if (this.streams === 0) this.end()
  }

  /** Nothing is left to be done here, but the server may never notice. */
  private end(): void {
    const { socket } = this
    if (!socket.destroyed) this.farewellTimer ??= setTimeout(() => socket.destroy(), FAREWELL_MILLIS).unref()
  }

  /** The server may be gone without a word: nothing new is sent there, and what is left there ends unless it answers. */
  doubt(): void {
    // A session that is leaving can ask no more.
    this.probe()
    this.leave()
  }

  private pingLater(): void {
    clearTimeout(this.pingTimer)
    this.pingTimer = setTimeout(() => {
      this.pingTimer = undefined
      this.probe()
    }, timerMillis(this.ping.intervalMillis))
    this.pingTimer.unref()
  }

  private probe(): void {
    if (this.session.destroyed || this.pongTimer !== undefined) return
    this.pongTimer = setTimeout(() => {
      this.session.destroy()
      this.end()
    }, this.ping.timeoutMillis)
    this.pongTimer.unref()
    this.session.ping((error) => {
      clearTimeout(this.pongTimer)
      this.pongTimer = undefined
      if (error === null && this.streams > 0) this.pingLater()
    })
  }

  private stopTimers(): void {
    clearTimeout(this.idleTimer)
    clearTimeout(this.pingTimer)
    clearTimeout(this.pongTimer)
    this.idleTimer = undefined
    this.pingTimer = undefined
    this.pongTimer = undefined
  }
}

export class Http2Pool {
  readonly spec: EndpointSpec
  private readonly connector: Connector
  private readonly purpose: Purpose
  private readonly ping: PingSettings
  private readonly otherVersion: () => void
  private readonly sessions = new Set<Http2Session>()
  private readonly waiting = new Set<Waiting>()
  private readonly cancels = new Set<() => void>()
  private closed = false
  /** Somebody there has spoken HTTP/2 before. */
  isSure = false

  constructor(connector: Connector, purpose: Purpose, ping: PingSettings, otherVersion: () => void) {
    this.connector = connector
    this.spec = connector.spec
    this.purpose = purpose
    this.ping = ping
    this.otherVersion = otherVersion
  }

  /** Gives a session at once, or later; the result withdraws the wish. */
  acquire(wish: Waiting): () => void {
    const session = wish.avoids === undefined ? this.choose() : undefined
    if (session !== undefined) {
      session.take()
      wish.opened(session)
      return ignore
    }
    this.waiting.add(wish)
    this.open()
    return () => {
      this.waiting.delete(wish)
      // Connecting for nobody is given up, too.
      if (this.waiting.size === 0) for (const cancel of this.cancels) this.stop(cancel)
    }
  }

  /**
   * A session to the address whose turn it is. While there is none, another will do and one is opened; of an address
   * that a name no longer stands for, nothing is asked any more once others are there.
   */
  private choose(): Http2Session | undefined {
    const address = this.connector.next()
    let other: Http2Session | undefined
    let known = address === undefined
    for (const session of this.sessions) {
      if (session.address === address) known = true
      if (!session.isFree) continue
      if (address === undefined || session.address === address) return session
      other ??= session
    }
    if (!known && this.cancels.size === 0 && this.sessions.size < ADDRESSES_MAX) this.connect(address)
    return other
  }

  /** Lets those that wait have what became free. */
  serve(): void {
    for (const session of this.sessions) {
      while (session.isFree) {
        const wish = this.next(session)
        if (wish === undefined) break
        session.take()
        wish.opened(session)
      }
    }
    this.open()
  }

  forget(session: Http2Session): void {
    this.sessions.delete(session)
    if (!this.closed || this.waiting.size > 0) this.open()
  }

  /** Whether a session may stay without streams. */
  keeps(session: Http2Session): boolean {
    if (this.closed) return false
    const { poolSizeMax } = this.spec
    if (poolSizeMax === undefined) return true
    let idle = 0
    for (const other of this.sessions) if (other !== session && other.streams === 0) idle++
    return idle < poolSizeMax
  }

  /** A connection somebody else made, whose peer turned out to speak HTTP/2. */
  adopt(socket: net.Socket, address: string | undefined): void {
    const isSure = this.isSure || (socket as { alpnProtocol?: unknown }).alpnProtocol === "h2"
    const session = new Http2Session(this, socket, address, this.ping, isSure)
    this.sessions.add(session)
    this.serve()
    session.rest()
  }

  close(): void {
    this.closed = true
    for (const session of this.sessions) session.leave()
  }

  /** A connection ended before its peer said anything in HTTP/2; it is known to speak something else if it said that. */
  doubt(wasSure: boolean, isKnown: boolean): void {
    this.isSure = false
    if (isKnown) this.otherVersion()
    if (!wasSure) this.refuse(new OtherVersion(isKnown))
  }

  /** Tells everybody who waits that there is no connection. */
  refuse(error: Error): void {
    const wishes = [...this.waiting]
    this.waiting.clear()
    for (const wish of wishes) wish.failed(error)
  }

  get size(): number {
    return this.sessions.size
  }

  private next(session: Http2Session): Waiting | undefined {
    for (const wish of this.waiting) {
      if (wish.avoids === session) continue
      this.waiting.delete(wish)
      return wish
    }
    return undefined
  }

  private stop(cancel: () => void): void {
    this.cancels.delete(cancel)
    cancel()
  }

  /** One connection attempt for as many as one session may serve; a session that just opened is waited for. */
  private open(): void {
    if (this.waiting.size === 0) return
    for (const session of this.sessions) if (!session.ready) return
    if (this.waiting.size <= this.cancels.size * STREAMS_MAX) return
    this.connect(this.connector.next())
  }

  private connect(first: string | undefined): void {
    let done = false
    const cancel = this.connector.connect(this.purpose, first, (failed, socket, address) => {
      done = true
      this.cancels.delete(cancel)
      if (socket !== undefined) {
        if ((socket as { alpnProtocol?: unknown }).alpnProtocol !== "http/1.1") return this.adopt(socket, address)
        socket.destroy()
        this.otherVersion()
      }
      this.refuse(failed ?? new OtherVersion(true))
    })
    if (!done) this.cancels.add(cancel)
  }
}
