/** Policies that stand apart from what they act on. */
import type { Attachment } from "../Attachment.ts"
import * as AttachmentIndex from "../attachments.ts"
import { destinationsOf, futileAt, futileOnRaw, kindOf } from "../futile.ts"
import type { Issue } from "../Issue.ts"
import { type Place, placement, places } from "../placement.ts"
import { portOf } from "../portOf.ts"
import type { Route } from "../Route.ts"
import type { Snapshot } from "../Snapshot.ts"
import type { Target } from "../Target.ts"
import { trafficKind } from "../trafficKind.ts"
import { backendValues } from "./backendPolicies.ts"
import { calls } from "./backendRefs.ts"
import { type At, dangling, type Found, issue, noEffect } from "./Found.ts"
import { idle, trafficValues } from "./trafficPolicies.ts"

export function* attachments(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
  if (part.attachments.size === 0) return
  const existing = targets(snapshot)
  for (const attachment of part.attachments.values()) {
    const at = (found: Found) => issue("attachments", attachment.key, found)
    const { policy, target } = attachment
    if (target._tag === "Gateway" && target.listener !== undefined && target.port !== undefined) {
      yield at({
        code: "value",
        path: ["target"],
        message: "a target is one listener or one port, not both",
        remedy: "remove the port or the listener",
      })
    } else if (!existing.has(AttachmentIndex.targetKey(whole(target)))) {
      const found = dangling(["target"], `${placeOf(target)} for ${attachment.key} to act on`)
      // Settings of the whole gateway may well be there before its first listener.
      const early = snapshot.listeners.size === 0 && policy._tag === "Frontend"
      yield at(early ? { ...found, severity: "warning" } : found)
    }
    yield* standing(attachment, at)
    yield* reached(snapshot, attachment, at)
    yield* calls(snapshot, policy.policy, ["policy", "policy"], at)
    if (policy._tag === "Traffic") yield* trafficValues(policy.policy, ["policy", "policy"], at)
    if (policy._tag === "Backend") yield* backendValues(policy.policy, ["policy", "policy"], at)
  }
}

/** A policy where nothing ever asks for it would be ignored in silence. */
function* standing({ policy, target }: Attachment, at: At): Iterable<Issue> {
  const place = placeOf(target)
  const noEffect = (message: string, remedy: string): Issue =>
    at({ code: "noEffect", path: ["target"], message, remedy })
  const misplaced = (spelling: string, allowed: ReadonlyArray<Place>): ReadonlyArray<Issue> =>
    allowed.includes(place)
      ? []
      : [noEffect(`${spelling} has no effect on a ${place}`, `attach it to one of: ${allowed.join(", ")}`)]
  switch (policy._tag) {
    case "Frontend": {
      const { frontend, spelling } = placement[policy.policy._tag]
      yield* misplaced(spelling, places[frontend ?? "connection"])
      return
    }
    case "Traffic": {
      const { phases, spelling } = placement[trafficKind(policy.policy)]
      if (!phases.includes(policy.phase)) {
        yield noEffect(`${spelling} has no effect in the ${policy.phase} phase`, `use phase ${phases.join(" or ")}`)
        return
      }
      yield* misplaced(
        policy.phase === "gateway" ? `${spelling} in the gateway phase` : spelling,
        policy.phase === "gateway" ? places.gatewayPhase : places.routePhase,
      )
      return
    }
    case "Backend": {
      const { spelling } = placement[policy.policy._tag]
      yield* misplaced(spelling, places.backend)
      const wholeOnly = policy.policy._tag === "McpAuthorization" || policy.policy._tag === "McpGuardrails"
      if (wholeOnly && target._tag === "Backend" && target.section !== undefined) {
        yield noEffect(`${spelling} judges a whole MCP backend, not a part of it`, "remove the section")
      }
    }
  }
}

const placeOf = (target: Target): Place => {
  switch (target._tag) {
    case "Gateway":
      if (target.listener !== undefined) return "listener"
      return target.port === undefined ? "gateway" : "port"
    case "ListenerSet":
      return "listenerSet"
    case "Service":
      return "service"
    case "Route":
      return "route"
    case "Backend":
      return "backend"
  }
}

