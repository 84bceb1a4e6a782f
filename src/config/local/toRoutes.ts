/** Routes, route groups and backends to the snapshot's. */
import type { Backend } from "../../../ir/Backend.ts"
import type { CataloguedAgent } from "../../../ir/backend/A2a.ts"
import type { BackendRef } from "../../../ir/BackendRef.ts"
import type { BackendKey, ListenerKey, RouteGroupKey, RouteKey, TcpRouteKey } from "../../../ir/Key.ts"
import { any } from "../../../ir/Match.ts"
import type { BackendPolicy } from "../../../ir/Policy.ts"
import type { RouteName, RouteParent, WeightedBackend } from "../../../ir/Route.ts"
import type { Path } from "../ConfigIssue.ts"
import { chooseFrom } from "../suggest.ts"
import { type A2aBackend, type NamedBackend, namedBackendKinds } from "./backends.ts"
import * as Draft from "./Draft.ts"
import type { GatewayRefs } from "./GatewayRefs.ts"
import * as Hostname from "./hostname.ts"
import type { Mapping } from "./Mapping.ts"
import { backendPolicies, backendPoliciesOfRoute, trafficPolicies } from "./policies.ts"
import { backendTls } from "./policy/BackendTls.ts"
import { backendTunnel } from "./policy/BackendTunnel.ts"
import { present } from "./present.ts"
import {
  type AttachedRoute,
  type AttachedTcpRoute,
  type LocalRoute,
  type RouteBackend,
  routeBackendKinds,
  type RouteGroup,
  type TcpBackend,
  type TcpRoute,
} from "./routes.ts"
import { aiBackend } from "./toProviders.ts"
import { match } from "./toMatch.ts"
import { mcpBackend } from "./toMcp.ts"

const hostnames = (texts: ReadonlyArray<string> | undefined, path: Path, to: Mapping): ReadonlyArray<string> => {
  const names = (texts ?? []).flatMap((text, i) => to.accept(Hostname.parse(text), [...path, i]) ?? [])
  return names.includes("*") ? [] : names
}

/** Refuses the kinds that are not built; the others go on to the switch. */
const refusedKind = (one: object, kinds: ReadonlyArray<string>, path: Path, to: Mapping): boolean =>
  kinds.some((kind) => Object.hasOwn(one, kind) && to.refused("backends", kind, [...path, kind]))

const internalBackend = (key: BackendKey, path: string, policies: ReadonlyArray<BackendPolicy>): Backend => ({
  _tag: "Internal",
  key,
  policies,
  ...present({ path: path === "forward" ? undefined : path }),
})

const awsBackend = (
  key: BackendKey,
  { agentCore: { agentRuntimeArn, qualifier } }: NonNullable<NamedBackend["aws"]>,
  policies: ReadonlyArray<BackendPolicy>,
): Backend => ({ _tag: "AgentCore", key, policies, runtimeArn: agentRuntimeArn, ...present({ qualifier }) })

export const own = (draft: Draft.Draft, backend: Backend, path: Path): BackendRef => {
  draft.to.backends.set(backend.key, backend)
  draft.origins.set(Draft.originKey("backends", backend.key), path)
  return { _tag: "Backend", backend: backend.key }
}

const dynamicRef = (one: NonNullable<RouteBackend["dynamic"]>): BackendRef => ({
  _tag: "Dynamic",
  ...present({ target: one.target }),
})

const routeBackend = (draft: Draft.Draft, one: RouteBackend, key: string, path: Path): BackendRef | undefined => {
  const { to } = draft
  const inline = key as BackendKey
  const refused = refusedKind(one, routeBackendKinds, path, to)
  if (one.mcp !== undefined) return own(draft, mcpBackend(one.mcp, inline, [], [...path, "mcp"], to), path)
  if (refused) return undefined
  if (one.host !== undefined) return own(draft, { _tag: "Host", key: inline, target: one.host, policies: [] }, path)
  if (one.service !== undefined) return to.service(one.service.name, one.service.port, [...path, "service"])
  if (one.backend !== undefined) return to.backend(one.backend, [...path, "backend"])
  if (one.internal !== undefined) return own(draft, internalBackend(inline, one.internal, []), path)
  if (one.ai !== undefined) {
    const made = aiBackend(one.ai, inline, [], [...path, "ai"], to)
    return made === undefined ? undefined : own(draft, made, path)
  }
  if (one.dynamic !== undefined) return dynamicRef(one.dynamic)
  if (one.aws !== undefined) return own(draft, awsBackend(inline, one.aws, []), path)
  if (one.routeGroup !== undefined) return to.group(one.routeGroup, [...path, "routeGroup"])
  return one.invalid === undefined ? undefined : { _tag: "Invalid" }
}

