/**
 * Everything about a snapshot that cannot work, as a list. Each resource is well formed by its schema; here they are
 * looked at together. Nothing is judged that only compiling can tell: expressions, patterns, certificates.
 */
import * as AttachmentIndex from "./attachments.ts"
import { retriesMax } from "./defaults.ts"
import type { Attachment } from "./Attachment.ts"
import type { Backend } from "./Backend.ts"
import type { BackendRef } from "./BackendRef.ts"
import type { Bind } from "./Bind.ts"
import { routePolicies } from "./effective.ts"
import {
  type Destination,
  destinationOf,
  type Futile,
  futileAt,
  futileOnRaw,
  futileOnRoute,
  kindOf,
  notRaw,
} from "./futile.ts"
import type { Issue } from "./Issue.ts"
import type { BackendKey, RouteGroupKey } from "./Key.ts"
import type { Listener } from "./Listener.ts"
import type { Match, ValueMatch } from "./Match.ts"
import { placement, places } from "./placement.ts"
import type { Place } from "./placement.ts"
import type { BackendPolicy, FrontendPolicy, TrafficPolicy } from "./Policy.ts"
import { trafficKind } from "./trafficKind.ts"
import { calleeReferences, references } from "./references.ts"
import type { Path } from "./references.ts"
import { isForProxy } from "./isForProxy.ts"
import type { Route, WeightedBackend } from "./Route.ts"
import type { Snapshot } from "./Snapshot.ts"
import type { Target } from "./Target.ts"
import type { ClientTls, ServerTls } from "./Tls.ts"

export type { Issue } from "./Issue.ts"

/**
 * Issues come in a fixed order: by table, then as the resources stand in it.
 *
 * With a part only its resources are judged, at a cost that follows the part: enough for a change, except that routes
 * which other routes hide, and resources that lost what they refer to, are found by looking at everything.
 */
export const validate = (snapshot: Snapshot, part: Snapshot = snapshot): ReadonlyArray<Issue> => {
  const issues = [
    ...keys(part),
    ...binds(snapshot),
    ...listeners(snapshot),
    ...routes(snapshot, part),
    ...(part === snapshot ? duplicates(snapshot) : []),
    ...tcpRoutes(snapshot, part),
    ...cycles(snapshot, part),
    ...backends(snapshot, part),
    ...attachments(snapshot, part),
  ]
  return part === snapshot
    ? issues
    : issues.filter(({ resource: { key, table } }) => {
        const judged: ReadonlyMap<string, unknown> = part[table]
        return judged.has(key)
      })
}

type AgentsBackend = Extract<Backend, { readonly _tag: "A2a" }>
type McpBackend = Extract<Backend, { readonly _tag: "Mcp" }>

type Found = Pick<Issue, "code" | "path" | "message" | "remedy"> & Partial<Pick<Issue, "severity">>

const noEffect = ({ message, remedy, severity }: Futile, path: Path): Found => ({
  code: "noEffect",
  path,
  message,
  remedy,
  ...(severity === undefined ? {} : { severity }),
})

const issue = (table: keyof Snapshot, key: string, found: Found): Issue => ({
  severity: "error",
  resource: { table, key },
  ...found,
})

function* keys(snapshot: Snapshot): Iterable<Issue> {
  for (const name of Object.keys(snapshot) as ReadonlyArray<keyof Snapshot>) {
    for (const [key, resource] of snapshot[name]) {
      if (resource.key === key) continue
      yield issue(name, key, {
        code: "key",
        path: ["key"],
        message: `the resource calls itself ${resource.key}`,
        remedy: "store it under its own key",
      })
    }
  }
}

// binds and listeners

/** Two of these cannot be open at the same time when they are equal; a port without a host takes every host's. */
const addresses = ({ address }: Bind): { readonly exact: string; readonly any?: string } | undefined => {
  switch (address._tag) {
    case "Unix":
      return { exact: `unix:${address.path}` }
    case "Internal":
      return { exact: `internal:${address.port ?? "*"}` }
    case "Ip":
      if (address.port === 0) return undefined
      return { exact: `${address.host ?? "*"}:${address.port}`, any: `*:${address.port}` }
  }
}

