/** Listening on real sockets. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import * as net from "node:net"
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
}

const listen =
  (options: NetworkOptions) =>
  (what: ListenOptions, onSocket: (socket: Socket) => void): Effect.Effect<Listening, ListenFailed, Scope> =>
    Effect.map(
      Effect.acquireRelease(open(options, what, onSocket), (server) =>
        Effect.sync(() => {
          if (server.listening) server.close()
        }),
      ),
      (server) => {
        const address = server.address()
        return {
          address:
            address === null || typeof address === "string"
              ? { host: address ?? "", port: 0 }
              : { host: address.address, port: address.port },
          stop: () => {
            if (server.listening) server.close()
          },
        }
      },
    )

const open = (
  options: NetworkOptions,
  { address, ipv6, connectionsMax }: ListenOptions,
  onSocket: (socket: Socket) => void,
): Effect.Effect<net.Server, ListenFailed> =>
  Effect.callback<net.Server, ListenFailed>((resume) => {
    if (address._tag === "Internal") return resume(Effect.die(new Error("an internal bind has no socket")))
    const server = net.createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, (socket) => {
      // A socket without an error listener would end the process; every reader adds its own.
      socket.on("error", () => {})
      onSocket(new NodeSocket(socket))
    })
    server.maxConnections = connectionsMax
    const failed = (error: Error): void => resume(Effect.fail({ _tag: "ListenFailed", message: error.message }))
    server.once("error", failed)
    const listening = (): void => {
      server.off("error", failed)
      server.on("error", () => {})
      resume(Effect.succeed(server))
    }
    if (address._tag === "Unix") {
      removeStale(address.path)
      server.listen({ path: address.path }, listening)
    } else {
      const host = address.host ?? (ipv6 ? "::" : "0.0.0.0")
      server.listen({ host, port: address.port, reusePort: options.reusePort }, listening)
    }
    return Effect.sync(() => server.close())
  })

/** A socket file left by a process that is gone would keep us from listening. */
const removeStale = (path: string): void => {
  try {
    if (fs.statSync(path).isSocket()) fs.unlinkSync(path)
  } catch {
    // Nothing there: nothing to remove.
  }
}

export const layer = (options: NetworkOptions): Layer.Layer<Network> =>
  Layer.succeed(Network, { listen: listen(options), tlsContext: tls.context })
