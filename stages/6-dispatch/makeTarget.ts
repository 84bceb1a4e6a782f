/** From what a reference means to what an attempt at it does. */
import * as Redacted from "effect/Redacted"
import { isForProxy } from "../../ir/isForProxy.ts"
import * as Effect from "effect/Effect"
import type { CelValue } from "../../ir/cel/CelValue.ts"
import { toBase64, toText } from "../../ir/cel/toJson.ts"
import type { BackendPolicies, TrafficPolicies } from "../../ir/effective.ts"
import type { Expression } from "../../ir/Expression.ts"
import type { BackendKind } from "../../ir/Policy.ts"
import type { AppProtocol } from "../../ir/Workload.ts"
import type { ClientTls } from "../../ir/Tls.ts"
import { defaultPort, parseAuthority, portOf, unbracket } from "../../protocols/http/authority.ts"
import { isGrpc } from "../../protocols/http/grpc.ts"
import type { BackendType, Reply, Request } from "../Exchange.ts"
import { captureReply, captureRequest } from "../5-policy/expression/capture.ts"
import { readsReplyBody, readsRequestBody } from "../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../5-policy/expression/expressionsOf.ts"
import { Facts } from "../5-policy/expression/Facts.ts"
import { layer } from "../5-policy/layer.ts"
import type { Step } from "../5-policy/Step.ts"
import { type BackendFacts, backendSteps, type PolicyPorts } from "../5-policy/steps.ts"
import type { EndpointSpec, SendOptions } from "../ports/Upstream.ts"
import type { Refusal } from "../Refusal.ts"
import { authorityOf, hasName, namedBy, renamed } from "./authority.ts"
import * as AgentCore from "./aws/agentCore.ts"
import { choose, chooseFor, memberNamed, type Member } from "./balance.ts"
import type { Judgement } from "./health.ts"
import type { EndpointHandle, EndpointTemplate } from "./Endpoints.ts"
import { type Patience, send } from "./http.ts"
import { isOwn } from "./loop.ts"
import { copier } from "./mirror.ts"
import { observed } from "./observe.ts"
import { type DispatchPorts, hopOf } from "./ports.ts"
import { positive } from "./positive.ts"
import type { Resolved, Where } from "./resolve.ts"
import type { Attempting, Target, Try } from "./Target.ts"

/** Policies that only other kinds of backends can carry out: none may be passed over in silence. */
const elsewhere: ReadonlyArray<BackendKind> = ["InferenceRouting", "Ai", "McpAuthorization", "McpGuardrails"]

/** Why these policies cannot be carried out. */
export const obstacle = (policies: BackendPolicies): string | undefined => obstacleAmong(elsewhere, policies)

const llmObstacle = (policies: BackendPolicies): string | undefined =>
  obstacleAmong(
    elsewhere.filter((kind) => kind !== "Ai"),
    policies,
  )

const obstacleAmong = (kinds: ReadonlyArray<BackendKind>, policies: BackendPolicies): string | undefined => {
  for (const kind of kinds) if (policies[kind] !== undefined) return `${kind} cannot be applied to this backend`
  if (policies.BackendTls?.spiffe === true) return "identities from the Workload API are not built"
  return undefined
}

const proxyOf = ({
  policies,
  proxy,
}: Pick<Resolved, "policies" | "proxy">):
  | { readonly tunnel: EndpointSpec["tunnel"] }
  | { readonly problem: string } => {
  const policy = policies.BackendTunnel
  if (policy === undefined) return { tunnel: undefined }
  if (proxy?._tag !== "Host") return { problem: "the proxy of a tunnel must be a host" }
  if (policy.tls !== undefined) return { problem: "a proxy that is spoken to over TLS is not built" }
  const { auth } = policy
  if (auth === undefined) return { tunnel: { proxy: proxy.target, authorization: undefined } }
  const { location } = auth
  if (!isForProxy(location)) {
    return { problem: "a proxy takes its credential in the authorization header only" }
  }
  return {
    tunnel: { proxy: proxy.target, authorization: `${location.prefix ?? ""}${Redacted.value(auth.value)}` },
  }
}

