/** A connection arrived: who is it from, and may it stay? */
import * as Effect from "effect/Effect"
import type { BindKey } from "../../ir/Key.ts"
import type { Through } from "../3-listener/connect.ts"
import type { Accepted } from "../Connection.ts"
import type { CompiledBind } from "../Plan.ts"
import type { Socket } from "../ports/Network.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Rejected } from "../Rejected.ts"
import { readHeader } from "./proxyProtocol.ts"

/** Learns between whom the connection is; behind a load balancer that is what its PROXY header says. */
export const accept = (
  clock: Clock,
  key: BindKey,
  bind: CompiledBind,
  socket: Socket,
  through: Through | undefined,
): Effect.Effect<Accepted, Rejected> => {
  const { keepAlive, proxyProtocol } = bind.frontend
  const acceptedMillis = clock.nowMillis()
  if (through !== undefined) return Effect.succeed({ bind: key, socket, acceptedMillis, ...through })
  socket.keepAlive(keepAlive)
  const accepted: Accepted = {
    bind: key,
    socket,
    peer: socket.peer,
    local: socket.local,
    rawPeer: socket.peer,
    acceptedMillis,
  }
  return proxyProtocol === undefined ? Effect.succeed(accepted) : readHeader(clock, accepted, proxyProtocol)
}
