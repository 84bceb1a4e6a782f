/** Listening on real sockets. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import * as net from "node:net"
import type { ListenAddress } from "../../ir/Bind.ts"
import {
  type ListenFailed,
  type ListenOptions,
  type Listening,
  Network,
  type Socket,
} from "../../stages/ports/Network.ts"
import type { Scope } from "effect/Scope"
import { NodeSocket } from "./socket.ts"
import * as tls from "./tls.ts"

export interface NetworkOptions {
  /** Several workers listen on one port. */
  readonly reusePort: boolean
  /** The first of them, which sees to it that the port belongs to nobody else: sharing would hide that. */
  readonly claim?: boolean
  /** Workers that share it resume each other's TLS sessions. */
  readonly ticketSecret?: Uint8Array
}

const listen =
  (options: NetworkOptions) =>
  (what: ListenOptions, onSocket: (socket: Socket) => void): Effect.Effect<Listening, ListenFailed, Scope> =>
    Effect.map(
      Effect.acquireRelease(open(options, what, onSocket), (server) => Effect.sync(() => stop(server))),
      (server) => {
        const address = server.address()
        return {
          address:
            address === null || typeof address === "string"
              ? { host: address ?? "", port: 0 }
              : { host: address.address, port: address.port },
          stop: () => stop(server),
        }
      },
    )

const stop = (server: net.Server): void => {
  if (server.listening) server.close()
}

const closed = (server: net.Server): Effect.Effect<void> =>
  Effect.callback((resume) => void server.close(() => resume(Effect.void)))

/** Errors by which a host says that it has no IPv6. */
const withoutIpv6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL", "EPROTONOSUPPORT"])

const open = (
  options: NetworkOptions,
  { address, ipv6, connectionsMax }: ListenOptions,
  onSocket: (socket: Socket) => void,
): Effect.Effect<net.Server, ListenFailed> => {
  const listenOn = (where: net.ListenOptions) =>
    options.claim === true && where.reusePort === true && where.port !== 0
      ? Effect.flatMap(
          listenOnce({ ...where, reusePort: false }, connectionsMax, (socket) => socket.destroy()),
          (alone) =>
            Effect.andThen(
              closed(alone),
              Effect.suspend(() => listenOnce(where, connectionsMax, onSocket)),
            ),
        )
      : listenOnce(where, connectionsMax, onSocket)
  switch (address._tag) {
    case "Internal":
      return Effect.die(new Error("an internal bind has no socket"))
    case "Unix":
      return Effect.catch(listenOn({ path: address.path }), (error) =>
        error.code !== "EADDRINUSE"
          ? failed(error)
          : Effect.flatMap(removeStale(address), (removed) =>
              removed ? Effect.catch(listenOn({ path: address.path }), failed) : failed(error),
            ),
      )
    case "Ip": {
      const { reusePort } = options
      const { host, port } = address
      if (host !== undefined) return Effect.catch(listenOn({ host, port, reusePort }), failed)
      const anyIpv4 = Effect.catch(listenOn({ host: "0.0.0.0", port, reusePort }), failed)
      if (!ipv6) return anyIpv4
      // `::` takes IPv4 as well.
      return Effect.catch(listenOn({ host: "::", port, reusePort, ipv6Only: false }), (error) =>
        withoutIpv6.has(error.code ?? "") ? anyIpv4 : failed(error),
      )
    }
  }
}

const failed = (error: Error): Effect.Effect<never, ListenFailed> =>
  Effect.fail({ _tag: "ListenFailed", message: error.message })

const listenOnce = (
  where: net.ListenOptions,
  connectionsMax: number,
  onSocket: (socket: Socket) => void,
): Effect.Effect<net.Server, NodeJS.ErrnoException> =>
  Effect.callback<net.Server, NodeJS.ErrnoException>((resume) => {
    const server = net.createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, (socket) => {
      // A socket without an error listener would end the process; every reader adds its own.
      socket.on("error", () => {})
      // A client that was gone before we looked has no address left.
      if (socket.destroyed) return
      onSocket(new NodeSocket(socket, undefined, where.path))
    })
    server.maxConnections = connectionsMax
    server.once("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error)))
    server.listen(where, () => {
      server.removeAllListeners("error")
      // Accepting may fail for want of descriptors; the socket goes on listening and accepts again when there are some.
      server.on("error", () => {})
      resume(Effect.succeed(server))
    })
    return Effect.sync(() => stop(server))
  })

/** A socket file that nobody answers on was left by a process that is gone. */
const removeStale = ({ path }: Extract<ListenAddress, { readonly _tag: "Unix" }>): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const probe = net.connect({ path })
    probe.once("connect", () => {
      probe.destroy()
      resume(Effect.succeed(false))
    })
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNREFUSED") return resume(Effect.succeed(false))
      try {
        fs.unlinkSync(path)
        resume(Effect.succeed(true))
      } catch {
        resume(Effect.succeed(false))
      }
    })
    return Effect.sync(() => probe.destroy())
  })

export const layer = (options: NetworkOptions): Layer.Layer<Network> =>
  Layer.succeed(Network, { listen: listen(options), tlsContext: tls.makeContexts(options.ticketSecret) })