/** What is attached to one route or one backend may be of no use to that very one. */
function* reached(snapshot: Snapshot, { policy, target }: Attachment, at: At): Iterable<Issue> {
  if (target._tag === "Backend") {
    const destination = kindOf(snapshot.backends.get(target.backend))
    const futile = policy._tag === "Backend" ? futileAt(policy.policy, destination) : undefined
    if (futile !== undefined) yield at(noEffect(futile, ["policy", "policy"]))
    return
  }
  if (target._tag !== "Route" || policy._tag === "Frontend") return
  const isMeant = ({ name }: Pick<Route, "name">): boolean =>
    (target.ruleName === undefined || target.ruleName === name.ruleName) &&
    (target.kind === undefined || target.kind === name.kind)
  const routes = (named(snapshot.routes).get(fullName(target)) ?? []).filter(isMeant)
  if (routes.length === 0) {
    const isRaw = (named(snapshot.tcpRoutes).get(fullName(target)) ?? []).some(isMeant)
    const futile = policy._tag === "Backend" ? futileOnRaw(policy.policy) : undefined
    if (isRaw && policy._tag === "Traffic") {
      yield at(
        noEffect(
          {
            message: `${placement[trafficKind(policy.policy)].spelling} has no effect on raw connections`,
            remedy: "attach it to an HTTP route; connections are judged by networkAuthorization",
          },
          ["target"],
        ),
      )
    } else if (isRaw && futile !== undefined) yield at(noEffect(futile, ["target"]))
    return
  }
  const destinations = routes.flatMap((route) => destinationsOf(snapshot, route))
  if (policy._tag === "Traffic") yield* idle(policy.policy, destinations, ["policy", "policy"], at)
  else {
    const all = destinations.map((destination) => futileAt(policy.policy, destination))
    const [first] = all
    if (first !== undefined && all.every((futile) => futile !== undefined)) {
      yield at(noEffect(first, ["policy", "policy"]))
    }
  }
}

const fullName = ({ name, namespace }: { readonly name: string; readonly namespace: string }): string =>
  `${namespace}/${name}`

type NamedRoute = Pick<Route, "name">

/** Routes by their names, found once however many attachments ask. */
const named = <R extends NamedRoute>(routes: ReadonlyMap<string, R>): ReadonlyMap<string, ReadonlyArray<R>> => {
  const known = namedIn.get(routes) as Map<string, Array<R>> | undefined
  if (known !== undefined) return known
  const found = new Map<string, Array<R>>()
  for (const route of routes.values()) {
    const all = found.get(fullName(route.name))
    if (all === undefined) found.set(fullName(route.name), [route])
    else all.push(route)
  }
  namedIn.set(routes, found)
  return found
}

const namedIn = new WeakMap<object, ReadonlyMap<string, ReadonlyArray<NamedRoute>>>()

/** Every target that something in the snapshot answers to. */
const targets = (snapshot: Snapshot): { readonly has: (target: string) => boolean } => {
  const existing = new Set<string>()
  const add = (targets: ReadonlyArray<string>) => targets.forEach((target) => existing.add(target))
  for (const listener of snapshot.listeners.values()) {
    add(AttachmentIndex.listenerTargets(listener, portOf(snapshot.binds.get(listener.bind))))
  }
  for (const table of [snapshot.routes, snapshot.tcpRoutes]) {
    for (const route of table.values()) AttachmentIndex.routeTargets(route.name).forEach(add)
  }
  for (const service of snapshot.services.values()) {
    add(AttachmentIndex.serviceTargets(service.key, 0).slice(0, 1))
    for (const port of Object.keys(service.ports)) add(AttachmentIndex.serviceTargets(service.key, Number(port)))
  }
  for (const backend of snapshot.backends.values()) add(AttachmentIndex.backendTargets(backend.key, undefined))
  return existing
}

/** Only the backend itself knows its sections. */
const whole = (target: Target): Target =>
  target._tag === "Backend" ? { _tag: "Backend", backend: target.backend } : target
