/** Who is connected to the gateway, what each connection carries as far as that is known, and how all are told to leave. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { BindKey } from "../ir/Key.ts"
import type { Bound } from "../stages/Connection.ts"
import type { Plan } from "../stages/Plan.ts"
import type { HttpConnection, Socket } from "../stages/ports/Network.ts"

export interface ConnectionState {
  readonly peer: string
  readonly bind: string
  readonly listener?: string
  readonly isTls: boolean
  readonly ageMillis: number
}

export class Connections {
  private readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly http = new Set<{ readonly bound: Bound; readonly connection: HttpConnection }>()
  private readonly busy = new Map<Fiber.Fiber<unknown, unknown>, string>()
  /** Connections of which it is not known yet what they carry. */
  private readonly arriving = new Set<Socket>()
  /** Whatever they carry. */
  count = 0

  /** `run` starts a fiber for each. */
  constructor(run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>) {
    this.run = run
  }

  accept(bind: BindKey, socket: Socket, served: Effect.Effect<void>): void {
    this.count++
    this.arriving.add(socket)
    const fiber = this.run(
      Effect.ensuring(
        served,
        Effect.sync(() => {
          this.count--
          this.arriving.delete(socket)
        }),
      ),
    )
    if (fiber.pollUnsafe() !== undefined) return
    this.busy.set(fiber, `connection of ${socket.peer.host}:${socket.peer.port} at ${bind}`)
    fiber.addObserver(() => this.busy.delete(fiber))
  }

  /** Its bytes go where its route leads. */
  relaying({ secured }: Bound): void {
    this.arriving.delete(secured.accepted.socket)
  }

  /** It speaks HTTP. */
  opened(bound: Bound, connection: HttpConnection): void {
    this.arriving.delete(bound.secured.accepted.socket)
    const entry = { bound, connection }
    this.http.add(entry)
    this.run(
      Effect.ensuring(
        connection.closed,
        Effect.sync(() => this.http.delete(entry)),
      ),
    )
  }

  /** Those who came for what is gone by now finish what they have begun. */
  swapped(before: Plan, after: Plan): void {
    for (const { bound, connection } of this.http) if (isStale(bound, before, after)) connection.drain()
  }

  drain(): void {
    for (const { connection } of this.http) connection.drain()
  }

  /** Nobody is waited for who has not said a word yet. */
  dropArriving(): void {
    for (const socket of this.arriving) socket.destroy()
  }

  fibers(): ReadonlyArray<readonly [fiber: Fiber.Fiber<unknown, unknown>, what: string]> {
    return [...this.busy]
  }

  /** Those that speak HTTP. */
  states(nowMillis: number): ReadonlyArray<ConnectionState> {
    return Array.from(this.http, ({ bound: { listener, secured } }) => ({
      peer: `${secured.accepted.peer.host}:${secured.accepted.peer.port}`,
      bind: secured.accepted.bind,
      ...(listener === undefined ? {} : { listener }),
      isTls: secured.tls !== undefined,
      ageMillis: nowMillis - secured.accepted.acceptedMillis,
    }))
  }
}

/** A connection finishes when what it was opened for is gone or has other certificates. */
const isStale = (bound: Bound, before: Plan, after: Plan): boolean => {
  if (!after.binds.has(bound.secured.accepted.bind)) return true
  if (bound.listener === undefined) return false
  const [was, is] = [before.listeners.get(bound.listener), after.listeners.get(bound.listener)]
  // What is the same to a handshake stays the same object from plan to plan, whatever else of a listener changes.
  return was?.tls !== is?.tls || was?.ir.protocol !== is?.ir.protocol
}