export const route = (
  draft: Draft.Draft,
  one: LocalRoute,
  parent: RouteParent,
  under: ListenerKey,
  path: Path,
): void => {
  const { to } = draft
  const index = draft.counts.get(under) ?? 0
  draft.counts.set(under, index + 1)
  const name = one.name ?? `route${index}`
  const namespace = one.namespace ?? Draft.gateway.namespace
  const key = freeKey(draft.routes, `${under}/${namespace}/${name}` as RouteKey, one.ruleName)
  if (draft.routes.has(key)) to.fail([...path, "name"], sameName(namespace, name))
  const policies =
    one.policies === undefined ? [] : trafficPolicies(one.policies, [...path, "policies"], to, `route/${key}`)
  const onEach = one.policies === undefined ? [] : backendPoliciesOfRoute(one.policies, [...path, "policies"], to)
  if (one.policies?.inferenceRouting !== undefined) {
    to.fail([...path, "policies", "inferenceRouting"], "`inferenceRouting` is only legal on a `service` backend")
  }
  const backends = (one.backends ?? []).flatMap((each, i): ReadonlyArray<WeightedBackend> => {
    const at = [...path, "backends", i]
    const backend = routeBackend(draft, each, `/${key}/backend${i}`, at)
    const inline = each.policies === undefined ? [] : backendPolicies(each.policies, [...at, "policies"], to)
    if (each.policies?.inferenceRouting !== undefined && each.service === undefined) {
      to.fail([...at, "policies", "inferenceRouting"], "`inferenceRouting` is only legal on a `service` backend")
    }
    return backend === undefined ? [] : [{ weight: each.weight ?? 1, backend, policies: combine(inline, onEach) }]
  })
  draft.routes.set(key, {
    key,
    parent,
    name: { name, namespace, ...present({ ruleName: one.ruleName }) },
    hostnames: hostnames(one.hostnames, [...path, "hostnames"], to),
    matches: one.matches === undefined ? [any] : one.matches.map((each, i) => match(each, [...path, "matches", i], to)),
    backends,
    policies,
  })
  draft.origins.set(Draft.originKey("routes", key), path)
}

/** One route may be written as several rules: the further ones go by the name of the rule, too. */
const freeKey = <K extends string>(
  table: ReadonlyMap<K, { readonly name: RouteName }>,
  key: K,
  ruleName: string | undefined,
): K => {
  const first = table.get(key)
  return first === undefined || ruleName === undefined || ruleName === first.name.ruleName
    ? key
    : (`${key}/${ruleName}` as K)
}

const sameName = (namespace: string, name: string): string =>
  `two routes of one listener are called \`${namespace}/${name}\`, and no \`ruleName\` tells them apart`

/** What a backend says itself stands before what its route says for all of them. */
const combine = (
  inline: ReadonlyArray<BackendPolicy>,
  onEach: ReadonlyArray<BackendPolicy>,
): ReadonlyArray<BackendPolicy> =>
  onEach.length === 0 ? inline : inline.length === 0 ? onEach : [...inline, ...onEach]