/** How connections to a backend are made, except where they lead. A text says why they cannot be. */
export const templateOf = (
  ports: DispatchPorts,
  resolved: Pick<Resolved, "policies" | "proxy" | "where">,
): EndpointTemplate | string => {
  const { policies, where } = resolved
  const proxied = proxyOf(resolved)
  if ("problem" in proxied) return proxied.problem
  const { BackendTls: tls, BackendTunnel: tunnel } = policies
  // With a proxy in between, the connection that is made is the one to the proxy.
  const tcp = tunnel?.tcp ?? policies.BackendTcp
  return {
    ...ports.defaults,
    tls: tls === undefined ? undefined : tlsFor(tls.tls, where),
    tunnel: proxied.tunnel,
    connectTimeoutMillis: positive(tcp?.connectTimeoutMillis) ?? ports.defaults.connectTimeoutMillis,
    keepAlive: tcp?.keepalive ?? ports.defaults.keepAlive,
  }
}

/** The endpoints of a service are addresses, but its certificate is for its name. */
const tlsFor = (tls: ClientTls, where: Where): ClientTls =>
  where._tag === "Service" && tls.hostname === undefined ? { ...tls, hostname: where.service.hostname } : tls

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

export const makeTarget = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  resolved: Resolved,
  route: TrafficPolicies,
): Target => {
  const { mirrors, name, where } = resolved
  if (resolved.policies.A2a?.publish !== undefined && (where._tag === "Llm" || where._tag === "Mcp")) {
    return publishedTarget(ports, policyPorts, resolved, where._tag, route)
  }
  if (where._tag === "Llm") return llmTarget(ports, policyPorts, resolved, where, route)
  if (where._tag === "Agents") return agentsTarget(ports, policyPorts, resolved, where, route)
  const { a2a, mcp } = ports.protocols ?? {}
  const policies = where._tag === "Mcp" && mcp !== undefined ? mcp.ownPolicies(resolved.policies) : resolved.policies
  const problem = obstacle(policies)
  const template = problem ?? templateOf(ports, { ...resolved, policies })
  const reaching =
    typeof template === "string"
      ? refusing({ _tag: "FilterFailed", detail: template })
      : reach(ports, policyPorts, resolved, template, route)
  if (policies.A2a !== undefined && a2a === undefined) return unspoken(resolved)
  const speaking =
    policies.A2a === undefined || a2a === undefined || typeof template === "string"
      ? reaching
      : a2a.allowed(
          ports,
          policyPorts,
          policies.A2a,
          name,
          a2a.speak(
            ports,
            policyPorts,
            resolved,
            policies.A2a,
            template,
            (one) => reach(ports, policyPorts, one, template, route),
            reaching,
          ),
        )
  const copying = mirrors.length === 0 ? speaking : mirroring(ports, policyPorts, resolved, route, speaking)
  const about = factsOf(resolved.where)
  const steps = [
    ...(policies.A2a === undefined || a2a === undefined
      ? []
      : [
          a2a.listen(
            policyPorts,
            a2a.isRuled(policies),
            policies.A2a.agent,
            a2a.ownersOf(ports, policyPorts, policies.A2a, name),
          ),
        ]),
    ...bodySteps(policyPorts, resolved),
    ...backendSteps(about === undefined ? policyPorts : { ...policyPorts, backend: about }, policies),
  ]
  const type = types[resolved.where._tag]
  if (steps.length === 0 && mirrors.length === 0) return { name, type, attempt: reaching }
  const layered = layer<Try>(steps, copying)
  return {
    name,
    type,
    attempt: (attempt) => {
      attempt.request = attempt.request.copy()
      return layered(attempt)
    },
  }
}

