/** A connection arrived: who is it from, and may it stay? */
import * as Effect from "effect/Effect"
import type { BindKey } from "../../ir/Key.ts"
import type { Accepted } from "../Connection.ts"
import type { CompiledBind } from "../Plan.ts"
import type { Socket } from "../ports/Network.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Rejected } from "../Rejected.ts"
import { readProxyHeader } from "./proxyProtocol.ts"

/** Learns between whom the connection is; behind a load balancer that is what its PROXY header says. */
export const accept = (
  clock: Clock,
  key: BindKey,
  bind: CompiledBind,
  socket: Socket,
): Effect.Effect<Accepted, Rejected> => {
  const accepted: Accepted = {
    bind: key,
    socket,
    peer: socket.peer,
    local: socket.local,
    rawPeer: socket.peer,
    acceptedMillis: clock.nowMillis(),
  }
  const { proxyProtocol } = bind.frontend
  return proxyProtocol === undefined ? Effect.succeed(accepted) : readProxyHeader(accepted, proxyProtocol)
}