export const tcpRoute = (draft: Draft.Draft, one: TcpRoute, listener: ListenerKey, path: Path): void => {
  const { to } = draft
  const index = draft.counts.get(listener) ?? 0
  draft.counts.set(listener, index + 1)
  const name = one.name ?? `tcproute${index}`
  const namespace = one.namespace ?? Draft.gateway.namespace
  const key = freeKey(draft.tcpRoutes, `${listener}/${namespace}/${name}` as TcpRouteKey, one.ruleName)
  if (draft.tcpRoutes.has(key)) to.fail([...path, "name"], sameName(namespace, name))
  const tls = one.policies?.backendTLS
  const onEach = tls === undefined ? undefined : backendTls(tls, [...path, "policies", "backendTLS"], to)
  const backends = (one.backends ?? []).flatMap((each, i): ReadonlyArray<WeightedBackend> => {
    const at = [...path, "backends", i]
    const backend = tcpBackend(draft, each, `/${key}/backend${i}`, at)
    const policies: Array<BackendPolicy> = []
    if (each.policies?.backendTLS !== undefined) {
      const own = backendTls(each.policies.backendTLS, [...at, "policies", "backendTLS"], to)
      if (own !== undefined) policies.push(own)
    }
    if (each.policies?.backendTunnel !== undefined) {
      const tunnel = backendTunnel(each.policies.backendTunnel, [...at, "policies", "backendTunnel"], to)
      if (tunnel !== undefined) policies.push(tunnel)
    }
    if (onEach !== undefined) policies.push(onEach)
    return backend === undefined ? [] : [{ weight: each.weight ?? 1, backend, policies }]
  })
  draft.tcpRoutes.set(key, {
    key,
    listener,
    name: { name, namespace, ...present({ ruleName: one.ruleName }) },
    hostnames: hostnames(one.hostnames, [...path, "hostnames"], to),
    backends,
  })
  draft.origins.set(Draft.originKey("tcpRoutes", key), path)
}

const tcpBackend = (draft: Draft.Draft, one: TcpBackend, key: string, path: Path): BackendRef | undefined => {
  const { to } = draft
  if (one.host !== undefined) {
    return own(draft, { _tag: "Host", key: key as BackendKey, target: one.host, policies: [] }, path)
  }
  if (one.service !== undefined) return to.service(one.service.name, one.service.port, [...path, "service"])
  if (one.backend !== undefined) return to.backend(one.backend, [...path, "backend"])
  return one.dynamic === undefined ? undefined : dynamicRef(one.dynamic)
}

export const routeGroup = (draft: Draft.Draft, one: RouteGroup, path: Path): void => {
  const key = one.name as RouteGroupKey
  if (draft.routeGroups.has(key)) draft.to.fail([...path, "name"], `two route groups are called \`${one.name}\``)
  draft.routeGroups.set(key, { key })
  draft.origins.set(Draft.originKey("routeGroups", key), path)
  for (const [i, each] of one.routes.entries()) {
    route(draft, each, { _tag: "Group", group: key }, `routegroup/${one.name}` as ListenerKey, [...path, "routes", i])
  }
}

export const namedBackend = (draft: Draft.Draft, one: NamedBackend, path: Path): void => {
  const { to } = draft
  const key = `/${one.name}` as BackendKey
  if (to.backends.has(key)) to.fail([...path, "name"], `two backends are called \`${one.name}\``)
  const policies = one.policies === undefined ? [] : backendPolicies(one.policies, [...path, "policies"], to)
  const refused = refusedKind(one, namedBackendKinds, path, to)
  if (one.mcp !== undefined) own(draft, mcpBackend(one.mcp, key, policies, [...path, "mcp"], to), path)
  else if (refused) {
    own(draft, { _tag: "Invalid", key, policies: [], reason: "not built yet" }, path)
  } else if (one.host !== undefined) own(draft, { _tag: "Host", key, target: one.host, policies }, path)
  else if (one.internal !== undefined) own(draft, internalBackend(key, one.internal, policies), path)
  else if (one.ai !== undefined) {
    const made = aiBackend(one.ai, key, policies, [...path, "ai"], to)
    own(draft, made ?? { _tag: "Invalid", key, policies: [], reason: "cannot be used" }, path)
  } else if (one.aws !== undefined) own(draft, awsBackend(key, one.aws, policies), path)
  else if (one.a2a !== undefined) own(draft, agentsBackend(draft, one.a2a, key, policies, [...path, "a2a"]), path)
}

/** Every agent is spoken to through the bridge, and known by its name. */
const agentsBackend = (
  draft: Draft.Draft,
  { agents }: A2aBackend,
  key: BackendKey,
  policies: ReadonlyArray<BackendPolicy>,
  path: Path,
): Backend => {
  const { to } = draft
  const refOf = (one: A2aBackend["agents"][number], at: Path): BackendRef | undefined => {
    if (one.backend !== undefined) return to.backend(one.backend, [...at, "backend"])
    if (one.service !== undefined) return to.service(one.service.name, one.service.port, [...at, "service"])
    if (one.host === undefined) return undefined
    return own(draft, { _tag: "Host", key: `${key}/${one.name}` as BackendKey, target: one.host, policies: [] }, at)
  }
  return {
    _tag: "A2a",
    key,
    policies,
    agents: agents.flatMap((one, i): ReadonlyArray<CataloguedAgent> => {
      const at = [...path, "agents", i]
      const backend = refOf(one, at)
      if (backend === undefined) return []
      const own = one.policies === undefined ? [] : backendPolicies(one.policies, [...at, "policies"], to)
      const said = own.find((policy) => policy._tag === "A2a")
      const spoken: BackendPolicy = { bridge: { interfaces: [] }, ...said, _tag: "A2a", agent: one.name }
      return [{ name: one.name, backend, policies: [spoken, ...own.filter((policy) => policy !== said)] }]
    }),
  }
}

