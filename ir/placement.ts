/** Where each kind of policy may stand, and what the file calls it. */
import type { BackendKind, ConditionalKind, FrontendKind, TrafficKind } from "./Policy.ts"

export type PolicyKind = FrontendKind | TrafficKind | BackendKind
export type Family = "frontend" | "traffic" | "backend"
export type Phase = "gateway" | "route"

/** What a policy may be attached to. */
export type Place = "gateway" | "port" | "listenerSet" | "listener" | "service" | "route" | "backend"

export interface Placement {
  readonly spelling: string
  readonly aliases: ReadonlyArray<string>
  /** When a frontend policy acts; absent: the kind is none. */
  readonly frontend?: "connection" | "request"
  /** Where a traffic policy may run; empty: the kind is none. */
  readonly phases: ReadonlyArray<Phase>
  readonly backend: boolean
  /** Also for services that only the gateway calls. */
  readonly callee: boolean
  /** Whether its content may depend on a condition; the file spells that for fewer kinds than xDS does. */
  readonly conditional: ReadonlyArray<"file" | "xds">
  /** A file may write this backend policy on a route: it then counts for every backend of the route. */
  readonly backendOnRoute: boolean
}

const row = (spelling: string, more: Partial<Placement>): Placement => ({
  spelling,
  aliases: [],
  phases: [],
  backend: false,
  callee: false,
  conditional: [],
  backendOnRoute: false,
  ...more,
})

const both: ReadonlyArray<Phase> = ["gateway", "route"]
const route: ReadonlyArray<Phase> = ["route"]
const everywhere: Placement["conditional"] = ["file", "xds"]
const wireOnly: Placement["conditional"] = ["xds"]

export const placement: { readonly [K in PolicyKind]: Placement } = {
  Http: row("http", { frontend: "connection" }),
  Tls: row("tls", { frontend: "connection" }),
  Tcp: row("tcp", { frontend: "connection" }),
  NetworkAuthorization: row("networkAuthorization", { frontend: "connection" }),
  NetworkExtAuthz: row("networkExtAuthz", { frontend: "connection" }),
  ConnectionLimit: row("connectionLimit", { frontend: "connection" }),
  ProxyProtocol: row("proxyProtocol", { frontend: "connection", aliases: ["proxy"] }),
  Connect: row("connect", { frontend: "connection" }),
  AccessLog: row("accessLog", { frontend: "request", aliases: ["logging"] }),
  Tracing: row("tracing", { frontend: "request" }),

  Cors: row("cors", { phases: both, conditional: wireOnly }),
  Oidc: row("oidc", { phases: both }),
  JwtAuth: row("jwtAuth", { phases: both, conditional: wireOnly }),
  BasicAuth: row("basicAuth", { phases: both, conditional: wireOnly }),
  ApiKey: row("apiKey", { phases: both, conditional: wireOnly }),
  ExtAuthz: row("extAuthz", { phases: both, backend: true, conditional: everywhere }),
  Authorization: row("authorization", { phases: both, backend: true }),
  ExtProc: row("extProc", { phases: both, conditional: everywhere }),
  Transformations: row("transformations", { phases: both, backend: true, callee: true, conditional: everywhere }),
  McpAuthentication: row("mcpAuthentication", { phases: route }),
  LocalRateLimit: row("localRateLimit", { phases: route, conditional: everywhere }),
  RemoteRateLimit: row("remoteRateLimit", { phases: route, conditional: everywhere }),
  ConcurrencyLimit: row("concurrencyLimit", { phases: route }),
  BodyLimit: row("bodyLimit", { phases: route }),
  IpAccessControl: row("ipAccessControl", { phases: both }),
  Csrf: row("csrf", { phases: route, conditional: wireOnly }),
  Buffer: row("buffer", { phases: route, conditional: wireOnly }),
  Timeout: row("timeout", { phases: route }),
  Retry: row("retry", { phases: route }),
  Delay: row("delay", { phases: route, conditional: everywhere }),
  DirectResponse: row("directResponse", { phases: route, conditional: everywhere }),
  RequestRedirect: row("requestRedirect", { phases: route, backend: true, conditional: wireOnly }),
  RequestHeaderModifier: row("requestHeaderModifier", {
    phases: route,
    backend: true,
    callee: true,
    conditional: wireOnly,
  }),
  ResponseHeaderModifier: row("responseHeaderModifier", { phases: route, backend: true, conditional: wireOnly }),
  RequestMirror: row("requestMirror", { phases: route, backend: true }),
  UrlRewrite: row("urlRewrite", { phases: route, conditional: wireOnly }),
  Ai: row("ai", { phases: route, backend: true }),

  BackendTls: row("backendTLS", { backend: true, callee: true, backendOnRoute: true }),
  BackendAuth: row("backendAuth", { backend: true, callee: true, backendOnRoute: true }),
  BackendTunnel: row("backendTunnel", { backend: true, callee: true, backendOnRoute: true }),
  BackendHttp: row("http", { backend: true, callee: true, backendOnRoute: true }),
  BackendTcp: row("tcp", { backend: true, callee: true, backendOnRoute: true }),
  Health: row("health", { backend: true, backendOnRoute: true }),
  SessionAffinity: row("sessionAffinity", { backend: true, backendOnRoute: true }),
  InferenceRouting: row("inferenceRouting", { backend: true, backendOnRoute: true }),
  A2a: row("a2a", { backend: true, backendOnRoute: true }),
  McpAuthorization: row("mcpAuthorization", { backend: true, backendOnRoute: true }),
  McpGuardrails: row("mcpGuardrails", { backend: true, backendOnRoute: true }),
}

/** A connection is judged before its listener is known; a request knows more the later it is looked at. */
export const places: {
  readonly [K in "connection" | "request" | "gatewayPhase" | "routePhase" | "backend"]: ReadonlyArray<Place>
} = {
  connection: ["gateway", "port"],
  request: ["gateway", "port", "listenerSet", "listener", "service"],
  gatewayPhase: ["gateway", "port", "listenerSet", "listener"],
  routePhase: ["gateway", "port", "listenerSet", "listener", "service", "route"],
  backend: ["gateway", "port", "listenerSet", "listener", "service", "route", "backend"],
}

/** Kinds of one family by the name the file gives them. */
export const spelled = (family: Family, spelling: string): PolicyKind | undefined => {
  for (const [kind, { aliases, backend, frontend, phases, spelling: name }] of Object.entries(placement)) {
    if (name !== spelling && !aliases.includes(spelling)) continue
    const stands = { frontend: frontend !== undefined, traffic: phases.length > 0, backend }[family]
    if (stands && isKind(kind)) return kind
  }
  return undefined
}

const isKind = (name: string): name is PolicyKind => Object.hasOwn(placement, name)

export const isConditionalKind = (kind: PolicyKind): kind is ConditionalKind => placement[kind].conditional.length > 0
