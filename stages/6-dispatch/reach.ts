/** From where a backend is to how an attempt gets there. */
import * as Effect from "effect/Effect"
import { toText } from "../../ir/cel/toJson.ts"
import type { BackendPolicies, TrafficPolicies } from "../../ir/effective.ts"
import type { Expression } from "../../ir/Expression.ts"
import type { AppProtocol } from "../../ir/Workload.ts"
import { defaultPort, parseAuthority, portOf, unbracket } from "../../protocols/http/authority.ts"
import { isGrpc } from "../../protocols/http/grpc.ts"
import { expressionsOf } from "../5-policy/expression/expressionsOf.ts"
import { Facts } from "../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import type { Reply, Request } from "../Exchange.ts"
import type { SendOptions } from "../ports/Upstream.ts"
import type { Refusal } from "../Refusal.ts"
import { authorityOf, hasName, namedBy, renamed } from "./authority.ts"
import * as AgentCore from "./aws/agentCore.ts"
import { choose, chooseFor, memberNamed, type Member } from "./balance.ts"
import { affinityOf, healthOf } from "./endpointExpressions.ts"
import type { EndpointHandle, EndpointTemplate } from "./Endpoints.ts"
import { type Patience, send } from "./http.ts"
import { isOwn } from "./loop.ts"
import { observed } from "./observe.ts"
import { type DispatchPorts, hopOf } from "./ports.ts"
import { positive } from "./positive.ts"
import type { Resolved, WhereOf } from "./resolve.ts"
import type { Attempting, Try } from "./Target.ts"

export const refusing = (refusal: Refusal): Attempting => {
  const failed = Effect.fail(refusal)
  return () => failed
}

export const reach = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  resolved: Resolved,
  template: EndpointTemplate,
  route: TrafficPolicies,
): Attempting => {
  const { policies, where } = resolved
  if (policies.SessionAffinity !== undefined && where._tag !== "Service" && where._tag !== "Nowhere") {
    return refusing({ _tag: "FilterFailed", detail: "SessionAffinity cannot be applied to this backend" })
  }
  switch (where._tag) {
    case "Nowhere":
      return refusing(where.refusal)
    case "Agents":
    case "Llm":
      return refusing({ _tag: "InvalidBackendType" })
    case "Mcp":
      return ports.mcp === undefined || ports.protocols?.mcp === undefined
        ? refusing({ _tag: "InvalidBackendType" })
        : ports.protocols.mcp.reachMcp(ports.mcp, policyPorts, policies, where, hopOf(ports, "mcp", where.backend.key))
    case "Host":
      return reachHost(ports, resolved, where, template, route)
    case "AgentCore":
      return reachAgentCore(ports, resolved, where, template, route)
    case "Service":
      return reachService(ports, policyPorts, resolved, where, template, route)
    case "Dynamic":
      return where.target === undefined
        ? reachDynamic(ports, resolved, template, route)
        : reachComputed(ports, policyPorts, resolved, where.target, template, route)
  }
}

/** How long each attempt may take. */
const patienceOf = (policies: BackendPolicies, route: TrafficPolicies): Patience => ({
  headMillis: positive(policies.BackendHttp?.requestTimeoutMillis ?? route.Timeout?.backendRequestMillis),
  idleMillis: positive(route.Timeout?.idleMillis),
})

/** By policy, by what the service speaks, else by what the client speaks. */
const versionOf = (
  policies: BackendPolicies,
  appProtocol: AppProtocol | undefined,
): SendOptions["version"] | undefined => {
  switch (policies.BackendHttp?.version) {
    case "HTTP/2.0":
      return "2"
    case "HTTP/1.1":
      return "1.1"
    case undefined:
      return appProtocol === "Http2" || appProtocol === "Grpc" ? "2" : appProtocol === "Http11" ? "1.1" : undefined
  }
}

/**
 * Over TLS every client ends up with HTTP/2, so that says nothing about what the backend can. In plaintext it is a hint, which
 * gRPC alone depends on.
 */
const clientVersion = ({ exchange }: Try, request: Request): SendOptions["version"] => {
  if (isGrpc(request.headers.get("content-type"))) {
    return exchange.bound.secured.tls !== undefined || request.version === "2" ? "2" : "1.1"
  }
  return exchange.bound.secured.tls === undefined && request.version === "2" ? "either" : "1.1"
}

const reachHost = (
  { clock, endpoints }: DispatchPorts,
  { policies }: Resolved,
  { target }: WhereOf<"Host">,
  template: EndpointTemplate,
  route: TrafficPolicies,
): Attempting => {
  const handle = endpoints.family(template).to(target)
  const version = versionOf(policies, undefined)
  const patience = patienceOf(policies, route)
  const named = namedBy(route)
  const isRenamed = named === "backend" || (named === "custom" && hasName(target))
  const authority = isRenamed ? authorityOf(target, template.tls === undefined ? "http" : "https") : undefined
  const yields = named === "custom"
  return (attempt) => {
    const keepsName = authority === undefined || (yields && attempt.request.isNamed)
    const request = keepsName ? attempt.request : renamed(attempt.request, authority)
    return send(attempt, request, handle.get(), version ?? clientVersion(attempt, request), patience, clock)
  }
}

