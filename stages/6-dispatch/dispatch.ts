/** From a routed exchange to a reply: which backend, how often, and for how long. */
import * as Effect from "effect/Effect"
import { type PlacedRoute, same as samePolicies, type TrafficPolicies } from "../../ir/effective.ts"
import type { WeightedBackend } from "../../ir/Route.ts"
import type { Routed, Service, Subject } from "../Exchange.ts"
import { hideSessions } from "../5-policy/oidc.ts"
import type { Step } from "../5-policy/Step.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import type { Refusal } from "../Refusal.ts"
import type { Setting } from "../Setting.ts"
import { chooser } from "./choose.ts"
import { makeTarget } from "./makeTarget.ts"
import { lastHop } from "./lastHop.ts"
import { copier } from "./mirror.ts"
import type { DispatchPorts } from "./ports.ts"
import { resolve, resolveMirror, type Resolved, type ResolvedMirror, same, sameMirrors } from "./resolve.ts"
import { attempts } from "./retry.ts"
import type { Target } from "./Target.ts"

export type { DispatchPorts } from "./ports.ts"

/** All that the dispatch of a route depends on. */
export interface Destinations {
  readonly policies: TrafficPolicies
  readonly backends: ReadonlyArray<{ readonly weight: number; readonly backend: Resolved }>
  readonly mirrors: ReadonlyArray<ResolvedMirror>
}

export const destinations = (
  setting: Setting,
  routes: ReadonlyArray<PlacedRoute>,
  policies: TrafficPolicies,
  backends: ReadonlyArray<WeightedBackend>,
): Destinations => ({
  policies,
  backends: backends.map(({ backend, policies, weight }) => ({
    weight,
    backend: resolve(setting, routes, backend, policies),
  })),
  mirrors: (policies.RequestMirror?.mirrors ?? []).map(({ backend, fraction }) => ({
    fraction,
    backend: resolveMirror(setting, routes, backend),
  })),
})

export const sameDestinations = (a: Destinations, b: Destinations): boolean =>
  samePolicies(a.policies, b.policies) &&
  a.backends.length === b.backends.length &&
  a.backends.every(({ backend, weight }, i) => {
    const other = b.backends[i] as Destinations["backends"][number]
    return weight === other.weight && same(backend, other.backend)
  }) &&
  sameMirrors(a.mirrors, b.mirrors)

/** Refuses, before anybody is asked who they are, what every backend behind it would refuse whoever asks. */
export const entrance = ({ protocols }: DispatchPorts, { backends }: Destinations): Step<Subject> | undefined => {
  const endpoints: Array<Extract<Resolved["where"], { readonly _tag: "Mcp" }>["backend"]> = []
  for (const { backend } of backends) {
    const { policies, where } = backend
    if (where._tag !== "Mcp" || policies.A2a?.publish !== undefined) return undefined
    endpoints.push(where.backend)
  }
  return endpoints.length === 0 ? undefined : protocols?.mcp?.entrance(endpoints)
}

const refusing = (refusal: Refusal): Service<Routed> => {
  const failed = Effect.fail(refusal)
  return () => failed
}

/** Sends routed exchanges to the backends of a route. */
export const dispatch = (ports: DispatchPorts, policyPorts: PolicyPorts, where: Destinations): Service<Routed> => {
  const { backends, mirrors, policies } = where
  if (policies.Ai !== undefined && backends.some(({ backend }) => backend.where._tag !== "Llm")) {
    return refusing({ _tag: "FilterFailed", detail: "Ai cannot be applied to this route" })
  }
  const make = (backend: Resolved): Target => makeTarget(ports, policyPorts, backend, policies)
  const choose = chooser(
    backends.map(({ backend, weight }) => ({ weight, value: make(backend) })),
    ports.clock.random,
  )
  if (choose === undefined) return refusing({ _tag: "NoValidBackends" })
  const attempt = attempts(policies.Retry, policyPorts)
  const copy = mirrors.length === 0 ? undefined : copier(ports, mirrors, make)
  return (exchange) => {
    const last = lastHop(exchange.request)
    if (last !== undefined) return last
    const target = choose()
    exchange.trail.backend = target.name
    exchange.trail.backendType = target.type
    exchange.inquiry?.note({ stage: "dispatch", decision: target.name })
    hideSessions(exchange.request)
    if (copy !== undefined) exchange.request.body = copy(exchange, exchange.request)
    return attempt(target, exchange)
  }
}