function* binds(snapshot: Snapshot): Iterable<Issue> {
  const taken = new Map<string, Bind>()
  const someHost = new Map<string, Bind>()
  for (const bind of snapshot.binds.values()) {
    const address = addresses(bind)
    if (address === undefined) continue
    const other =
      taken.get(address.exact) ??
      (address.any === undefined
        ? undefined
        : (taken.get(address.any) ?? (address.exact === address.any ? someHost.get(address.any) : undefined)))
    if (other === undefined) {
      taken.set(address.exact, bind)
      if (address.any !== undefined) someHost.set(address.any, bind)
      continue
    }
    yield issue("binds", bind.key, {
      code: "address",
      path: ["address"],
      message: `bind ${other.key} already listens on ${address.exact}`,
      remedy: "use another port, or put the listeners on one bind",
    })
  }
}

export const portOf = (bind: Bind | undefined): number | undefined =>
  bind === undefined || bind.address._tag === "Unix" ? undefined : bind.address.port

const isTls = (listener: Listener): boolean => listener.protocol === "HTTPS" || listener.protocol === "TLS"
const isHttp = (listener: Listener): boolean => listener.protocol === "HTTP" || listener.protocol === "HTTPS"

function* listeners(snapshot: Snapshot): Iterable<Issue> {
  const seen = new Map<string, Listener>()
  const tcp = new Map<string, Listener>()
  for (const listener of snapshot.listeners.values()) {
    const at = (found: Found) => issue("listeners", listener.key, found)
    const bind = snapshot.binds.get(listener.bind)
    if (bind === undefined) {
      yield at(dangling(["bind"], `bind ${listener.bind}`))
      continue
    }
    yield* listenerTls(listener, bind, at)
    yield* listenerProtocol(listener, bind, at)
    if (bind.protocol === "tcp") {
      const other = tcp.get(bind.key)
      if (other === undefined) tcp.set(bind.key, listener)
      else {
        yield at({
          code: "protocol",
          path: ["bind"],
          message: `listener ${other.key} already takes every connection of the TCP bind ${bind.key}`,
          remedy: "give each TCP listener a port of its own",
        })
      }
      continue
    }
    if (listener.protocol === "HBONE") continue
    const place = [bind.key, isTls(listener) ? "tls" : "plain", listener.hostname].join("\0")
    const other = seen.get(place)
    if (other === undefined) seen.set(place, listener)
    else {
      yield at({
        code: "unreachable",
        path: ["hostname"],
        message: `listener ${other.key} already takes ${listener.hostname} on bind ${bind.key}`,
        remedy: "use another host name, or put the routes on one listener",
      })
    }
  }
}

function* listenerTls(listener: Listener, bind: Bind, at: (found: Found) => Issue): Iterable<Issue> {
  if (listener.tls !== undefined) {
    if (!isTls(listener)) {
      yield at({
        code: "tls",
        path: ["tls"],
        message: `a listener for ${listener.protocol} does not use TLS`,
        remedy: "remove tls, or use protocol HTTPS or TLS",
      })
    }
    yield* versions(listener.tls, ["tls"], at)
    if (listener.tls.mintsLeaves && listener.tls.clientCertificates !== undefined) {
      yield at({
        code: "tls",
        path: ["tls", "clientCertificates"],
        message: "client certificates cannot be asked for where leaves are minted",
        remedy: "remove one of the two",
      })
    }
  } else if (listener.protocol === "HTTPS") {
    yield at({
      code: "tls",
      path: ["tls"],
      message: "a listener for HTTPS needs a certificate",
      remedy: "add tls, or use protocol HTTP",
    })
  } else if (listener.protocol === "TLS" && bind.tunnel === "connect") {
    yield at({
      code: "tls",
      path: ["tls"],
      message: "TLS cannot pass through unread on a bind that is itself a tunnel",
      remedy: "terminate TLS here, or use another bind",
    })
  }
}

function* versions(
  tls: Pick<ServerTls | ClientTls, "minVersion" | "maxVersion">,
  path: Path,
  at: (found: Found) => Issue,
): Iterable<Issue> {
  if (tls.minVersion === "TLSv1.3" && tls.maxVersion === "TLSv1.2") {
    yield at({
      code: "tls",
      path: [...path, "minVersion"],
      message: "the lowest TLS version is above the highest",
      remedy: "exchange minVersion and maxVersion",
    })
  }
}

