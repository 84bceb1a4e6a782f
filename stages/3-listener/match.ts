/** Which listener of the bind a request is for, and that listener's whole service. */
import * as Effect from "effect/Effect"
import { findHost } from "../4-route/host.ts"
import type { Exchange, Reply } from "../Exchange.ts"
import type { CompiledListener } from "../Plan.ts"
import type { Refusal } from "../Refusal.ts"

const bindNotFound = Effect.fail<Refusal>({ _tag: "BindNotFound" })
const listenerNotFound = Effect.fail<Refusal>({ _tag: "ListenerNotFound" })

const listenerOf = (exchange: Exchange): CompiledListener | undefined => {
  const { bound, plan } = exchange
  if (bound.listener !== undefined) return plan.listeners.get(bound.listener)
  const bind = plan.binds.get(bound.secured.accepted.bind)
  return bind === undefined ? undefined : findHost(bind.plaintext, exchange.request.host)
}

/** Serves an exchange by the plan it arrived under. */
export const serve = (exchange: Exchange): Effect.Effect<Reply, Refusal> => {
  const listener = listenerOf(exchange)
  if (listener === undefined) {
    return exchange.plan.binds.has(exchange.bound.secured.accepted.bind) ? listenerNotFound : bindNotFound
  }
  exchange.listener = listener
  exchange.trail.listener = listener
  return listener.serve(exchange)
}
