/** Apart from the schemas, so that serving does not load them. */
import type { Snapshot } from "./Snapshot.ts"

export const empty: Snapshot = {
  binds: new Map(),
  listeners: new Map(),
  routes: new Map(),
  tcpRoutes: new Map(),
  routeGroups: new Map(),
  backends: new Map(),
  services: new Map(),
  workloads: new Map(),
  attachments: new Map(),
}
