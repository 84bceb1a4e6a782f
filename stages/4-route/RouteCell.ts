/**
 * A route as it stands in a table. A cell belongs to one route object and outlives plans: it is compiled when an
 * exchange first takes it, and looked at again when an exchange takes it in another setting.
 */
import type { Route } from "../../ir/Route.ts"
import { isJunction, Junction } from "./delegate.ts"
import { Leaf } from "./Leaf.ts"

export class RouteCell extends Leaf {
  /** Present where some of its backends are groups of further routes. */
  readonly junction: Junction | undefined

  constructor(ir: Route) {
    super([ir], ir.backends)
    this.junction = isJunction(ir) ? new Junction(ir) : undefined
  }
}
