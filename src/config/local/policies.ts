/** Which key is which policy, and which of them each place takes: how they are written, and what they become. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../ir/Named.ts"
import type { BackendPolicy, FrontendPolicy, TrafficPolicy } from "../../../ir/Policy.ts"
import type { Path } from "../ConfigIssue.ts"
import { oneSpelling, opt } from "./grammar.ts"
import type { Mapping } from "./Mapping.ts"
import { A2a, a2a } from "./policy/A2a.ts"
import { AccessLog, accessLog } from "./policy/AccessLog.ts"
import { Ai, ai } from "./policy/Ai.ts"
import { ApiKey, apiKey } from "./policy/ApiKey.ts"
import { Authorization, authorization, mcpAuthorization, networkAuthorization } from "./policy/Authorization.ts"
import { BackendAuth, backendAuth } from "./policy/BackendAuth.ts"
import { BackendHttp, backendHttp } from "./policy/BackendHttp.ts"
import { BackendTcp, backendTcp } from "./policy/BackendTcp.ts"
import { BackendTls, backendTls } from "./policy/BackendTls.ts"
import { BackendTunnel, backendTunnel } from "./policy/BackendTunnel.ts"
import { BasicAuth, basicAuth } from "./policy/BasicAuth.ts"
import { BodyLimit, bodyLimit } from "./policy/BodyLimit.ts"
import { Buffer, buffer } from "./policy/Buffer.ts"
import { ConcurrencyLimit, concurrencyLimit } from "./policy/ConcurrencyLimit.ts"
import { conditionally } from "./policy/conditional.ts"
import { Connect, connect } from "./policy/Connect.ts"
import { ConnectionLimit, connectionLimit } from "./policy/ConnectionLimit.ts"
import { Cors, cors } from "./policy/Cors.ts"
import { Csrf, csrf } from "./policy/Csrf.ts"
import { Delay, delay } from "./policy/Delay.ts"
import { DirectResponse, directResponse } from "./policy/DirectResponse.ts"
import { ExtAuthz, extAuthz, networkExtAuthz, plainExtAuthz } from "./policy/ExtAuthz.ts"
import { ExtProc, extProc } from "./policy/ExtProc.ts"
import { HeaderEdits, requestHeaderModifier, responseHeaderModifier } from "./policy/HeaderEdits.ts"
import { Health, health } from "./policy/Health.ts"
import { Http, http } from "./policy/Http.ts"
import { InferenceRouting, inferenceRouting } from "./policy/InferenceRouting.ts"
import { IpAccessControl, ipAccessControl } from "./policy/IpAccessControl.ts"
import { JwtAuth, jwtAuth } from "./policy/JwtAuth.ts"
import { LocalRateLimit, localRateLimit } from "./policy/LocalRateLimit.ts"
import { McpAuthentication, mcpAuthentication } from "./policy/McpAuthentication.ts"
import { McpGuardrails, mcpGuardrails } from "./policy/McpGuardrails.ts"
import { Oidc, oidc } from "./policy/Oidc.ts"
import { ProxyProtocol, proxyProtocol } from "./policy/ProxyProtocol.ts"
import { RemoteRateLimit, remoteRateLimit } from "./policy/RemoteRateLimit.ts"
import { RequestMirror, requestMirror } from "./policy/RequestMirror.ts"
import { RequestRedirect, requestRedirect } from "./policy/RequestRedirect.ts"
import { Retry, retry } from "./policy/Retry.ts"
import { SessionAffinity, sessionAffinity } from "./policy/SessionAffinity.ts"
import { Tcp, tcp } from "./policy/Tcp.ts"
import { Timeout, timeout } from "./policy/Timeout.ts"
import { Tls, tls } from "./policy/Tls.ts"
import { Tracing, tracing } from "./policy/Tracing.ts"
import { ConditionalTransformations, Transformations, transformations } from "./policy/Transformations.ts"
import { UrlRewrite, urlRewrite } from "./policy/UrlRewrite.ts"

/** Those that run before the route is chosen. */
export const gatewayPolicies = {
  ipAccessControl: opt(IpAccessControl),
  oidc: opt(Oidc),
  jwtAuth: opt(JwtAuth),
  authorization: opt(Authorization),
  extAuthz: opt(ExtAuthz),
  extProc: opt(ExtProc),
  cors: opt(Cors),
  transformations: opt(ConditionalTransformations),
  basicAuth: opt(BasicAuth),
  apiKey: opt(ApiKey),
}
const gatewayPoliciesShape = Schema.Struct(gatewayPolicies).annotate({ identifier: "GatewayPolicies" })
export interface GatewayPoliciesSchema extends Named<typeof gatewayPoliciesShape> {}
export const GatewayPolicies: GatewayPoliciesSchema = gatewayPoliciesShape
export type GatewayPolicies = typeof GatewayPolicies.Type

