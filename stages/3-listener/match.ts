/** Which listener of the bind a request is for, and that listener's whole service. */
import * as Effect from "effect/Effect"
import type { Listener } from "../../ir/Listener.ts"
import { better, closeness, findHost } from "../4-route/host.ts"
import type { Exchange, Reply, Service } from "../Exchange.ts"
import type { CompiledBind, CompiledListener } from "../Plan.ts"
import type { Refusal } from "../Refusal.ts"
import { type Enter, tunnel } from "./connect.ts"

const bindNotFound = Effect.fail<Refusal>({ _tag: "BindNotFound" })
const listenerNotFound = Effect.fail<Refusal>({ _tag: "ListenerNotFound" })
const routeNotFound = Effect.fail<Refusal>({ _tag: "RouteNotFound" })
const misdirected = Effect.fail<Refusal>({ _tag: "Misdirected" })
const methodNotAllowed = Effect.fail<Refusal>({ _tag: "MethodNotAllowed" })

const listenerOf = (exchange: Exchange, bind: CompiledBind): CompiledListener | undefined => {
  const { bound, plan } = exchange
  return bound.listener === undefined
    ? findHost(bind.plaintext, exchange.request.host)
    : plan.listeners.get(bound.listener)
}

/** Serves an exchange by the plan it arrived under; `enter` leads the connections of a forward proxy to their binds. */
export const make =
  (enter: Enter) =>
  (exchange: Exchange): Effect.Effect<Reply, Refusal> => {
    const bind = exchange.plan.binds.get(exchange.bound.secured.accepted.bind)
    if (bind === undefined) return bindNotFound
    const { connect } = bind.frontend
    if (connect === "tunnel") return tunnel(exchange, enter)
    if (exchange.request.method === "CONNECT" && connect === "deny") return methodNotAllowed
    const listener = listenerOf(exchange, bind)
    if (listener === undefined) return listenerNotFound
    exchange.listener = listener
    exchange.trail.listener = listener
    return listener.serve(exchange)
  }

/**
 * Over TLS the listener was fixed by the server name. A client that reuses the connection for another host is sent
 * away: to a connection of its own where another listener would have taken it (421), else for good.
 */
export const named = ({ hostname, protocol }: Listener, inner: Service<Exchange>): Service<Exchange> => {
  if (protocol !== "HTTPS") return inner
  return (exchange) => {
    const { host } = exchange.request
    const bind = exchange.plan.binds.get(exchange.bound.secured.accepted.bind)
    if (bind !== undefined && better(bind.sealed, host, hostname)) return misdirected
    return closeness(hostname, host) < 0 ? routeNotFound : inner(exchange)
  }
}
