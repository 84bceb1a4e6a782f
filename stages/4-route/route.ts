/** Chooses the route of an exchange and hands it to that route's service. */
import * as Effect from "effect/Effect"
import type { Exchange, Reply, Routed, Service } from "../Exchange.ts"
import type { RouteCell } from "../Plan.ts"
import type { Refusal } from "../Refusal.ts"
import { find, type RouteTree } from "./tree.ts"

const routeNotFound: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "RouteNotFound" })

export const route =
  (tree: RouteTree<RouteCell>): Service<Exchange> =>
  (exchange) => {
    const found = find(tree, exchange.request)
    if (found === undefined) return routeNotFound
    const compiled = found.value.get()
    exchange.route = compiled
    exchange.match = found.match
    exchange.trail.route = compiled
    exchange.inquiry?.note({ stage: "route", decision: compiled.ir.key, detail: found.match })
    return compiled.serve(exchange as Routed)
  }
