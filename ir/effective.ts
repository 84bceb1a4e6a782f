/**
 * Which policies are in force at a place.
 *
 * Sources are always visited from the least to the most specific:
 *
 *   gateway phase   gateway · port · listener set · its section · listener
 *   route phase     gateway · port · listener set · its section · listener · service · its port
 *                   · for every route of the delegation chain, outermost first: route · rule · inline
 *   backend         gateway · port · listener set · its section · listener
 *                   · backend or service · its section or port
 *                   · for every route of the chain, outermost first: route · rule
 *                   · inline on the backend · inline on the reference to it
 *   connection      gateway · port
 *   request         gateway · port · listener set · its section · listener · service · its port
 *
 * and a kind is settled by its rule:
 *
 *   replace      the most specific source wins, whole policy by whole policy
 *   accumulate   every source counts
 *   first        the least specific source wins
 *   merge        field by field, the more specific source wins each
 *
 * A policy attached as `override` is locked: later sources can neither replace it nor add to it (for `merge`: cannot
 * replace its fields). Within one source the first wins: overrides before defaults, then the smallest key; inline, the
 * order in which they are written.
 */
import { attachedTo, attachedToAny, backendTargets, gatewayTargets } from "./attachments.ts"
import type { Attached, Attachments, Item } from "./attachments.ts"
import { listenerTargets, routeTargets, serviceTargets } from "./attachments.ts"
import type { Backend } from "./Backend.ts"
import type { ServiceKey } from "./Key.ts"
import type { Listener } from "./Listener.ts"
import type {
  BackendKind,
  BackendPolicy,
  ConditionalKind,
  Entry,
  FrontendKind,
  FrontendPolicy,
  TrafficKind,
  TrafficPolicy,
} from "./Policy.ts"
import { trafficKind } from "./trafficKind.ts"
import type { Ai } from "./policy/Ai.ts"
import type { RouteName } from "./Route.ts"

type Rule = "replace" | "accumulate" | "first" | "merge"

/** Kinds that are not simply replaced. */
const trafficRules: { readonly [K in TrafficKind]?: Rule } = {
  Authorization: "accumulate",
  ConcurrencyLimit: "accumulate",
  BodyLimit: "accumulate",
  IpAccessControl: "accumulate",
  Buffer: "first",
}
const backendRules: { readonly [K in BackendKind]?: Rule } = {
  Authorization: "accumulate",
  McpAuthorization: "accumulate",
  Ai: "merge",
}
const frontendRules: { readonly [K in FrontendKind]?: Rule } = {
  NetworkAuthorization: "accumulate",
  ConnectionLimit: "accumulate",
}

type Of<P, K> = Extract<P, { readonly _tag: K }>

/** Contents of one kind, chosen among by the request. */
export interface ConditionalOf<K extends ConditionalKind> {
  readonly _tag: "Conditional"
  readonly entries: readonly [EntryOf<K>, ...ReadonlyArray<EntryOf<K>>]
}
export interface EntryOf<K extends ConditionalKind> extends Pick<Entry, "condition"> {
  readonly policy: Of<TrafficPolicy, K>
}

type Accumulated =
  | "Authorization"
  | "McpAuthorization"
  | "NetworkAuthorization"
  | "ConcurrencyLimit"
  | "BodyLimit"
  | "IpAccessControl"
  | "ConnectionLimit"

export type TrafficPolicies = {
  readonly [K in TrafficKind]?: K extends Accumulated
    ? ReadonlyArray<Of<TrafficPolicy, K>>
    : K extends ConditionalKind
      ? Of<TrafficPolicy, K> | ConditionalOf<K>
      : Of<TrafficPolicy, K>
}
export type BackendPolicies = {
  readonly [K in BackendKind]?: K extends Accumulated ? ReadonlyArray<Of<BackendPolicy, K>> : Of<BackendPolicy, K>
}
export type FrontendPolicies = {
  readonly [K in FrontendKind]?: K extends Accumulated ? ReadonlyArray<Of<FrontendPolicy, K>> : Of<FrontendPolicy, K>
}

/** A route of either protocol. */
export interface PlacedRoute {
  readonly name: RouteName
  readonly policies?: ReadonlyArray<TrafficPolicy>
}

export interface ListenerPlace {
  readonly listener: Listener
  /** The port of its bind; absent for an address without one. */
  readonly port?: number | undefined
}

export interface RoutePlace extends ListenerPlace {
  /** The delegation chain, outermost first. */
  readonly routes: ReadonlyArray<PlacedRoute>
  /** What the client meant to reach, where the gateway stands in for a service. */
  readonly service?: ServicePort | undefined
}

export interface ServicePort {
  readonly key: ServiceKey
  readonly port: number
}

export interface BackendPlace {
  /** Absent for calls that no listener is the cause of. */
  readonly listener?: Listener | undefined
  readonly port?: number | undefined
  readonly routes: ReadonlyArray<PlacedRoute>
  readonly backend?: Backend | undefined
  /** The service that is called. */
  readonly service?: ServicePort | undefined
  /** A part of the backend: a provider, an MCP target. */
  readonly section?: string | undefined
  /** Inline on the reference to the backend. */
  readonly refPolicies: ReadonlyArray<BackendPolicy>
}

/** In force for a request before its route is chosen. */
export const gatewayPolicies = (index: Attachments, place: ListenerPlace): TrafficPolicies =>
  fold(
    trafficRules,
    sourcesOf(index, listenerTargets(place.listener, place.port), (attached) => attached.gateway),
  )

