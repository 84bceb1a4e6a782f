/**
 * Route groups: a route may hand its requests over to the routes of a group, one of which is chosen as at a listener.
 * The policies of all routes on the way are merged, so each way is compiled by itself, when it is first taken.
 */
import type { RouteGroupKey, RouteKey } from "../../ir/Key.ts"
import type { Match } from "../../ir/Match.ts"
import type { Route, WeightedBackend } from "../../ir/Route.ts"
import { chooser } from "../6-dispatch/choose.ts"
import type { Request } from "../Exchange.ts"
import type { CompiledRoute } from "../Plan.ts"
import type { Refusal } from "../Refusal.ts"
import type { Setting } from "../Setting.ts"
import { Leaf } from "./Leaf.ts"
import { find } from "./tree.ts"

/** How many ways through groups a route keeps compiled; further ones are compiled each time they are taken. */
export const DELEGATION_WAYS_MAX = 1000

/** A route that was reached, and the match that led to it. */
export interface Arrival {
  readonly compiled: CompiledRoute
  readonly match: Match
}

const routeNotFound: Refusal = { _tag: "RouteNotFound" }
const cycle: Refusal = { _tag: "DelegationCycle" }

export const isJunction = ({ backends }: Pick<Route, "backends">): boolean =>
  backends.some(({ backend }) => backend._tag === "Group")

/** What one draw at a route can give. */
type Branch =
  | { readonly _tag: "Leaf"; readonly leaf: Leaf }
  | {
      readonly _tag: "Group"
      readonly group: RouteGroupKey
      readonly via: WeightedBackend
      readonly next: Map<RouteKey, Way>
    }

/** The routes from a listener to here, and what is drawn among here. */
class Way {
  readonly route: Route
  private readonly chain: ReadonlyArray<Route>
  /** Policies on the references that led here. */
  private readonly references: ReadonlyArray<WeightedBackend>
  private choose: (() => Branch) | undefined
  private isDrawn = false
  private only: Leaf | undefined

  constructor(chain: ReadonlyArray<Route>, route: Route, references: ReadonlyArray<WeightedBackend>) {
    this.route = route
    this.chain = [...chain, route]
    this.references = references
  }

  draw(random: () => number): Branch | undefined {
    if (!this.isDrawn) {
      this.isDrawn = true
      const leaf: Branch = { _tag: "Leaf", leaf: this.whole }
      this.choose = isJunction(this.route)
        ? chooser(
            this.route.backends.map((one) => ({ weight: one.weight, value: this.branch(one) })),
            random,
          )
        : () => leaf
    }
    return this.choose?.()
  }

  /** For when nothing can be drawn: the policies still have their say. */
  get whole(): Leaf {
    return (this.only ??= new Leaf(this.chain, isJunction(this.route) ? [] : this.route.backends.map(this.referred)))
  }

  through(route: Route, via: WeightedBackend): Way {
    return new Way(this.chain, route, via.policies.length === 0 ? this.references : [via, ...this.references])
  }

  private branch(one: WeightedBackend): Branch {
    return one.backend._tag === "Group"
      ? { _tag: "Group", group: one.backend.group, via: one, next: new Map() }
      : { _tag: "Leaf", leaf: new Leaf(this.chain, [{ ...this.referred(one), weight: 1 }]) }
  }

  /** What the references to the groups say holds for the backends behind them, unless those say otherwise. */
  private readonly referred = (one: WeightedBackend): WeightedBackend =>
    this.references.length === 0
      ? one
      : { ...one, policies: [...one.policies, ...this.references.flatMap(({ policies }) => policies)] }
}

export class Junction {
  private readonly route: Route
  private first: Way
  private count = 0
  private generation = -1

  constructor(route: Route) {
    this.route = route
    this.first = new Way([], route, [])
  }

  /** Draws and matches until a route is reached whose draw is no group. */
  follow(setting: Setting, request: Request, match: Match): Arrival | Refusal {
    if (this.generation !== setting.generation) {
      this.generation = setting.generation
      this.first = new Way([], this.route, [])
      this.count = 0
    }
    const visited: Array<RouteGroupKey> = []
    let way = this.first
    let taken = match
    for (;;) {
      const branch = way.draw(setting.dispatch.clock.random)
      if (branch === undefined) return { compiled: way.whole.get(setting), match: taken }
      if (branch._tag === "Leaf") return { compiled: branch.leaf.get(setting), match: taken }
      if (visited.includes(branch.group)) return cycle
      visited.push(branch.group)
      const tree = setting.groups.get(branch.group)
      const found = tree === undefined ? undefined : find(tree, request)
      if (found === undefined) return routeNotFound
      taken = found.match
      const route = found.value
      let next = branch.next.get(route.key)
      if (next === undefined) {
        next = way.through(route, branch.via)
        if (this.count < DELEGATION_WAYS_MAX) {
          this.count++
          branch.next.set(route.key, next)
        }
      }
      way = next
    }
  }
}
