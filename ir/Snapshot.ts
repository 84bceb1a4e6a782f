/** Everything the gateway was told, at one version. Resources point up to their parents. */
import * as Schema from "effect/Schema"
import { Attachment } from "./Attachment.ts"
import { Backend } from "./Backend.ts"
import { Bind } from "./Bind.ts"
import {
  AttachmentKey,
  BackendKey,
  BindKey,
  ListenerKey,
  RouteGroupKey,
  RouteKey,
  ServiceKey,
  TcpRouteKey,
  WorkloadKey,
} from "./Key.ts"
import { Listener } from "./Listener.ts"
import { Route, RouteGroup } from "./Route.ts"
import { TcpRoute } from "./TcpRoute.ts"
import { Service, Workload } from "./Workload.ts"

/** The tables of a snapshot; a change names one of them. */
export const Snapshot = Schema.Struct({
  binds: Schema.ReadonlyMap(BindKey, Bind),
  listeners: Schema.ReadonlyMap(ListenerKey, Listener),
  routes: Schema.ReadonlyMap(RouteKey, Route),
  tcpRoutes: Schema.ReadonlyMap(TcpRouteKey, TcpRoute),
  routeGroups: Schema.ReadonlyMap(RouteGroupKey, RouteGroup),
  backends: Schema.ReadonlyMap(BackendKey, Backend),
  services: Schema.ReadonlyMap(ServiceKey, Service),
  workloads: Schema.ReadonlyMap(WorkloadKey, Workload),
  attachments: Schema.ReadonlyMap(AttachmentKey, Attachment),
})
export type Snapshot = typeof Snapshot.Type

export { empty } from "./emptySnapshot.ts"
