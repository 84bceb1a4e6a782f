/**
 * A route as it stands in a table. A cell belongs to one route object and outlives plans: it is compiled when an
 * exchange first takes it, and looked at again when an exchange takes it in another setting.
 */
import type { Route } from "../../ir/Route.ts"
import type { CompiledRoute } from "../Plan.ts"
import type { Setting } from "../Setting.ts"
import { isJunction, Junction } from "./delegate.ts"
import { Leaf } from "./Leaf.ts"

export class RouteCell {
  readonly ir: Route
  /** Present where some of its backends are groups of further routes. */
  readonly junction: Junction | undefined
  private readonly leaf: Leaf

  constructor(ir: Route) {
    this.ir = ir
    this.junction = isJunction(ir) ? new Junction(ir) : undefined
    this.leaf = new Leaf([ir], ir.backends)
  }

  get(setting: Setting): CompiledRoute {
    return this.leaf.get(setting)
  }
}