const onBackends = {
  backendTLS: opt(BackendTls),
  backendAuth: opt(BackendAuth),
  backendTunnel: opt(BackendTunnel),
  http: opt(BackendHttp),
  tcp: opt(BackendTcp),
  health: opt(Health),
  sessionAffinity: opt(SessionAffinity),
  a2a: opt(A2a),
  mcpAuthorization: opt(Authorization),
  mcpGuardrails: opt(McpGuardrails),
}

const routePoliciesShape = Schema.Struct({
  ...gatewayPolicies,
  mcpAuthentication: opt(McpAuthentication),
  localRateLimit: opt(LocalRateLimit),
  remoteRateLimit: opt(RemoteRateLimit),
  concurrencyLimit: opt(ConcurrencyLimit),
  bodyLimit: opt(BodyLimit),
  csrf: opt(Csrf),
  buffer: opt(Buffer),
  timeout: opt(Timeout),
  retry: opt(Retry),
  delay: opt(Delay),
  directResponse: opt(DirectResponse),
  requestRedirect: opt(RequestRedirect),
  requestHeaderModifier: opt(HeaderEdits),
  responseHeaderModifier: opt(HeaderEdits),
  requestMirror: opt(RequestMirror),
  urlRewrite: opt(UrlRewrite),
  ai: opt(Ai),
  ...onBackends,
  inferenceRouting: opt(InferenceRouting),
}).annotate({
  identifier: "RoutePolicies",
  description: "Policies of a route; those of backends count for every backend of it.",
})
export interface RoutePoliciesSchema extends Named<typeof routePoliciesShape> {}
export const RoutePolicies: RoutePoliciesSchema = routePoliciesShape
export type RoutePolicies = typeof RoutePolicies.Type

const backendPoliciesShape = Schema.Struct({
  ...onBackends,
  inferenceRouting: opt(InferenceRouting),
  requestHeaderModifier: opt(HeaderEdits),
  responseHeaderModifier: opt(HeaderEdits),
  requestRedirect: opt(RequestRedirect),
  requestMirror: opt(RequestMirror),
  transformations: opt(Schema.Struct(Transformations)),
  authorization: opt(Authorization),
  extAuthz: opt(plainExtAuthz),
  ai: opt(Ai),
}).annotate({ identifier: "BackendPolicies", description: "Policies of each call to one backend." })
export interface BackendPoliciesSchema extends Named<typeof backendPoliciesShape> {}
export const BackendPolicies: BackendPoliciesSchema = backendPoliciesShape
export type BackendPolicies = typeof BackendPolicies.Type

export const TcpRoutePolicies = Schema.Struct({ backendTLS: opt(BackendTls) }).annotate({
  identifier: "TcpRoutePolicies",
})
export const TcpBackendPolicies = Schema.Struct({
  backendTLS: opt(BackendTls),
  backendTunnel: opt(BackendTunnel),
}).annotate({
  identifier: "TcpBackendPolicies",
})

const frontendPoliciesShape = oneSpelling(
  Schema.Struct({
    http: opt(Http),
    tls: opt(Tls),
    tcp: opt(Tcp),
    networkAuthorization: opt(Authorization),
    networkExtAuthz: opt(plainExtAuthz),
    connectionLimit: opt(ConnectionLimit),
    proxyProtocol: opt(ProxyProtocol),
    proxy: opt(ProxyProtocol),
    connect: opt(Connect),
    accessLog: opt(AccessLog),
    logging: opt(AccessLog),
    tracing: opt(Tracing),
  }),
  [
    ["proxyProtocol", "proxy"],
    ["accessLog", "logging"],
  ],
).annotate({ identifier: "FrontendPolicies", description: "Policies of connections, and of what is recorded." })
export interface FrontendPoliciesSchema extends Named<typeof frontendPoliciesShape> {}
export const FrontendPolicies: FrontendPoliciesSchema = frontendPoliciesShape
export type FrontendPolicies = typeof FrontendPolicies.Type