/** Rules see what is asked of the agent; what stands behind it has its own policies. */
const publishedTarget = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  resolved: Resolved,
  kind: "Llm" | "Mcp",
  route: TrafficPolicies,
): Target => {
  const a2a = ports.protocols?.a2a
  if (a2a === undefined) return unspoken(resolved)
  const { A2a: policy, Authorization: rules, ...rest } = resolved.policies
  const inner = makeTarget(ports, policyPorts, { ...resolved, policies: rest }, route)
  const agent = a2a.published(
    ports,
    policyPorts,
    resolved.name,
    kind === "Llm" ? "models" : "servers",
    policy ?? { _tag: "A2a" },
    inner.attempt,
  )
  const steps = [
    // Tasks that the gateway keeps itself are kept apart by their owners where they are.
    a2a.listen(policyPorts, a2a.isRuled(resolved.policies), policy?.agent),
    ...backendSteps(policyPorts, rules === undefined ? {} : { Authorization: rules }),
  ]
  const allowed = a2a.allowed(ports, policyPorts, policy ?? { _tag: "A2a" }, resolved.name, agent.attempt)
  const layered = layer<Try>(steps, allowed)
  return {
    name: resolved.name,
    type: types.Agents,
    card: ({ exchange, request }) => agent.card(exchange, request),
    attempt: (attempt) => {
      attempt.request = attempt.request.copy()
      return layered(attempt)
    },
  }
}

/** What nobody here can speak. */
const unspoken = ({ name, where }: Resolved): Target => ({
  name,
  type: types[where._tag],
  attempt: refusing({ _tag: "InvalidBackendType" }),
})

/** Policies act on each agent for itself. */
const agentsTarget = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  resolved: Resolved,
  { members }: WhereOf<"Agents">,
  route: TrafficPolicies,
): Target => {
  const { agents, protocols } = ports
  const a2a = protocols?.a2a
  if (a2a === undefined) return unspoken(resolved)
  const { name } = resolved
  const listed = members.map((member) =>
    a2a.memberOf(ports, policyPorts, member, makeTarget(ports, policyPorts, member.backend, route), (one) =>
      templateOf(ports, one),
    ),
  )
  return {
    name,
    type: types.Agents,
    attempt: a2a.catalogue(policyPorts, {
      name,
      members: listed,
      whereabouts: agents?.whereabouts ?? new a2a.Whereabouts(),
    }),
  }
}

/** Policies act on each provider for itself, so none stands in front of them all. */
const llmTarget = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  resolved: Resolved,
  where: WhereOf<"Llm">,
  route: TrafficPolicies,
): Target => {
  const { mirrors, name, policies } = resolved
  const llm = ports.protocols?.llm
  if (llm === undefined) return unspoken(resolved)
  const reaching = llm.reach(ports, policyPorts, where, route, {
    connecting: (part) => {
      const template = llmObstacle(part.policies) ?? templateOf(ports, { ...part, where })
      if (typeof template === "string") return template
      const family = ports.endpoints.family(template)
      return (target) => family.to(target)
    },
    affinityOf: affinityOf(policies, policyPorts),
    judge: healthOf(policies, policyPorts)?.judge,
  })
  // Every provider is sent a copy of its own, so the request stays as it is without another one.
  if (mirrors.length === 0) return { name, type: "ai", attempt: reaching }
  const copying = mirroring(ports, policyPorts, resolved, route, reaching)
  return {
    name,
    type: "ai",
    attempt: (attempt) => {
      attempt.request = attempt.request.copy()
      return copying(attempt)
    },
  }
}

/** What its policies may know of a backend before there is a request. */
const factsOf = (where: Where): BackendFacts | undefined => {
  switch (where._tag) {
    case "Host":
      return { host: where.target._tag === "Host" ? where.target.host : undefined }
    case "Service":
      return { host: where.service.hostname }
    case "AgentCore":
      return { host: where.runtime.host, aws: { service: AgentCore.SERVICE, region: where.runtime.region } }
    default:
      return undefined
  }
}

