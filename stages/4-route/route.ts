/** Chooses the route of an exchange and hands it to that route's service. */
import * as Effect from "effect/Effect"
import type { Match } from "../../ir/Match.ts"
import type { Exchange, Reply, Request, Routed, Service } from "../Exchange.ts"
import type { CompiledRoute } from "../Plan.ts"
import type { Refusal } from "../Refusal.ts"
import type { Setting } from "../Setting.ts"
import type { RouteCell } from "./RouteCell.ts"
import { find, type RouteTree } from "./tree.ts"

const routeNotFound: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "RouteNotFound" })

const take = (exchange: Exchange, compiled: CompiledRoute, match: Match): Effect.Effect<Reply, Refusal> => {
  exchange.route = compiled
  exchange.match = match
  exchange.trail.route = compiled
  exchange.inquiry?.note({ stage: "route", decision: compiled.ir.key, detail: match })
  return compiled.serve(exchange as Routed)
}

/** Where a request would go, for whoever has been led there already. */
export const wayOf =
  (tree: RouteTree<RouteCell>, setting: Setting) =>
  (request: Request): CompiledRoute | undefined => {
    const found = find(tree, request)
    if (found === undefined) return undefined
    const { junction } = found.value
    if (junction === undefined) return found.value.get(setting)
    const arrival = junction.follow(setting, request, found.match)
    return "_tag" in arrival ? undefined : arrival.compiled
  }

export const route =
  (tree: RouteTree<RouteCell>, setting: Setting): Service<Exchange> =>
  (exchange) => {
    const found = find(tree, exchange.request)
    if (found === undefined) return routeNotFound
    const cell = found.value
    if (cell.junction === undefined) return take(exchange, cell.get(setting), found.match)
    const arrival = cell.junction.follow(setting, exchange.request, found.match)
    return "_tag" in arrival ? Effect.fail(arrival) : take(exchange, arrival.compiled, arrival.match)
  }