/** For every key, what makes the snapshot's policy of it. */
type Mapped<Source, Policy> = {
  readonly [K in keyof Source]-?: (
    policy: NonNullable<Source[K]>,
    path: Path,
    to: Mapping,
    owner: string,
  ) => Policy | undefined
}

type TrafficSource = Omit<RoutePolicies, keyof typeof onBackends | "inferenceRouting">

const traffic: Mapped<TrafficSource, TrafficPolicy> = {
  ipAccessControl,
  oidc,
  jwtAuth,
  authorization,
  extAuthz: conditionally(extAuthz),
  extProc: conditionally(extProc),
  cors,
  transformations: conditionally(transformations),
  basicAuth,
  apiKey,
  mcpAuthentication,
  localRateLimit,
  remoteRateLimit: conditionally(remoteRateLimit),
  concurrencyLimit,
  bodyLimit,
  csrf,
  buffer,
  timeout,
  retry,
  delay: conditionally(delay),
  directResponse: conditionally(directResponse),
  requestRedirect,
  requestHeaderModifier,
  responseHeaderModifier,
  requestMirror,
  urlRewrite,
  ai,
}

const onBackend: Mapped<BackendPolicies, BackendPolicy> = {
  backendTLS: backendTls,
  backendAuth,
  backendTunnel,
  http: backendHttp,
  tcp: backendTcp,
  health,
  sessionAffinity,
  a2a,
  mcpAuthorization,
  mcpGuardrails,
  inferenceRouting,
  requestHeaderModifier,
  responseHeaderModifier,
  requestRedirect,
  requestMirror,
  transformations,
  authorization,
  extAuthz,
  ai,
}

const frontend: Mapped<FrontendPolicies, FrontendPolicy> = {
  http,
  tls,
  tcp,
  networkAuthorization,
  networkExtAuthz,
  connectionLimit,
  proxyProtocol,
  proxy: proxyProtocol,
  connect,
  accessLog,
  logging: accessLog,
  tracing,
}

/** Applies a table to the policies that are set, and refuses those that are not built. */
const mapAll = <Source extends object, Policy>(
  table: Mapped<Source, Policy>,
  source: Source,
  keys: ReadonlyArray<string>,
  path: Path,
  to: Mapping,
  owner: string,
): ReadonlyArray<Policy> => {
  const all: Array<Policy> = []
  for (const key of keys) {
    if (!Object.hasOwn(source, key) || !Object.hasOwn(table, key)) continue
    const name = key as keyof Source & string
    const policy = source[name]
    if (policy === undefined || policy === null || to.refused("policies", name, [...path, name])) continue
    const mapped = table[name](policy as NonNullable<Source[typeof name]>, [...path, name], to, owner)
    if (mapped !== undefined) all.push(mapped)
  }
  return all
}

const trafficKeys = Object.keys(traffic)
const backendKeys = Object.keys(onBackend)
const backendOnlyKeys = backendKeys.filter((key) => !Object.hasOwn(traffic, key))

/** The policies of a route that act on the exchange. */
export const trafficPolicies = (
  policies: TrafficSource,
  path: Path,
  to: Mapping,
  owner: string,
): ReadonlyArray<TrafficPolicy> => mapAll(traffic, policies, trafficKeys, path, to, owner)

/** The policies of a route that act on its backends. */
export const backendPoliciesOfRoute = (
  policies: RoutePolicies,
  path: Path,
  to: Mapping,
): ReadonlyArray<BackendPolicy> =>
  mapAll<BackendPolicies, BackendPolicy>(onBackend, policies as BackendPolicies, backendOnlyKeys, path, to, "")

export const backendPolicies = (policies: BackendPolicies, path: Path, to: Mapping): ReadonlyArray<BackendPolicy> =>
  mapAll(onBackend, policies, backendKeys, path, to, "")

export const isBackendPolicy = (key: string): boolean => Object.hasOwn(onBackend, key)
export const isTrafficPolicy = (key: string): boolean => Object.hasOwn(traffic, key)

const frontendKeys = Object.keys(frontend)

/** Each by the name it has in keys of attachments: an alias counts as the field it stands for. */
export const frontendPolicies = (
  policies: FrontendPolicies,
  path: Path,
  to: Mapping,
): ReadonlyArray<readonly [string, FrontendPolicy]> =>
  frontendKeys.flatMap((key) =>
    mapAll(frontend, policies, [key], path, to, "").map(
      (policy) => [{ proxy: "proxyProtocol", logging: "accessLog" }[key] ?? key, policy] as const,
    ),
  )