const carried: { readonly [K in Bind["protocol"]]: ReadonlyArray<Listener["protocol"]> } = {
  http: ["HTTP", "HBONE"],
  tls: ["HTTPS", "TLS", "HBONE"],
  tcp: ["TCP", "HBONE"],
  auto: ["HTTP", "HTTPS", "TLS", "HBONE"],
}

function* listenerProtocol(listener: Listener, bind: Bind, at: (found: Found) => Issue): Iterable<Issue> {
  if (carried[bind.protocol].includes(listener.protocol)) return
  yield at({
    code: "protocol",
    path: ["protocol"],
    message: `nothing for ${listener.protocol} can arrive on ${bind.key}, which expects ${bind.protocol}`,
    remedy: `use one of ${carried[bind.protocol].join(", ")}, or another bind`,
  })
}

// routes

const dangling = (path: Path, what: string): Found => ({
  code: "dangling",
  path,
  message: `there is no ${what}`,
  remedy: "correct the name, or add what it names",
})

function* routes(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
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
    for (const [i, { policies }] of route.backends.entries()) {
      yield* refPolicies(snapshot, route.backends[i]?.backend, policies, ["backends", i, "policies"], at)
    }
    yield* refs(snapshot, route.backends, at)
    yield* inlinePolicies(snapshot, route, at)
    yield* answers(snapshot, route, at)
  }
}