const reachAgentCore = (
  { clock, endpoints }: DispatchPorts,
  { policies }: Resolved,
  { runtime }: WhereOf<"AgentCore">,
  template: EndpointTemplate,
  route: TrafficPolicies,
): Attempting => {
  const handle = endpoints.family(template).to(runtime.target)
  const version = versionOf(policies, undefined) ?? "1.1"
  const patience = patienceOf(policies, route)
  return (attempt) =>
    send(attempt, AgentCore.addressed(attempt.request, runtime), handle.get(), version, patience, clock)
}

const noHealthyBackends: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "NoHealthyBackends" })

const reachService = (
  { clock, endpoints }: DispatchPorts,
  policyPorts: PolicyPorts,
  { policies }: Resolved,
  { endpoints: set, port, service }: WhereOf<"Service">,
  template: EndpointTemplate,
  route: TrafficPolicies,
): Attempting => {
  if (set.size === 0) return () => noHealthyBackends
  const family = endpoints.family(template)
  const handles = new Map<Member, EndpointHandle>()
  const version = versionOf(policies, service.appProtocols[port])
  const patience = patienceOf(policies, route)
  const scheme = template.tls === undefined ? "http" : "https"
  const authority =
    namedBy(route) === "backend" ? authorityOf({ _tag: "Host", host: service.hostname, port }, scheme) : undefined
  const health = healthOf(policies, policyPorts)
  const keyOf = affinityOf(policies, policyPorts)
  const observe = observed(clock, policies.Health?.eviction, route.Retry?.backoffMillis, health?.judge)
  return (attempt) => {
    // A further attempt goes elsewhere: its own endpoint has just failed it.
    const key = attempt.tried === undefined ? keyOf?.(attempt) : undefined
    const member =
      (attempt.preferred === undefined ? undefined : memberNamed(attempt.preferred, set, attempt.tried)) ??
      (key === undefined ? undefined : chooseFor(key, set, clock.nowMillis())) ??
      choose(set, clock.nowMillis(), clock.random, attempt.tried)
    if (member === undefined) return noHealthyBackends
    attempt.member = member
    let handle = handles.get(member)
    if (handle === undefined) handles.set(member, (handle = family.to(member.target)))
    const request = authority === undefined ? attempt.request : renamed(attempt.request, authority)
    const sent = send(attempt, request, handle.get(), version ?? clientVersion(attempt, request), patience, clock)
    return observe(attempt, member, health === undefined ? sent : health.prepared(attempt, sent))
  }
}

const noPort: Effect.Effect<Reply, Refusal> = Effect.fail({
  _tag: "InvalidRequest",
  detail: "the target of a CONNECT needs a port",
})
const loop: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "LoopDetected" })

const reachDynamic = (
  { clock, endpoints }: DispatchPorts,
  { policies }: Resolved,
  template: EndpointTemplate,
  route: TrafficPolicies,
): Attempting => {
  const family = endpoints.family(template)
  const version = versionOf(policies, undefined)
  const patience = patienceOf(policies, route)
  return (attempt) => {
    const { exchange, request } = attempt
    const written = portOf(request.authority)
    if (written === undefined && request.method === "CONNECT") return noPort
    const port = written ?? defaultPort(request.scheme) ?? 80
    const host = unbracket(request.host)
    if (isOwn(exchange.bound, host, port)) return loop
    const endpoint = family.toNamed(host, port).get()
    return send(attempt, request, endpoint, version ?? clientVersion(attempt, request), patience, clock)
  }
}

const uncomputed: Effect.Effect<Reply, Refusal> = Effect.fail({
  _tag: "FilterFailed",
  detail: "the target of a dynamic backend could not be computed",
})

/** To wherever an expression says, as `host:port`. */
const reachComputed = (
  { clock, endpoints }: DispatchPorts,
  policyPorts: PolicyPorts,
  { policies }: Resolved,
  target: Expression,
  template: EndpointTemplate,
  route: TrafficPolicies,
): Attempting => {
  const family = endpoints.family(template)
  const version = versionOf(policies, undefined)
  const patience = patienceOf(policies, route)
  const expressions = expressionsOf(policyPorts)
  const computed = expressions.compile(target, "backend", "target")
  return (attempt) => {
    const { exchange, request } = attempt
    const said = computed.as(Facts.of(expressions.around, attempt), (value) => parseAuthority(toText(value) ?? ""))
    if (said?.port === undefined) return uncomputed
    const host = unbracket(said.host)
    if (isOwn(exchange.bound, host, said.port)) return loop
    const endpoint = family.toNamed(host, said.port).get()
    return send(attempt, request, endpoint, version ?? clientVersion(attempt, request), patience, clock)
  }
}
