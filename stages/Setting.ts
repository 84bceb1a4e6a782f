/** What the routes of a listener are compiled against: everything but the routes themselves. */
import type { Attachments } from "../ir/attachments.ts"
import type { RouteGroupKey } from "../ir/Key.ts"
import type { Listener } from "../ir/Listener.ts"
import type { Route } from "../ir/Route.ts"
import type { Snapshot } from "../ir/Snapshot.ts"
import type { RouteTree } from "./4-route/tree.ts"
import type { PolicyPorts } from "./5-policy/steps.ts"
import type { DispatchPorts } from "./6-dispatch/ports.ts"
import type { Services } from "./6-dispatch/Services.ts"

export interface Setting {
  /** Unlike that of any other setting: what was compiled in this one needs no second look. */
  readonly generation: number
  readonly snapshot: Pick<Snapshot, "backends" | "services">
  readonly attachments: Attachments
  readonly services: Services
  readonly groups: ReadonlyMap<RouteGroupKey, RouteTree<Route>>
  readonly listener: Listener
  readonly port: number | undefined
  readonly policies: PolicyPorts
  readonly dispatch: DispatchPorts
  /** Told of every route that is compiled. */
  readonly compiled: (route: Route) => void
}