function* parent(snapshot: Snapshot, { parent }: Route, at: (found: Found) => Issue): Iterable<Issue> {
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

function* refs(
  snapshot: Snapshot,
  backends: ReadonlyArray<WeightedBackend>,
  at: (found: Found) => Issue,
): Iterable<Issue> {
  for (const [i, { backend }] of backends.entries()) yield* ref(snapshot, backend, ["backends", i, "backend"], at)
}

function* ref(snapshot: Snapshot, ref: BackendRef, path: Path, at: (found: Found) => Issue): Iterable<Issue> {
  switch (ref._tag) {
    case "Backend":
      if (!snapshot.backends.has(ref.backend)) yield at(dangling([...path, "backend"], `backend ${ref.backend}`))
      return
    case "Service": {
      const service = snapshot.services.get(ref.service)
      if (service === undefined) yield at(dangling([...path, "service"], `service ${ref.service}`))
      else if (service.ports[String(ref.port)] === undefined) {
        yield at(dangling([...path, "port"], `port ${ref.port} of service ${ref.service}`))
      }
      return
    }
    case "Group":
      if (!snapshot.routeGroups.has(ref.group)) yield at(dangling([...path, "group"], `route group ${ref.group}`))
      return
    case "Dynamic":
    case "Invalid":
      return
  }
}

/** The backends a policy calls must exist, and must be such that a call can be made to them. */
function* calls(
  snapshot: Snapshot,
  policy: FrontendPolicy | TrafficPolicy | BackendPolicy,
  path: Path,
  at: (found: Found) => Issue,
): Iterable<Issue> {
  for (const found of references(policy, path)) {
    if (found.ref._tag === "Group" || found.ref._tag === "Dynamic") {
      yield at({
        code: "value",
        path: found.path,
        message: "a policy can only call a backend or a service",
        remedy: "name a backend or a service",
      })
    } else {
      yield* ref(snapshot, found.ref, found.path, at)
      if (found.isProxy === true) yield* proxy(snapshot, found.ref, found.path, at)
    }
  }
}

/** Kinds of which several on one route all hold. */
const everyOneCounts: ReadonlySet<string> = new Set([
  "Authorization",
  "ConcurrencyLimit",
  "BodyLimit",
  "IpAccessControl",
])

/** A reference to what is not there is told elsewhere. */
function* proxy(snapshot: Snapshot, ref: BackendRef, path: Path, at: (found: Found) => Issue): Iterable<Issue> {
  const kind = ref._tag === "Backend" ? snapshot.backends.get(ref.backend)?._tag : ref._tag
  if (kind === undefined || kind === "Host" || kind === "Invalid") return
  yield at({
    code: "value",
    path,
    message: `a proxy is one host, not ${kind === "Service" ? "a service" : `a backend of kind ${kind}`}`,
    remedy: "name a host, or a backend with `host`",
  })
}

function* inlinePolicies(snapshot: Snapshot, route: Route, at: (found: Found) => Issue): Iterable<Issue> {
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

const destinationsOf = (snapshot: Snapshot, { backends }: Route): ReadonlyArray<Destination | undefined> =>
  backends.map(({ backend }) => destinationOf(snapshot, backend))

/** What acts on models only, where there are none. */
function* idle(
  policy: TrafficPolicy,
  destinations: ReadonlyArray<Destination | undefined>,
  path: Path,
  at: (found: Found) => Issue,
): Iterable<Issue> {
  if (policy._tag === "Conditional") {
    for (const [i, entry] of policy.entries.entries()) {
      yield* idle(entry.policy, destinations, [...path, "entries", i, "policy"], at)
    }
    return
  }
  const futile = futileOnRoute(policy, destinations)
  if (futile !== undefined) yield at(noEffect(futile, path))
}

/** A prefix can only be replaced where one was matched. */
function* prefixes(policy: TrafficPolicy, route: Route, path: Path, at: (found: Found) => Issue): Iterable<Issue> {
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

function* answers(snapshot: Snapshot, route: Route, at: (found: Found) => Issue): Iterable<Issue> {
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

/** Built when the first route asks. */
const indexOf = (attachments: Snapshot["attachments"]): AttachmentIndex.Attachments => {
  const known = indexes.get(attachments)
  if (known !== undefined) return known
  const index = AttachmentIndex.make(attachments.values())
  indexes.set(attachments, index)
  return index
}

const indexes = new WeakMap<Snapshot["attachments"], AttachmentIndex.Attachments>()

const isAnswer = (kind: string): boolean => kind === "DirectResponse" || kind === "RequestRedirect"

/** Equal texts mean equal matches, whatever the order of their conditions. */
const canonical = ({ headers, method, path, query }: Match): string => {
  const values = (list: ReadonlyArray<{ readonly name: string; readonly value: ValueMatch }>) =>
    list.map(({ name, value }) => JSON.stringify([name, ...Object.values(value)])).toSorted()
  const where = path._tag === "Prefix" ? ["Prefix", path.path.replace(/\/+$/, "")] : Object.values(path)
  return JSON.stringify([where, method ?? null, values(headers), values(query)])
}

/** Where a route competes: for each of its matches, one text for every host name. */
const competes = (route: Route): ReadonlyArray<ReadonlyArray<string>> => {
  const known = competesIn.get(route)
  if (known !== undefined) return known
  const under = JSON.stringify(route.parent)
  const hostnames = route.hostnames.length === 0 ? [""] : route.hostnames
  const places = route.matches.map((match) => {
    const what = canonical(match)
    return hostnames.map((hostname) => [under, hostname, what].join("\0"))
  })
  competesIn.set(route, places)
  return places
}

/** Routes outlive snapshots: one that did not change is not looked at again. */
const competesIn = new WeakMap<Route, ReadonlyArray<ReadonlyArray<string>>>()

/** Of two equal matches under one parent the route with the smaller key wins, always. */
function* duplicates(snapshot: Snapshot): Iterable<Issue> {
  const owners = new Map<string, Route>()
  for (const route of snapshot.routes.values()) {
    for (const places of competes(route)) {
      for (const place of places) {
        const owner = owners.get(place)
        if (owner === undefined || route.key < owner.key) owners.set(place, route)
      }
    }
  }
  for (const route of snapshot.routes.values()) {
    const lost = competes(route).map((places) => {
      const winners = places.map((place) => owners.get(place))
      return winners.every((winner) => winner !== route) ? winners[0] : undefined
    })
    const dead = lost.length > 0 && lost.every((winner) => winner !== undefined)
    for (const [i, winner] of lost.entries()) {
      if (winner === undefined) continue
      yield issue("routes", route.key, {
        severity: dead ? "error" : "warning",
        code: "unreachable",
        path: ["matches", i],
        message: `route ${winner.key} has the same match and is asked first`,
        remedy: "make the match more specific, or remove one of the two",
      })
      if (dead) break
    }
  }
}

function* tcpRoutes(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
  for (const route of part.tcpRoutes.values()) {
    const at = (found: Found) => issue("tcpRoutes", route.key, found)
    const listener = snapshot.listeners.get(route.listener)
    if (listener === undefined) yield at(dangling(["listener"], `listener ${route.listener}`))
    else if (isHttp(listener)) {
      yield at({
        code: "protocol",
        path: ["listener"],
        message: `listener ${listener.key} is for ${listener.protocol} and never asks TCP routes`,
        remedy: "use an HTTP route, or a listener for TCP or TLS",
      })
    } else if (listener.protocol === "TCP" && route.hostnames.length > 0) {
      yield at({
        code: "unreachable",
        path: ["hostnames"],
        message: "plain TCP carries no server name to compare",
        remedy: "remove the host names, or use a listener for TLS",
      })
    }
    for (const [i, { backend, policies }] of route.backends.entries()) {
      if (backend._tag === "Group") {
        yield at({
          code: "protocol",
          path: ["backends", i, "backend"],
          message: "a raw connection cannot be delegated to a group of HTTP routes",
          remedy: "name a backend or a service",
        })
      }
      yield* refPolicies(snapshot, backend, policies, ["backends", i, "policies"], at)
      yield* raw(snapshot, backend, policies, ["backends", i], at)
    }
    yield* refs(snapshot, route.backends, at)
    if (!route.backends.some(({ weight }) => weight > 0)) {
      yield at({
        severity: "warning",
        code: "noBackend",
        path: ["backends"],
        message: "every connection of this route is closed: no backend can be chosen",
        remedy: "add a backend with a weight above 0",
      })
    }
  }
}

/** What would be ignored on a raw connection must not look as if it held. */
function* raw(
  snapshot: Snapshot,
  ref: BackendRef,
  policies: ReadonlyArray<BackendPolicy>,
  path: Path,
  at: (found: Found) => Issue,
): Iterable<Issue> {
  const backend = ref._tag === "Backend" ? snapshot.backends.get(ref.backend) : undefined
  const kind = notRaw(destinationOf(snapshot, ref))
  if (kind !== undefined) yield at({ ...kind, code: "protocol", path: [...path, "backend"] })
  for (const [i, policy] of policies.entries()) {
    const futile = futileOnRaw(policy)
    if (futile !== undefined) yield at(noEffect(futile, [...path, "policies", i]))
  }
  if (kind !== undefined || backend === undefined) return
  for (const policy of backend.policies) {
    const futile = futileOnRaw(policy)
    if (futile !== undefined) {
      yield at(noEffect({ ...futile, message: `of backend ${backend.key}: ${futile.message}` }, [...path, "backend"]))
    }
  }
}

/** A group that can be reached from itself. */
/** From a group to a group. */
const leadsOn = ({ backends, parent }: Route): boolean =>
  parent._tag === "Group" && backends.some(({ backend }) => backend._tag === "Group")

function* cycles(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
  // A circle that a change closes goes through what it brings.
  if (![...part.routes.values()].some(leadsOn)) return
  const next = new Map<RouteGroupKey, Array<{ readonly route: Route; readonly backend: number; to: RouteGroupKey }>>()
  for (const route of snapshot.routes.values()) {
    if (route.parent._tag !== "Group") continue
    for (const [backend, { backend: ref }] of route.backends.entries()) {
      if (ref._tag !== "Group") continue
      const edges = next.get(route.parent.group) ?? []
      edges.push({ route, backend, to: ref.group })
      next.set(route.parent.group, edges)
    }
  }
  const done = new Set<RouteGroupKey>()
  for (const start of next.keys()) {
    if (done.has(start)) continue
    // Iterative, so that a long chain of groups cannot exhaust the stack.
    const stack = [{ group: start, edge: 0 }]
    const onStack = new Set([start])
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const edge = next.get(top.group)?.[top.edge++]
      if (edge === undefined) {
        done.add(top.group)
        onStack.delete(top.group)
        stack.pop()
      } else if (onStack.has(edge.to)) {
        yield issue("routes", edge.route.key, {
          code: "cycle",
          path: ["backends", edge.backend, "backend", "group"],
          message: `route group ${edge.to} leads back to itself`,
          remedy: "delegate to another group, or to a backend",
        })
      } else if (!done.has(edge.to)) {
        stack.push({ group: edge.to, edge: 0 })
        onStack.add(edge.to)
      }
    }
  }
}

// policies

function* backends(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
  for (const backend of part.backends.values()) {
    const at = (found: Found) => issue("backends", backend.key, found)
    yield* refPolicies(snapshot, undefined, backend.policies, ["policies"], at, kindOf(backend))
    if (backend._tag === "Mcp") yield* mcp(snapshot, backend, at)
    if (backend._tag === "A2a") yield* agents(snapshot, backend, at)
  }
}

function* agents(snapshot: Snapshot, backend: AgentsBackend, at: (found: Found) => Issue): Iterable<Issue> {
  const names = new Set<string>()
  for (const [i, agent] of backend.agents.entries()) {
    const path = ["agents", i]
    if (names.has(agent.name)) {
      yield at({
        code: "unreachable",
        path: [...path, "name"],
        message: `another agent is called ${agent.name}`,
        remedy: "give every agent a name of its own",
      })
    }
    names.add(agent.name)
    yield* ref(snapshot, agent.backend, [...path, "backend"], at)
    yield* refPolicies(snapshot, agent.backend, agent.policies, [...path, "policies"], at)
    const kind = agent.backend._tag === "Backend" ? snapshot.backends.get(agent.backend.backend)?._tag : undefined
    if (agent.backend._tag === "Service" || kind === undefined || kind === "Host" || kind === "AgentCore") continue
    const isPublished = agent.policies.some((policy) => policy._tag === "A2a" && policy.publish !== undefined)
    if (isPublished && (kind === "Llm" || kind === "Models" || kind === "Mcp")) continue
    yield at({
      code: "value",
      path: [...path, "backend"],
      message: `an agent must be at a host or a service, not at a backend of kind ${kind}`,
      remedy: "name a backend with `host`, or a service, or say what is published with `policies.a2a.publish`",
    })
  }
}

function* mcp(snapshot: Snapshot, backend: McpBackend, at: (found: Found) => Issue): Iterable<Issue> {
  const names = new Set<string>()
  for (const [i, target] of backend.targets.entries()) {
    const path = ["targets", i]
    if (names.has(target.name)) {
      yield at({
        code: "unreachable",
        path: [...path, "name"],
        message: `another target is called ${target.name}`,
        remedy: "give every target a name of its own",
      })
    }
    names.add(target.name)
    if (target._tag === "Stdio") continue
    for (const found of calleeReferences(target.callee, [...path, "callee"])) {
      if (found.ref._tag === "Backend" || found.ref._tag === "Service") {
        yield* ref(snapshot, found.ref, found.path, at)
        if (found.ref._tag === "Backend") {
          yield* reachable(snapshot, target._tag === "A2a", found.ref.backend, found.path, at)
        }
      } else {
        yield at({
          code: "value",
          path: found.path,
          message: "an MCP target is a backend or a service",
          remedy: "name a backend or a service",
        })
      }
    }
  }
}

function* reachable(
  snapshot: Snapshot,
  isAgent: boolean,
  key: BackendKey,
  path: Path,
  at: (found: Found) => Issue,
): Iterable<Issue> {
  const kind = snapshot.backends.get(key)?._tag
  if (kind === undefined || kind === "Host" || (isAgent && kind === "A2a")) return
  yield at({
    code: "value",
    path,
    message: isAgent
      ? `an agent is at a host, or one of several; ${key} is of kind ${kind}`
      : `an MCP target must lead to a host; ${key} is of kind ${kind}`,
    remedy: isAgent ? "name a backend with `host` or `a2a`, or a service" : "name a backend with `host`, or a service",
  })
}

function* refPolicies(
  snapshot: Snapshot,
  backend: BackendRef | undefined,
  policies: ReadonlyArray<BackendPolicy>,
  path: Path,
  at: (found: Found) => Issue,
  destination: Destination | undefined = backend === undefined ? undefined : destinationOf(snapshot, backend),
): Iterable<Issue> {
  for (const [i, policy] of policies.entries()) {
    const futile = futileAt(policy, destination)
    if (futile !== undefined) yield at(noEffect(futile, [...path, i]))
    yield* backendValues(policy, [...path, i], at)
    yield* calls(snapshot, policy, [...path, i], at)
    if (policy._tag === "InferenceRouting" && backend?._tag !== "Service") {
      yield at({
        code: "noEffect",
        path: [...path, i],
        message: "an endpoint picker chooses among the endpoints of a service",
        remedy: "move inferenceRouting to a reference to a service",
      })
    }
    if (policy._tag === "SessionAffinity" && (backend?._tag === "Backend" || backend?._tag === "Dynamic")) {
      yield at({
        code: "noEffect",
        path: [...path, i],
        message: "session affinity chooses among the endpoints of a service",
        remedy: "move sessionAffinity to a reference to a service",
      })
    }
  }
}

function* backendValues(policy: BackendPolicy, path: Path, at: (found: Found) => Issue): Iterable<Issue> {
  if (policy._tag === "BackendTunnel") return yield* tunnelValues(policy, path, at)
  if (policy._tag !== "BackendTls") return
  yield* versions(policy.tls, [...path, "tls"], at)
  const { identity, rootsPem, verify } = policy.tls
  if (policy.spiffe === true && (identity !== undefined || rootsPem !== undefined || verify !== "full")) {
    yield at({
      code: "tls",
      path: [...path, "spiffe"],
      message: "identity and roots come from the Workload API and cannot be given as well",
      remedy: "remove spiffe, or the certificate, the roots and the weaker checks",
    })
  }
}

function* tunnelValues(
  { auth, tls }: Extract<BackendPolicy, { readonly _tag: "BackendTunnel" }>,
  path: Path,
  at: (found: Found) => Issue,
): Iterable<Issue> {
  if (tls !== undefined) {
    yield at({
      code: "value",
      path: [...path, "tls"],
      message: "a proxy that is spoken to over TLS is not built yet",
      remedy: "name a proxy that takes plain connections; what goes through it to the backend may still be TLS",
    })
  }
  if (auth !== undefined && !isForProxy(auth.location)) {
    yield at({
      code: "value",
      path: [...path, "auth", "location"],
      message: "a proxy takes its credential in the authorization header only",
      remedy: "leave the location out, or name the header proxy-authorization",
    })
  }
}

function* trafficValues(policy: TrafficPolicy, path: Path, at: (found: Found) => Issue): Iterable<Issue> {
  switch (policy._tag) {
    case "Conditional":
      for (const [i, entry] of policy.entries.entries()) {
        yield* trafficValues(entry.policy, [...path, "entries", i, "policy"], at)
      }
      return
    case "LocalRateLimit":
      for (const [i, limit] of policy.limits.entries()) {
        if (limit.tokensPerFill > limit.maxTokens) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "tokensPerFill"],
            message: "more tokens are added at once than the bucket holds",
            remedy: "raise maxTokens, or lower tokensPerFill",
          })
        }
        if (limit.maxTokens > 4_294_967_295) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "maxTokens"],
            message: "more tokens than a bucket can hold",
            remedy: "use at most 4294967295",
          })
        }
        if (limit.fillIntervalMillis === 0) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "fillIntervalMillis"],
            message: "a bucket cannot be filled all the time",
            remedy: "use an interval above 0",
          })
        }
      }
      return
    case "ConcurrencyLimit":
      for (const [i, { queue }] of policy.limits.entries()) {
        if (queue !== undefined && queue.maxWaiting > 0 && queue.timeoutMillis === 0) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "queue", "timeoutMillis"],
            message: "whoever waits gives up at once",
            remedy: "use a time above 0, or no queue",
          })
        }
      }
      return
    case "Retry":
      if (policy.attempts > retriesMax) {
        yield at({
          code: "value",
          path: [...path, "attempts"],
          message: `${policy.attempts} further attempts are more than the ${retriesMax} that may be made`,
          remedy: `use at most ${retriesMax}`,
        })
      }
      return
    case "DirectResponse":
    case "RequestRedirect":
      if (policy.status < 200 || policy.status > 599) {
        yield at({
          code: "value",
          path: [...path, "status"],
          message: `${policy.status} is not the status of a reply`,
          remedy: "use a status from 200 to 599",
        })
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

function* attachments(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
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
function* standing({ policy, target }: Attachment, at: (found: Found) => Issue): Iterable<Issue> {
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

/** What is attached to one route or one backend may be of no use to that very one. */
function* reached(snapshot: Snapshot, { policy, target }: Attachment, at: (found: Found) => Issue): Iterable<Issue> {
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

/** Only the backend itself knows its sections. */
const whole = (target: Target): Target =>
  target._tag === "Backend" ? { _tag: "Backend", backend: target.backend } : target

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