/** The listeners of one kind that `gateways:` names. */
export const attachedTo = (
  draft: Draft.Draft,
  refs: GatewayRefs,
  kind: Draft.Kind,
  path: Path,
): ReadonlyArray<ListenerKey> => {
  const several = typeof refs !== "string"
  const found = new Set<ListenerKey>()
  for (const [i, ref] of (several ? refs : [refs]).entries()) {
    const at = several ? [...path, i] : path
    const listeners = draft.attachable.get(ref)
    const [gateway = ""] = ref.split("/")
    if (listeners === undefined) {
      if (draft.to.names.gateways.has(gateway) || draft.to.names.unread.has("gateways")) continue
      draft.to.fail(at, `unknown gateway reference ${ref}`, chooseFrom(ref, [...draft.attachable.keys()]))
      continue
    }
    const fitting = listeners.filter((listener) => listener.kind === kind)
    if (fitting.length === 0 && !draft.to.names.damaged.has(gateway))
      draft.to.fail(at, `gateway reference ${ref} has no ${kind} listeners`)
    for (const listener of fitting) found.add(listener.key)
  }
  return [...found]
}

/** What a section without `gateways` is attached to: the gateway `default`, where it has listeners of the kind, or is broken. */
export const implicit = (draft: Draft.Draft, kind: Draft.Kind): GatewayRefs | undefined => {
  const listeners = draft.attachable.get("default")
  const { damaged, gateways, unread } = draft.to.names
  const is =
    listeners?.some((listener) => listener.kind === kind || damaged.has("default")) ??
    (gateways.has("default") || unread.has("gateways"))
  return is ? "default" : undefined
}

const refsOf = (draft: Draft.Draft, written: GatewayRefs | undefined, kind: Draft.Kind): GatewayRefs | undefined =>
  written === undefined || written.length === 0 ? implicit(draft, kind) : written

const unattached = (draft: Draft.Draft, section: string, name: string | undefined, path: Path): void => {
  draft.to.fail(
    path,
    `${section}.${name ?? "<unnamed>"} must set gateways`,
    draft.attachable.size === 0
      ? "Add a gateway, such as `gateways: {default: {port: 3000}}`."
      : chooseFrom("", [...draft.attachable.keys()]),
  )
}

export const attachedRoutes = (draft: Draft.Draft, all: ReadonlyArray<AttachedRoute>): void => {
  for (const [i, one] of all.entries()) {
    const path = ["routes", i]
    const refs = refsOf(draft, one.gateways, "HTTP")
    if (refs === undefined) unattached(draft, "routes", one.name, path)
    else {
      const listeners = attachedTo(draft, refs, "HTTP", [...path, "gateways"])
      for (const listener of listeners) route(draft, one, { _tag: "Listener", listener }, listener, path)
      // Said once for a route that is attached nowhere, because nobody else will look at it.
      if (listeners.length === 0) inspect(draft, one, path)
    }
  }
}

const inspect = (draft: Draft.Draft, one: LocalRoute, path: Path): void => {
  const nowhere = Draft.make(draft.to)
  route(nowhere, one, { _tag: "Listener", listener: "nowhere" as ListenerKey }, "nowhere" as ListenerKey, path)
}

export const attachedTcpRoutes = (draft: Draft.Draft, all: ReadonlyArray<AttachedTcpRoute>): void => {
  for (const [i, one] of all.entries()) {
    const path = ["tcpRoutes", i]
    const refs = refsOf(draft, one.gateways, "TCP")
    if (refs === undefined) unattached(draft, "tcpRoutes", one.name, path)
    else
      for (const listener of attachedTo(draft, refs, "TCP", [...path, "gateways"])) tcpRoute(draft, one, listener, path)
  }
}
