/** Raw connections: the route is chosen by server name, then bytes are copied until both sides have ended. */
import * as Effect from "effect/Effect"
import { findTcp } from "../4-route/tcp.ts"
import { chooser } from "../6-dispatch/choose.ts"
import type { Bound } from "../Connection.ts"
import type { CompiledListener } from "../Plan.ts"
import type { RelayEnding } from "../ports/Journal.ts"
import type { Clock } from "../ports/Timer.ts"
import { rejected, type Rejected } from "../Rejected.ts"

export const relay = (
  clock: Clock,
  tell: (ending: RelayEnding) => void,
  bound: Bound,
  listener: CompiledListener,
): Effect.Effect<void, Rejected> => {
  const { secured } = bound
  const serverName = secured.tls?.serverName
  const route = findTcp(listener.tcpRoutes, serverName === "" ? undefined : serverName)
  if (route === undefined) return Effect.fail(rejected("route", "no TCP route matches"))
  const choose = chooser(
    route.targets.map(({ target, weight }) => ({ weight, value: target })),
    clock.random,
  )
  if (choose === undefined) return Effect.fail(rejected("route", "no valid backends"))
  const target = choose()
  const startedMillis = clock.nowMillis()
  const ended = (endpoint: string | undefined, sentBytes: number, receivedBytes: number, error: string | undefined) =>
    Effect.sync(() =>
      tell({
        listener: listener.ir.key,
        route: route.ir.key,
        endpoint,
        serverName,
        startedMillis,
        endedMillis: clock.nowMillis(),
        sentBytes,
        receivedBytes,
        error,
      }),
    )
  return Effect.matchEffect(target.dial(bound), {
    onFailure: (failure) =>
      Effect.andThen(
        ended(undefined, 0, 0, failure.message),
        Effect.sync(() => secured.socket.destroy()),
      ),
    onSuccess: ({ endpoint, socket }) =>
      Effect.flatMap(
        Effect.onInterrupt(secured.socket.relay(socket), () => ended(endpoint, 0, 0, "interrupted")),
        (relayed) => ended(endpoint, relayed.sentBytes, relayed.receivedBytes, relayed.error),
      ),
  })
}
