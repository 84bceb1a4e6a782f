/** The way in, simulated at the level of whole requests: no parser takes part, so a thousand scenarios take seconds. */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { ListenAddress } from "../../ir/Bind.ts"
import type { ListenFailed, Listening, ListenOptions, Network, Socket, TlsContext } from "../../stages/ports/Network.ts"
import type { Opening } from "./ServerSocket.ts"
import { ServerSocket } from "./ServerSocket.ts"

interface Listener {
  readonly onSocket: (socket: Socket) => void
  readonly connectionsMax: number
  open: number
  accepting: boolean
}

const keyOf = (address: ListenAddress): string => {
  switch (address._tag) {
    case "Ip":
      return String(address.port)
    case "Unix":
      return address.path
    case "Internal":
      return "internal"
  }
}

export class SimulatedNetwork {
  readonly sockets = new Set<ServerSocket>()
  private readonly listeners = new Map<string, Listener>()
  private readonly taken: ReadonlySet<string>

  constructor(takenPorts: ReadonlyArray<number>) {
    this.taken = new Set(takenPorts.map(String))
  }

  /** Where somebody listens and takes connections. */
  get listening(): ReadonlyArray<string> {
    return [...this.listeners].filter(([, { accepting }]) => accepting).map(([key]) => key)
  }

  /** A connection arrives; undefined: nobody takes it. */
  accept(port: number, opening: Omit<Opening, "onClosed">): ServerSocket | undefined {
    const listener = this.listeners.get(String(port))
    if (listener === undefined || !listener.accepting || listener.open >= listener.connectionsMax) return undefined
    const socket = new ServerSocket({
      ...opening,
      onClosed: (closed) => {
        listener.open--
        this.sockets.delete(closed)
      },
    })
    listener.open++
    this.sockets.add(socket)
    listener.onSocket(socket)
    return socket
  }

  readonly service: Network["Service"] = {
    listen: (options, onSocket) =>
      Effect.acquireRelease(this.open(options, onSocket), (listening) => Effect.sync(() => listening.stop())),
    tlsContext: (source) => Effect.succeed<TlsContext>({ _tag: "TlsContext", source }),
  }

  private open(
    { address, connectionsMax }: ListenOptions,
    onSocket: (socket: Socket) => void,
  ): Effect.Effect<Listening, ListenFailed, Scope> {
    return Effect.suspend(() => {
      const key = keyOf(address)
      if (this.taken.has(key) || this.listeners.has(key)) {
        return Effect.fail<ListenFailed>({ _tag: "ListenFailed", message: "address already in use" })
      }
      const listener: Listener = { onSocket, connectionsMax, open: 0, accepting: true }
      this.listeners.set(key, listener)
      return Effect.succeed({
        address: address._tag === "Ip" ? { host: "0.0.0.0", port: address.port } : { host: key, port: 0 },
        stop: () => {
          listener.accepting = false
          if (this.listeners.get(key) === listener) this.listeners.delete(key)
        },
      })
    })
  }
}
