/** The complete shape of a configuration file. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { NamedBackend } from "./backends.ts"
import { Service, Workload } from "./discovery.ts"
import { GatewayRefs } from "./GatewayRefs.ts"
import { Bind, Gateway } from "./gateways.ts"
import { anyCase, exactlyOne, opt, Port } from "./grammar.ts"
import { Llm } from "./llm.ts"
import { Mcp } from "./mcp.ts"
import { FrontendPolicies, gatewayPolicies, RoutePolicies } from "./policies.ts"
import { AttachedRoute, AttachedTcpRoute, RouteGroup } from "./routes.ts"
import { StaticSection } from "./staticSection.ts"

const Ui = Schema.Struct({
  gateways: opt(GatewayRefs),
  policies: opt(
    Schema.Struct({
      cors: gatewayPolicies.cors,
      oidc: gatewayPolicies.oidc,
      jwtAuth: gatewayPolicies.jwtAuth,
      authorization: gatewayPolicies.authorization,
      extAuthz: gatewayPolicies.extAuthz,
      basicAuth: gatewayPolicies.basicAuth,
      apiKey: gatewayPolicies.apiKey,
      csrf: RoutePolicies.fields.csrf,
    }),
  ),
}).annotate({ identifier: "Ui", description: "Where the browser application is served." })

const target = {
  gateway: opt(
    Schema.Struct({
      gatewayName: Schema.NonEmptyString,
      gatewayNamespace: Schema.String,
      listenerName: opt(Schema.NonEmptyString),
      port: opt(Port),
    }).check(
      Schema.makeFilter((gateway) =>
        gateway.listenerName !== undefined && gateway.port !== undefined
          ? "`listenerName` and `port` cannot be set together"
          : undefined,
      ),
    ),
  ),
  route: opt(
    Schema.Struct({
      name: Schema.NonEmptyString,
      namespace: Schema.String,
      ruleName: opt(Schema.NonEmptyString),
      kind: opt(Schema.NonEmptyString),
    }),
  ),
  backend: opt(
    exactlyOne(
      Schema.Struct({
        backend: opt(
          Schema.Struct({ name: Schema.NonEmptyString, namespace: Schema.String, section: opt(Schema.NonEmptyString) }),
        ),
        service: opt(Schema.Struct({ hostname: Schema.NonEmptyString, namespace: Schema.String, port: opt(Port) })),
      }),
      ["backend", "service"],
    ),
  ),
  listenerSet: opt(
    Schema.Struct({ name: Schema.NonEmptyString, namespace: Schema.String, section: opt(Schema.NonEmptyString) }),
  ),
}

const targetedPolicyShape = Schema.Struct({
  name: Schema.Struct({ name: Schema.NonEmptyString, namespace: Schema.String }),
  target: exactlyOne(Schema.Struct(target), Object.keys(target)),
  phase: opt(anyCase(["route", "gateway"]), "When it runs; `route` unless set."),
  policy: RoutePolicies.check(
    Schema.makeFilter((policy) =>
      Object.keys(policy).length === 1 ? undefined : "'policies' must contain exactly 1 policy",
    ),
  ),
}).annotate({ identifier: "TargetedPolicy", description: "A policy attached to something by name." })
export interface TargetedPolicySchema extends Named<typeof targetedPolicyShape> {}
export const TargetedPolicy: TargetedPolicySchema = targetedPolicyShape
export type TargetedPolicy = typeof TargetedPolicy.Type

const localConfigShape = Schema.Struct({
  config: opt(StaticSection),
  gateways: opt(Schema.Record(Schema.String, Gateway), "Entry points by name."),
  routes: opt(Schema.Array(AttachedRoute), "HTTP routes attached to gateways."),
  tcpRoutes: opt(Schema.Array(AttachedTcpRoute), "TCP and TLS routes attached to gateways."),
  llm: opt(Llm),
  mcp: opt(Mcp),
  ui: opt(Ui),
  frontendPolicies: opt(FrontendPolicies),
  binds: opt(Schema.Array(Bind), "Ports with listeners and routes in them; `gateways` and `routes` are the newer way."),
  policies: opt(Schema.Array(TargetedPolicy), "Policies attached by name."),
  backends: opt(Schema.Array(NamedBackend), "Backends that several routes use."),
  services: opt(Schema.Array(Service)),
  workloads: opt(Schema.Array(Workload)),
  routeGroups: opt(Schema.Array(RouteGroup), "Sets of routes that other routes delegate to."),
}).annotate({ title: "Gateway configuration", description: "Everything a gateway is told." })
export interface LocalConfigSchema extends Named<typeof localConfigShape> {}
export const LocalConfig: LocalConfigSchema = localConfigShape
export type LocalConfig = typeof LocalConfig.Type
