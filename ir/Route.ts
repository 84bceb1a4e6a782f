/** From matches to weighted backends, for HTTP. */
import * as Schema from "effect/Schema"
import { BackendRef } from "./BackendRef.ts"
import { ListenerKey, RouteGroupKey, RouteKey, ServiceKey } from "./Key.ts"
import { Match } from "./Match.ts"
import { BackendPolicy, TrafficPolicy } from "./Policy.ts"

export const RouteName = Schema.Struct({
  name: Schema.String,
  namespace: Schema.String,
  ruleName: Schema.optionalKey(Schema.String),
  kind: Schema.optionalKey(Schema.String),
})
export type RouteName = typeof RouteName.Type

export const RouteParent = Schema.TaggedUnion({
  Listener: { listener: ListenerKey },
  Group: { group: RouteGroupKey },
  /** Port 0 stands for every port of the service. */
  Service: { service: ServiceKey, port: Schema.Number },
})
export type RouteParent = typeof RouteParent.Type

export { BackendRef } from "./BackendRef.ts"

export const WeightedBackend = Schema.Struct({
  weight: Schema.Natural,
  backend: BackendRef,
  policies: Schema.Array(BackendPolicy),
})
export type WeightedBackend = typeof WeightedBackend.Type

export const Route = Schema.Struct({
  key: RouteKey,
  parent: RouteParent,
  name: RouteName,
  /** Lower case; empty means any; `*.suffix` matches one label or more. */
  hostnames: Schema.Array(Schema.NonEmptyString),
  matches: Schema.Array(Match),
  backends: Schema.Array(WeightedBackend),
  policies: Schema.Array(TrafficPolicy),
})
export type Route = typeof Route.Type

export const RouteGroup = Schema.Struct({ key: RouteGroupKey })
export type RouteGroup = typeof RouteGroup.Type
