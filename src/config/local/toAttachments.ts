/** Policies that are attached by name, and those of the whole gateway. */
import type { Attachment } from "../../../ir/Attachment.ts"
import type { BackendKey, ServiceKey } from "../../../ir/Key.ts"
import { placement, spelled } from "../../../ir/placement.ts"
import type { Target } from "../../../ir/Target.ts"
import type { Path } from "../ConfigIssue.ts"
import * as Draft from "./Draft.ts"
import {
  type BackendPolicies,
  backendPolicies,
  backendPoliciesOfRoute,
  type FrontendPolicies,
  frontendPolicies,
  isBackendPolicy,
  trafficPolicies,
} from "./policies.ts"
import { present } from "./present.ts"
import type { TargetedPolicy } from "./Schema.ts"

export const frontend = (draft: Draft.Draft, policies: FrontendPolicies): void => {
  const target: Target = { _tag: "Gateway", ...Draft.gateway }
  for (const [kind, policy] of frontendPolicies(policies, ["frontendPolicies"], draft.to)) {
    Draft.attach(draft, `frontend/${kind}`, target, { _tag: "Frontend", policy }, ["frontendPolicies", kind])
  }
}

const targetOf = (target: TargetedPolicy["target"]): Target | undefined => {
  const { backend, gateway, listenerSet, route } = target
  if (gateway !== undefined) {
    return {
      _tag: "Gateway",
      name: gateway.gatewayName,
      namespace: gateway.gatewayNamespace,
      ...present({ listener: gateway.listenerName, port: gateway.port }),
    }
  }
  if (route !== undefined) return { _tag: "Route", ...route }
  if (listenerSet !== undefined) return { _tag: "ListenerSet", ...listenerSet }
  if (backend?.backend !== undefined) {
    const { name, namespace, section } = backend.backend
    return { _tag: "Backend", backend: `${namespace}/${name}` as BackendKey, ...present({ section }) }
  }
  if (backend?.service !== undefined) {
    const { hostname, namespace, port } = backend.service
    return { _tag: "Service", service: `${namespace}/${hostname}` as ServiceKey, ...present({ port }) }
  }
  return undefined
}

export const targeted = (draft: Draft.Draft, one: TargetedPolicy, path: Path): void => {
  const { to } = draft
  const key = `${one.name.namespace}/${one.name.name}`
  if (draft.attachments.has(key as Attachment["key"])) to.fail([...path, "name"], `two policies are called \`${key}\``)
  const target = targetOf(one.target)
  const [spelling] = Object.keys(one.policy)
  if (target === undefined || spelling === undefined) return
  const at = [...path, "policy"]
  const mapped = mapPolicy(draft, one, spelling, key, at)
  if (mapped !== undefined) Draft.attach(draft, key, target, mapped, path, one.name)
}

const mapPolicy = (
  draft: Draft.Draft,
  one: TargetedPolicy,
  spelling: string,
  key: string,
  path: Path,
): Attachment["policy"] | undefined => {
  const { to } = draft
  const value: unknown = one.policy[spelling as keyof typeof one.policy]
  const onBackend = one.target.backend !== undefined
  const backendKind = spelled("backend", spelling)
  const trafficKind = spelled("traffic", spelling)
  if (onBackend && !isBackendPolicy(spelling)) {
    return to.fail(
      [...path, spelling],
      `\`${spelling}\` has no effect on a backend`,
      "Attach it to a gateway or a route.",
    )
  }
  if (onBackend && typeof value === "object" && value !== null && "conditional" in value) {
    return to.fail([...path, spelling], `conditional \`${spelling}\` policies cannot be attached to a backend`)
  }
  if (onBackend || trafficKind === undefined) {
    if (one.phase === "gateway") {
      return to.fail([...path, spelling], `\`${spelling}\` has no effect in the gateway phase`, "Leave `phase` out.")
    }
    const [policy] = onBackend
      ? backendPolicies(one.policy as BackendPolicies, path, to)
      : backendPoliciesOfRoute(one.policy, path, to)
    return policy === undefined || backendKind === undefined ? undefined : { _tag: "Backend", policy }
  }
  const phase = one.phase ?? "route"
  const [policy] = trafficPolicies(one.policy, path, to, `policy/${key}`)
  if (!placement[trafficKind].phases.includes(phase)) {
    return to.fail([...path, spelling], `\`${spelling}\` has no effect in the ${phase} phase`)
  }
  return policy === undefined ? undefined : { _tag: "Traffic", phase, policy }
}
