/** Routes, route groups and where they lead, as the file writes them. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { ServiceRef } from "./BackendRef.ts"
import { GatewayRefs } from "./GatewayRefs.ts"
import { Cel, Count, exactlyOne, opt, req, Target } from "./grammar.ts"
import { Matches } from "./match.ts"
import { BackendPolicies, RoutePolicies, TcpBackendPolicies, TcpRoutePolicies } from "./policies.ts"
import { AiBackend, AwsBackend } from "./backends.ts"
import { McpBackend } from "./mcp.ts"

const Dynamic = Schema.Struct({ target: opt(Cel, "Gives `host:port`; the authority of the request unless set.") })

export const routeBackendKinds = [
  "service",
  "backend",
  "host",
  "internal",
  "dynamic",
  "mcp",
  "ai",
  "aws",
  "routeGroup",
  "invalid",
] as const

const routeBackendShape = exactlyOne(
  Schema.Struct({
    weight: opt(Count, "1 unless set; 0 is never picked."),
    policies: opt(BackendPolicies),
    service: opt(ServiceRef),
    backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
    host: opt(Target, "`host:port` or `unix:/path`."),
    internal: opt(Schema.String, "`forward`, or the path of the gateway's own interface to answer with."),
    dynamic: opt(Dynamic, "Wherever the request says it is going."),
    mcp: opt(McpBackend),
    ai: opt(AiBackend),
    aws: opt(AwsBackend),
    routeGroup: opt(Schema.NonEmptyString, "Name of an entry of `routeGroups`."),
    invalid: opt(Schema.Null, "Always fails."),
  }),
  routeBackendKinds,
).annotate({ identifier: "RouteBackend" })
export interface RouteBackendSchema extends Named<typeof routeBackendShape> {}
export const RouteBackend: RouteBackendSchema = routeBackendShape
export type RouteBackend = typeof RouteBackend.Type

const route = {
  name: opt(Schema.NonEmptyString, "`route<i>` unless set."),
  namespace: opt(Schema.NonEmptyString, "`default` unless set."),
  ruleName: opt(Schema.String),
  hostnames: opt(Schema.Array(Schema.NonEmptyString), "Exact or `*.suffix`; any unless set."),
  matches: opt(Matches),
  policies: opt(RoutePolicies),
  backends: opt(Schema.Array(RouteBackend)),
}

const localRouteShape = Schema.Struct(route).annotate({ identifier: "Route" })
export interface LocalRouteSchema extends Named<typeof localRouteShape> {}
export const LocalRoute: LocalRouteSchema = localRouteShape
export type LocalRoute = typeof LocalRoute.Type

const attachedRouteShape = Schema.Struct({ gateways: opt(GatewayRefs), ...route }).annotate({
  identifier: "AttachedRoute",
})
export interface AttachedRouteSchema extends Named<typeof attachedRouteShape> {}
export const AttachedRoute: AttachedRouteSchema = attachedRouteShape
export type AttachedRoute = typeof AttachedRoute.Type

export const tcpBackendKinds = ["service", "host", "dynamic", "backend"] as const

const tcpBackendShape = exactlyOne(
  Schema.Struct({
    weight: opt(Count, "1 unless set; 0 is never picked."),
    policies: opt(TcpBackendPolicies),
    service: opt(ServiceRef),
    host: opt(Target, "`host:port` or `unix:/path`."),
    dynamic: opt(Dynamic),
    backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
  }),
  tcpBackendKinds,
).annotate({ identifier: "TcpRouteBackend" })
export interface TcpBackendSchema extends Named<typeof tcpBackendShape> {}
export const TcpBackend: TcpBackendSchema = tcpBackendShape
export type TcpBackend = typeof TcpBackend.Type

const tcpRoute = {
  name: opt(Schema.NonEmptyString, "`tcproute<i>` unless set."),
  namespace: opt(Schema.NonEmptyString, "`default` unless set."),
  ruleName: opt(Schema.String),
  hostnames: opt(Schema.Array(Schema.NonEmptyString), "Server names of the TLS handshake."),
  policies: opt(TcpRoutePolicies),
  backends: opt(Schema.Array(TcpBackend)),
}

const tcpRouteShape = Schema.Struct(tcpRoute).annotate({ identifier: "TcpRoute" })
export interface TcpRouteSchema extends Named<typeof tcpRouteShape> {}
export const TcpRoute: TcpRouteSchema = tcpRouteShape
export type TcpRoute = typeof TcpRoute.Type

const attachedTcpRouteShape = Schema.Struct({ gateways: opt(GatewayRefs), ...tcpRoute }).annotate({
  identifier: "AttachedTcpRoute",
})
export interface AttachedTcpRouteSchema extends Named<typeof attachedTcpRouteShape> {}
export const AttachedTcpRoute: AttachedTcpRouteSchema = attachedTcpRouteShape
export type AttachedTcpRoute = typeof AttachedTcpRoute.Type

const routeGroupShape = Schema.Struct({
  name: req(Schema.NonEmptyString, "Name that route backends refer to."),
  routes: Schema.Array(LocalRoute),
}).annotate({ identifier: "RouteGroup" })
export interface RouteGroupSchema extends Named<typeof routeGroupShape> {}
export const RouteGroup: RouteGroupSchema = routeGroupShape
export type RouteGroup = typeof RouteGroup.Type
