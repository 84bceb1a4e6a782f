/** One connection of Node, as the stages see it. */
import * as Effect from "effect/Effect"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import type { Address } from "../../stages/Connection.ts"
import type {
  HandshakeFailed,
  HttpConnection,
  HttpEvents,
  HttpSettings,
  Relayed,
  SecuredSocket,
  Socket,
  SocketClosed,
  TlsContext,
} from "../../stages/ports/Network.ts"
import * as http1 from "./http1.ts"
import * as http2 from "./http2.ts"
import { relay } from "./relay.ts"
import * as tls from "./tls.ts"

const addressOf = (host: string | undefined, port: number | undefined): Address => ({
  host: host === undefined ? "" : host.startsWith("::ffff:") ? host.slice(7) : host,
  port: port ?? 0,
})

const none = new Uint8Array(0)

export class NodeSocket implements Socket {
  readonly stream: Duplex
  readonly peer: Address
  readonly local: Address
  private held: Uint8Array = none

  constructor(stream: Duplex) {
    this.stream = stream
    const socket = stream instanceof net.Socket ? stream : undefined
    this.peer = addressOf(socket?.remoteAddress, socket?.remotePort)
    this.local = addressOf(socket?.localAddress, socket?.localPort)
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
        timeoutMillis,
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
      socket: new NodeSocket(secured.stream),
      tls: secured.tls,
    }))
  }

  http(version: "1" | "2", settings: HttpSettings, events: HttpEvents): HttpConnection {
    const engine = version === "1" ? http1 : http2
    return engine.serve(this.release(), settings, events, asSocket)
  }

  relay(other: Socket): Effect.Effect<Relayed> {
    if (!(other instanceof NodeSocket)) return Effect.die(new Error("both ends of a relay come from one platform"))
    return relay(this.release(), other.release())
  }

  get closed(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.stream.destroyed) return resume(Effect.void)
      this.stream.once("close", () => resume(Effect.void))
    })
  }

  destroy(): void {
    this.stream.destroy()
  }
}

const asSocket = (stream: Duplex): Socket => new NodeSocket(stream)
