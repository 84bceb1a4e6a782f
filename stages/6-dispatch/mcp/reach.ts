/** From an MCP backend at its place to what an attempt at it does. */
import type * as Effect from "effect/Effect"
import type { McpTarget } from "../../../ir/backend/Mcp.ts"
import { oauthOfTarget } from "../../../ir/backend/mcpTargets.ts"
import type { BackendPolicies } from "../../../ir/effective.ts"
import { defaults } from "../../../ir/defaults.ts"
import type { CalleePolicy } from "../../../ir/policy/Callee.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Reply } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Hop } from "../Hop.ts"
import type { Where } from "../resolve.ts"
import type { Try } from "../Target.ts"
import * as Access from "./federation/Access.ts"
import { within } from "./federation/bundles.ts"
import { compile as compileGuard } from "./guardrails/Guard.ts"
import { Federation } from "./federation/Federation.ts"
import { limits } from "./limits.ts"
import { rebindingOf } from "./down/rebinding.ts"
import type { McpEndpoint } from "./McpEndpoint.ts"
import type { McpState } from "./McpState.ts"
import type { Connectable } from "./oauth/finish.ts"
import { Pages } from "./oauth/Pages.ts"
import { serve } from "./serve.ts"

/** Policies of how a server is called: they hold for each target, unless it has its own. */
const inheritedKinds = [
  "RequestHeaderModifier",
  "Transformations",
  "BackendTls",
  "BackendAuth",
  "BackendHttp",
  "BackendTcp",
  "BackendTunnel",
] as const satisfies ReadonlyArray<CalleePolicy["_tag"]>

const inherited = (policies: BackendPolicies): ReadonlyArray<CalleePolicy> =>
  inheritedKinds.flatMap((kind) => {
    const policy = policies[kind]
    return policy === undefined ? [] : [policy]
  })

/** What is left to be done with the client's own request. */
export const ownPolicies = (policies: BackendPolicies): BackendPolicies => {
  const own: { -readonly [K in keyof BackendPolicies]: BackendPolicies[K] } = { ...policies }
  for (const kind of inheritedKinds) delete own[kind]
  delete own.McpAuthorization
  delete own.McpGuardrails
  return own
}

const withPolicies = (target: McpTarget, more: ReadonlyArray<CalleePolicy>): McpTarget => {
  if (more.length === 0 || target._tag === "Stdio") return target
  const { callee } = target
  const own = new Set(callee.policies.map(({ _tag }) => _tag))
  // What people grant for one server takes the place of what is shown to all.
  if (oauthOfTarget(target) !== undefined) own.add("BackendAuth")
  const added = more.filter(({ _tag }) => !own.has(_tag))
  return added.length === 0 ? target : { ...target, callee: { ...callee, policies: [...callee.policies, ...added] } }
}

const pagesOf = ({ runtime }: McpState, targets: ReadonlyArray<McpTarget>): Pages | undefined => {
  const connectable = targets.flatMap((target): ReadonlyArray<Connectable> => {
    const oauth = oauthOfTarget(target)
    return oauth?.grant === "user" ? [{ name: target.name, oauth }] : []
  })
  const [first] = connectable
  return first === undefined || runtime.connections === undefined
    ? undefined
    : new Pages(connectable, first.oauth.connections, runtime.connections, runtime)
}

export const reachMcp = (
  state: McpState,
  ports: PolicyPorts,
  policies: BackendPolicies,
  { backend, targets }: Extract<Where, { readonly _tag: "Mcp" }>,
  hop: Hop,
): ((attempt: Try) => Effect.Effect<Reply, Refusal>) => {
  const more = inherited(policies)
  const members = targets.map((target) => state.member(backend.key, target, withPolicies(target, more)))
  const asking = targets.map(({ deadlines }) => deadlines.askMillis).filter((one) => one !== undefined)
  const endpoint: McpEndpoint = {
    key: backend.key,
    hop,
    federation: new Federation({
      members,
      prefixMode: backend.prefixMode,
      pagination: backend.pagination ?? "whole",
      pageSize: backend.pageSize,
      failureMode: backend.failureMode,
      access: Access.withinKey(within(Access.compile(policies.McpAuthorization, ports), backend.bundles, ports)),
      guard: compileGuard(policies.McpGuardrails, ports),
      runtime: state.runtime,
    }),
    state,
    isStateful: backend.stateful,
    rebinding: rebindingOf(backend),
    pages: pagesOf(state, targets),
    parkedMillis: asking.length === 0 ? defaults.mcpAskTimeoutMillis : Math.max(...asking),
    askMillis: asking.length === 0 ? limits.askMillis : Math.max(...asking),
    sessionIdleMillis: state.sessionIdleMillis,
  }
  return (attempt) => serve(endpoint, attempt)
}
