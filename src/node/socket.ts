/** One connection of Node, as the stages see it. */
import * as Effect from "effect/Effect"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import type { Address } from "../../stages/Connection.ts"
import type {
  HandshakeFailed,
  HttpConnection,
  HttpEvents,
  HttpSettings,
  KeepAlive,
  Overhearing,
  Relayed,
  SecuredSocket,
  Socket,
  SocketClosed,
  TlsContext,
} from "../../stages/ports/Network.ts"
import { isHttp2Stream } from "./ended.ts"
import { breakOff } from "./downstream/breakOff.ts"
import * as http1 from "./downstream/ClientConnection.ts"
import * as http2 from "./downstream/ClientSession.ts"
import { type End, relay } from "./relay.ts"
import * as tls from "./tls.ts"
import { probeMillis, PROBES_MAX, timerMillis } from "./timerMillis.ts"

const addressOf = (host: string | undefined, port: number | undefined): Address => ({
  host: host === undefined ? "" : host.startsWith("::ffff:") ? host.slice(7) : host,
  port: port ?? 0,
})

const none = new Uint8Array(0)

/** Said by TLS sockets alone; to ask for their class would load it. */
const isTls = (stream: Duplex): stream is TLSSocket => (stream as Partial<TLSSocket>).encrypted === true

/** The connection that a TLS session was opened on. */
const resetBelow = (stream: TLSSocket): void => {
  const { _parent: parent } = stream as unknown as { readonly _parent?: net.Socket }
  if (parent !== undefined && parent.remotePort !== undefined && !isTls(parent)) {
    parent.resetAndDestroy()
  }
}

export class NodeSocket implements Socket, End {
  readonly stream: Duplex
  readonly peer: Address
  readonly local: Address
  /** The connection below a TLS session or an HTTP/2 stream. */
  private readonly under: NodeSocket | undefined
  private held: Uint8Array = none

  /** `path` is where a unix socket was accepted. */
  constructor(stream: Duplex, under?: NodeSocket, path?: string) {
    this.stream = stream
    this.under = under
    if (under === undefined) {
      const socket = stream instanceof net.Socket ? stream : undefined
      this.peer = addressOf(socket?.remoteAddress, socket?.remotePort)
      this.local = addressOf(path ?? socket?.localAddress, socket?.localPort)
    } else {
      this.peer = under.peer
      this.local = under.local
    }
  }

  peek(known: number, timeoutMillis: number): Effect.Effect<Uint8Array, SocketClosed> {
    if (this.held.byteLength > known) return Effect.succeed(this.held)
    return Effect.callback<Uint8Array, SocketClosed>((resume) => {
      const stream = this.stream
      const finish = (result: Effect.Effect<Uint8Array, SocketClosed>): void => {
        stop()
        resume(result)
      }
      const onData = (chunk: Uint8Array): void => {
        this.held = this.held.byteLength === 0 ? chunk : Buffer.concat([this.held, chunk])
        if (this.held.byteLength > known) finish(Effect.succeed(this.held))
      }
      const onEnd = (): void => finish(Effect.succeed(this.held))
      const onError = (error: Error): void =>
        finish(Effect.fail({ _tag: "SocketClosed", reason: "error", message: error.message }))
      const onClose = (): void =>
        finish(Effect.fail({ _tag: "SocketClosed", reason: "ended", message: "closed by the peer" }))
      const timer = setTimeout(
        () => finish(Effect.fail({ _tag: "SocketClosed", reason: "timeout", message: "nothing arrived in time" })),
        timerMillis(timeoutMillis),
      )
      const stop = (): void => {
        clearTimeout(timer)
        stream.off("data", onData)
        stream.off("end", onEnd)
        stream.off("error", onError)
        stream.off("close", onClose)
        stream.pause()
      }
      if (stream.destroyed) return onClose()
      if (stream.readableEnded) return onEnd()
      stream.on("data", onData)
      stream.on("end", onEnd)
      stream.on("error", onError)
      stream.on("close", onClose)
      stream.resume()
      return Effect.sync(stop)
    })
  }

  skip(bytes: number): void {
    this.held = this.held.subarray(bytes)
  }

  /** The stream with everything that was peeked put back. */
  release(): Duplex {
    if (this.held.byteLength > 0) {
      this.stream.unshift(this.held)
      this.held = none
    }
    return this.stream
  }

  secure(
    context: TlsContext,
    alpn: ReadonlyArray<string>,
    timeoutMillis: number,
  ): Effect.Effect<SecuredSocket, HandshakeFailed> {
    return Effect.map(tls.secure(this.release(), context, alpn, timeoutMillis), (secured) => ({
      socket: this.above(secured.stream),
      tls: secured.tls,
    }))
  }

  http(version: "1" | "2", settings: HttpSettings, events: HttpEvents): HttpConnection {
    return version === "1" ? http1.serve(this, settings, events) : http2.serve(this, settings, events)
  }

  relay(other: Socket, overhearing?: Overhearing): Effect.Effect<Relayed> {
    if (!(other instanceof NodeSocket)) return Effect.die(new Error("both ends of a relay come from one platform"))
    this.release()
    other.release()
    return relay(this, other, overhearing)
  }

  keepAlive({ enabled, intervalMillis, retries, timeMillis }: KeepAlive): void {
    if (this.stream instanceof net.Socket) {
      this.stream.setKeepAlive(
        enabled,
        probeMillis(timeMillis),
        probeMillis(intervalMillis),
        Math.min(retries, PROBES_MAX),
      )
    }
  }

  /** A stream that runs over this connection, as a connection of its own. */
  above(stream: Duplex): NodeSocket {
    return new NodeSocket(stream, this)
  }

  get closed(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.stream.closed) return resume(Effect.void)
      const done = (): void => resume(Effect.void)
      this.stream.once("close", done)
      return Effect.sync(() => this.stream.off("close", done))
    })
  }

  destroy(): void {
    this.stream.destroy()
  }

  reset(): void {
    const { stream, under } = this
    if (stream.destroyed) return
    if (isHttp2Stream(stream)) return breakOff(stream)
    if (under !== undefined) under.reset()
    else if (isTls(stream)) resetBelow(stream)
    // Only TCP knows resets; a unix socket has no remote port.
    // While an end is on its way Node refuses a reset, and loses the descriptor.
    else if (
      stream instanceof net.Socket &&
      stream.remotePort !== undefined &&
      stream.writableEnded === stream.writableFinished
    ) {
      stream.resetAndDestroy()
    }
    stream.destroy()
  }
}
