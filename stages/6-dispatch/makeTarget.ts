/** From what a reference means to what an attempt at it does. */
import type { TrafficPolicies } from "../../ir/effective.ts"
import { layer } from "../5-policy/layer.ts"
import { type BackendFacts, backendSteps, type PolicyPorts } from "../5-policy/steps.ts"
import type { BackendType } from "../Exchange.ts"
import * as AgentCore from "./aws/agentCore.ts"
import { affinityOf, bodySteps, healthOf } from "./endpointExpressions.ts"
import { copier } from "./mirror.ts"
import type { DispatchPorts } from "./ports.ts"
import { reach, refusing } from "./reach.ts"
import type { Resolved, Where, WhereOf } from "./resolve.ts"
import type { Attempting, Target, Try } from "./Target.ts"
import { llmObstacle, obstacle, templateOf } from "./template.ts"

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