const types: { readonly [Tag in Where["_tag"]]: BackendType } = {
  Host: "static",
  Service: "service",
  Dynamic: "dynamic",
  Llm: "ai",
  Agents: "a2a",
  AgentCore: "aws",
  Mcp: "mcp",
  Nowhere: "unknown",
}

/** What chooses an endpoint, or judges its reply, may look at the body of the request. */
const bodySteps = (ports: PolicyPorts, { policies, where }: Resolved): ReadonlyArray<Step<Try>> => {
  const expressions = expressionsOf(ports)
  const affinity = policies.SessionAffinity?.source
  const unhealthy = policies.Health?.unhealthyExpression
  const target = where._tag === "Dynamic" ? where.target : undefined
  const reads =
    (affinity !== undefined && readsRequestBody(expressions.compile(affinity, "backend", "sessionAffinity"))) ||
    (unhealthy !== undefined && readsRequestBody(expressions.compile(unhealthy, "attempt", "health"))) ||
    (target !== undefined && readsRequestBody(expressions.compile(target, "backend", "target")))
  return reads ? [captureRequest(ports)] : []
}

const refusing = (refusal: Refusal): Attempting => {
  const failed = Effect.fail(refusal)
  return () => failed
}

/** Copies go out once for an exchange: with the first attempt, as the backend is about to see it. */
const mirroring = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  { mirrors }: Resolved,
  route: TrafficPolicies,
  inner: Attempting,
): Attempting => {
  const copy = copier(ports, mirrors, (backend) => makeTarget(ports, policyPorts, backend, route))
  return (attempt) => {
    if (attempt.number === 0) attempt.request.body = copy(attempt.exchange, attempt.request)
    return inner(attempt)
  }
}

/** How long each attempt may take. */
const patienceOf = (policies: BackendPolicies, route: TrafficPolicies): Patience => ({
  headMillis: positive(policies.BackendHttp?.requestTimeoutMillis ?? route.Timeout?.backendRequestMillis),
  idleMillis: positive(route.Timeout?.idleMillis),
})

const reach = (
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

type WhereOf<Tag extends Where["_tag"]> = Extract<Where, { readonly _tag: Tag }>

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

/** What keeps a client with one endpoint; undefined where nothing does, or for this request nothing can be computed. */
const affinityOf = (
  { SessionAffinity: policy }: BackendPolicies,
  ports: PolicyPorts,
): ((attempt: Try) => string | undefined) | undefined => {
  if (policy === undefined) return undefined
  const expressions = expressionsOf(ports)
  const source = expressions.compile(policy.source, "backend", "sessionAffinity")
  return (attempt) => {
    const key = source.as(Facts.of(expressions.around, attempt), toKey)
    return key === "" ? undefined : key
  }
}

const toKey = (value: CelValue): string | undefined => (value instanceof Uint8Array ? toBase64(value) : toText(value))

/** What a policy says of replies in its own words; a failing expression calls nobody unhealthy. */
const healthOf = ({ Health: policy }: BackendPolicies, ports: PolicyPorts) => {
  if (policy?.unhealthyExpression === undefined) return undefined
  const expressions = expressionsOf(ports)
  const unhealthy = expressions.compile(policy.unhealthyExpression, "attempt", "health")
  const readsBody = readsReplyBody(unhealthy)
  return {
    judge: (attempt: Try, reply: Reply): Judgement =>
      unhealthy.holds(Facts.of(expressions.around, attempt, reply)) === true ? "unhealthy" : "healthy",
    /** What has to be read for it, read while the exchange can still be given up. */
    prepared: (attempt: Try, sent: Effect.Effect<Reply, Refusal>): Effect.Effect<Reply, Refusal> =>
      readsBody
        ? Effect.flatMap(sent, (reply) => {
            const waiting = captureReply(reply, ports.maxBufferBytes, attempt.request.method === "HEAD")
            return waiting === undefined ? Effect.succeed(reply) : Effect.as(waiting, reply)
          })
        : sent,
  }
}

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
