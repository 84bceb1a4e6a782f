/** The last stretch of a way to a backend: compiled when it is first taken, and kept as long as it would be the same. */
import { routePolicies } from "../../ir/effective.ts"
import type { Route, WeightedBackend } from "../../ir/Route.ts"
import { layer } from "../5-policy/layer.ts"
import { routeSteps } from "../5-policy/steps.ts"
import { alike } from "../6-dispatch/alike.ts"
import { type Destinations, destinations, dispatch, entrance, sameDestinations } from "../6-dispatch/dispatch.ts"
import type { CompiledRoute } from "../Plan.ts"
import type { Setting } from "../Setting.ts"

/** A chain of routes and the backends that are left to choose from. */
export class Leaf {
  private readonly chain: ReadonlyArray<Route>
  private readonly backends: ReadonlyArray<WeightedBackend>
  private compiled: CompiledRoute | undefined
  private destinations: Destinations | undefined
  private generation = -1
  private policies: Setting["policies"] | undefined

  constructor(chain: ReadonlyArray<Route>, backends: ReadonlyArray<WeightedBackend>) {
    this.chain = chain
    this.backends = backends
  }

  /** Plans may share a cell: what one compiled serves the other only if it would have compiled the same. */
  get(setting: Setting): CompiledRoute {
    if (this.compiled !== undefined && this.generation === setting.generation) return this.compiled
    const { chain } = this
    const policies = routePolicies(setting.attachments, {
      listener: setting.listener,
      port: setting.port,
      routes: chain,
    })
    const found = destinations(setting, chain, policies, this.backends)
    this.generation = setting.generation
    if (
      this.compiled !== undefined &&
      this.destinations !== undefined &&
      this.policies === setting.policies &&
      sameDestinations(this.destinations, found)
    ) {
      return this.compiled
    }
    const ir = chain[chain.length - 1] as Route
    setting.compiled(ir)
    this.destinations = found
    this.policies = setting.policies
    const service = alike(setting.policies, found, () => dispatch(setting.dispatch, setting.policies, found))
    const steps = routeSteps(setting.policies, policies, entrance(setting.dispatch, found))
    const serve = layer(steps, service)
    return (this.compiled = { ir, chain, serve, place: undefined })
  }
}
