/** Where a route is asked, where it leads, and the policies written on it. */
import * as AttachmentIndex from "../attachments.ts"
import { routePolicies } from "../effective.ts"
import { destinationsOf } from "../futile.ts"
import type { Issue } from "../Issue.ts"
import { isHttp } from "../listenerProtocol.ts"
import { placement } from "../placement.ts"
import type { TrafficPolicy } from "../Policy.ts"
import { portOf } from "../portOf.ts"
import type { Path } from "../references.ts"
import type { Route } from "../Route.ts"
import type { Snapshot } from "../Snapshot.ts"
import { trafficKind } from "../trafficKind.ts"
import { backendPolicies } from "./backendPolicies.ts"
import { backendRefs, calls } from "./backendRefs.ts"
import { type At, dangling, type Found, issue } from "./Found.ts"
import { idle, trafficValues } from "./trafficPolicies.ts"

export function* routes(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
  for (const route of part.routes.values()) {
    const at = (found: Found) => issue("routes", route.key, found)
    yield* parent(snapshot, route, at)
    if (route.matches.length === 0) {
      yield at({
        code: "unreachable",
        path: ["matches"],
        message: "a route without matches never takes a request",
        remedy: "leave matches out to match everything, or remove the route",
      })
    }
    for (const [i, { backend, policies }] of route.backends.entries()) {
      yield* backendPolicies(snapshot, backend, policies, ["backends", i, "policies"], at)
    }
    yield* backendRefs(snapshot, route.backends, at)
    yield* inlinePolicies(snapshot, route, at)
    yield* answers(snapshot, route, at)
  }
}

function* parent(snapshot: Snapshot, { parent }: Route, at: At): Iterable<Issue> {
  switch (parent._tag) {
    case "Listener": {
      const listener = snapshot.listeners.get(parent.listener)
      if (listener === undefined) yield at(dangling(["parent", "listener"], `listener ${parent.listener}`))
      else if (!isHttp(listener) && listener.protocol !== "HBONE") {
        yield at({
          code: "protocol",
          path: ["parent", "listener"],
          message: `listener ${listener.key} is for ${listener.protocol} and never asks HTTP routes`,
          remedy: "use a TCP route, or a listener for HTTP or HTTPS",
        })
      }
      return
    }
    case "Group":
      if (!snapshot.routeGroups.has(parent.group)) {
        yield at(dangling(["parent", "group"], `route group ${parent.group}`))
      }
      return
    case "Service": {
      const service = snapshot.services.get(parent.service)
      if (service === undefined) yield at(dangling(["parent", "service"], `service ${parent.service}`))
      else if (parent.port !== 0 && service.ports[String(parent.port)] === undefined) {
        yield at(dangling(["parent", "port"], `port ${parent.port} of service ${parent.service}`))
      }
    }
  }
}

function* inlinePolicies(snapshot: Snapshot, route: Route, at: At): Iterable<Issue> {
  const seen = new Map<string, number>()
  for (const [i, policy] of route.policies.entries()) {
    const path = ["policies", i]
    const kind = trafficKind(policy)
    const first = seen.get(kind)
    if (first === undefined) seen.set(kind, i)
    else if (!everyOneCounts.has(kind)) {
      yield at({
        code: "noEffect",
        path,
        message: `policy ${first} of the route already sets ${placement[kind].spelling}`,
        remedy: "keep one of them",
      })
    }
    yield* trafficValues(policy, path, at)
    yield* calls(snapshot, policy, path, at)
    yield* prefixes(policy, route, path, at)
    yield* idle(policy, destinationsOf(snapshot, route), path, at)
  }
}

/** Kinds of which several on one route all hold. */
const everyOneCounts: ReadonlySet<string> = new Set([
  "Authorization",
  "ConcurrencyLimit",
  "BodyLimit",
  "IpAccessControl",
])

/** A prefix can only be replaced where one was matched. */
function* prefixes(policy: TrafficPolicy, route: Route, path: Path, at: At): Iterable<Issue> {
  if (policy._tag === "Conditional") {
    for (const [i, entry] of policy.entries.entries()) {
      yield* prefixes(entry.policy, route, [...path, "entries", i, "policy"], at)
    }
    return
  }
  if (policy._tag !== "UrlRewrite" && policy._tag !== "RequestRedirect") return
  if (policy.path?._tag !== "Prefix" || route.matches.length === 0) return
  const byPrefix = route.matches.filter((match) => match.path._tag === "Prefix").length
  if (byPrefix === route.matches.length) return
  yield at({
    severity: byPrefix === 0 ? "error" : "warning",
    code: "value",
    path: [...path, "path"],
    message: "requests that were not matched by a prefix have none to replace",
    remedy: "replace the full path, or match by prefix",
  })
}

function* answers(snapshot: Snapshot, route: Route, at: At): Iterable<Issue> {
  if (route.backends.some(({ weight }) => weight > 0)) return
  if (route.policies.some((policy) => isAnswer(trafficKind(policy)))) return
  const { parent } = route
  const listener = parent._tag === "Listener" ? snapshot.listeners.get(parent.listener) : undefined
  if (listener !== undefined) {
    const port = portOf(snapshot.binds.get(listener.bind))
    const inForce = routePolicies(indexOf(snapshot.attachments), { listener, port, routes: [route] })
    if (Object.keys(inForce).some(isAnswer)) return
  }
  yield at({
    severity: "warning",
    code: "noBackend",
    path: ["backends"],
    message: "every request of this route is refused: no backend can be chosen and no policy answers",
    remedy: "add a backend with a weight above 0, a redirect or a direct response",
  })
}

const isAnswer = (kind: string): boolean => kind === "DirectResponse" || kind === "RequestRedirect"

/** Built when the first route asks. */
const indexOf = (attachments: Snapshot["attachments"]): AttachmentIndex.Attachments => {
  const known = indexes.get(attachments)
  if (known !== undefined) return known
  const index = AttachmentIndex.make(attachments.values())
  indexes.set(attachments, index)
  return index
}

const indexes = new WeakMap<Snapshot["attachments"], AttachmentIndex.Attachments>()