/** In force once a route is chosen. */
export const routePolicies = (index: Attachments, place: RoutePlace): TrafficPolicies => {
  const sources = sourcesOf(index, listenerTargets(place.listener, place.port), routePhase)
  if (place.service !== undefined) {
    sources.push(...sourcesOf(index, serviceTargets(place.service.key, place.service.port), routePhase))
  }
  for (const route of place.routes) {
    for (const targets of routeTargets(route.name)) sources.push(attachedToAny(index, targets).route)
    if (route.policies !== undefined && route.policies.length > 0) {
      sources.push(route.policies.map((policy) => ({ kind: trafficKind(policy), policy, locks: false })))
    }
  }
  return fold(trafficRules, sources)
}

/** In force for one attempt at a backend. */
export const backendPolicies = (index: Attachments, place: BackendPlace): BackendPolicies => {
  const of = (attached: Attached) => attached.backend
  const sources = place.listener === undefined ? [] : sourcesOf(index, listenerTargets(place.listener, place.port), of)
  if (place.service !== undefined) {
    sources.push(...sourcesOf(index, serviceTargets(place.service.key, place.service.port), of))
  }
  if (place.backend !== undefined) {
    sources.push(...sourcesOf(index, backendTargets(place.backend.key, place.section), of))
  }
  for (const route of place.routes) {
    for (const targets of routeTargets(route.name)) sources.push(attachedToAny(index, targets).backend)
  }
  sources.push(inline(place.backend?.policies ?? []), inline(place.refPolicies))
  return fold(backendRules, sources)
}

/** In force for a connection, before anything else is known of it. */
export const frontendPolicies = (
  index: Attachments,
  gateway: { readonly name: string; readonly namespace: string },
  port?: number,
): FrontendPolicies => fold(frontendRules, sourcesOf(index, gatewayTargets(gateway, port), frontend))

/** What is recorded about a request. */
export const requestFrontendPolicies = (
  index: Attachments,
  place: ListenerPlace & Pick<RoutePlace, "service">,
): FrontendPolicies => {
  const sources = sourcesOf(index, listenerTargets(place.listener, place.port), frontend)
  if (place.service !== undefined) {
    sources.push(...sourcesOf(index, serviceTargets(place.service.key, place.service.port), frontend))
  }
  return fold(frontendRules, sources)
}

/** Fields of the more specific policy win. */
export const mergeAi = (base: Ai | undefined, over: Ai | undefined): Ai | undefined =>
  base === undefined || over === undefined ? (over ?? base) : { ...base, ...over }

/** Whether two results hold the same policies: what was compiled for one then serves the other. */
export const same = <A extends TrafficPolicies | BackendPolicies | FrontendPolicies>(a: A, b: A): boolean =>
  a === b || shallow(a, b, (x, y) => x === y || shallow(x, y, Object.is))

const routePhase = (attached: Attached) => attached.route
const frontend = (attached: Attached) => attached.frontend

const sourcesOf = <P>(
  index: Attachments,
  targets: ReadonlyArray<string>,
  of: (attached: Attached) => ReadonlyArray<Item<P>>,
): Array<ReadonlyArray<Item<P>>> => targets.map((target) => of(attachedTo(index, target)))

const inline = (policies: ReadonlyArray<BackendPolicy>): ReadonlyArray<Item<BackendPolicy>> =>
  policies.map((policy) => ({ kind: policy._tag, policy, locks: false }))

interface Settled {
  value: unknown
  /** The source that set it, so that within one source the first wins. */
  source: number
  /** The source that locked it. */
  lockedBy: number
}

const nothing: Record<string, never> = Object.freeze({})

const fold = <P, Policies extends object>(
  rules: { readonly [kind: string]: Rule | undefined },
  sources: ReadonlyArray<ReadonlyArray<Item<P>>>,
): Policies => {
  const settled = new Map<string, Settled>()
  for (const [source, items] of sources.entries()) {
    for (const { kind, locks, policy } of items) {
      const rule = rules[kind] ?? "replace"
      const lockedBy = locks ? source : Number.POSITIVE_INFINITY
      const found = settled.get(kind)
      if (found === undefined) {
        settled.set(kind, { value: rule === "accumulate" ? [policy] : policy, source, lockedBy })
        continue
      }
      if (rule === "accumulate") {
        if (source <= found.lockedBy) (found.value as Array<P>).push(policy)
        found.lockedBy = Math.min(found.lockedBy, lockedBy)
      } else if (rule === "replace" && found.source !== source && found.lockedBy > source) {
        settled.set(kind, { value: policy, source, lockedBy })
      }
    }
  }
  for (const [kind, rule] of Object.entries(rules)) {
    const found = settled.get(kind)
    if (rule === "merge" && found !== undefined) found.value = merged(kind, sources)
  }
  return settled.size === 0
    ? (nothing as Policies)
    : (Object.fromEntries([...settled].map(([kind, { value }]) => [kind, value])) as Policies)
}

/** Gives back the very object where only one source has a say, so that it is recognised as unchanged. */
const merged = <P>(kind: string, sources: ReadonlyArray<ReadonlyArray<Item<P>>>): P | undefined => {
  let value: P | undefined
  let locked: Partial<P> | undefined
  for (const items of sources) {
    let lockedHere: Partial<P> | undefined
    for (const item of items.toReversed()) {
      if (item.kind !== kind) continue
      value = value === undefined ? item.policy : { ...value, ...item.policy, ...locked }
      if (item.locks) lockedHere = { ...lockedHere, ...item.policy }
    }
    if (lockedHere !== undefined) locked = { ...lockedHere, ...locked }
  }
  return value
}

const shallow = (a: unknown, b: unknown, equal: (x: unknown, y: unknown) => boolean): boolean => {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b)
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(Reflect.get(a, key), Reflect.get(b, key)))
  )
}
