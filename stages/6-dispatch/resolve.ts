/** What a reference to a backend means at its place: where it leads and which policies are in force there. */
import * as Equal from "effect/Equal"
import type { Backend, HostTarget } from "../../ir/Backend.ts"
import type { LlmProvider, Model } from "../../ir/backend/Llm.ts"
import type { McpTarget } from "../../ir/backend/Mcp.ts"
import { mcpTargets } from "../../ir/backend/mcpTargets.ts"
import type { BackendRef } from "../../ir/BackendRef.ts"
import * as Effective from "../../ir/effective.ts"
import type { Expression } from "../../ir/Expression.ts"
import type { BackendKey } from "../../ir/Key.ts"
import type { BackendPolicy } from "../../ir/Policy.ts"
import type { Service } from "../../ir/Workload.ts"
import type { Refusal } from "../Refusal.ts"
import type { Setting } from "../Setting.ts"
import { isIpv6 } from "../../protocols/net/ip.ts"
import * as AgentCore from "./aws/agentCore.ts"
import type { EndpointSet } from "./balance.ts"
import { implicitPolicies } from "./llm/implicit.ts"
import type { Part } from "./llm/Part.ts"
import type { LlmPlace } from "./llm/target.ts"

type McpBackend = Extract<Backend, { readonly _tag: "Mcp" }>

export type Where =
  | { readonly _tag: "Host"; readonly target: HostTarget }
  | { readonly _tag: "Service"; readonly service: Service; readonly port: number; readonly endpoints: EndpointSet }
  /** To wherever the client asked for. */
  | { readonly _tag: "Dynamic"; readonly target?: Expression }
  | LlmWhere
  | AgentsWhere
  | { readonly _tag: "AgentCore"; readonly runtime: AgentCore.Runtime }
  | { readonly _tag: "Mcp"; readonly backend: McpBackend; readonly targets: ReadonlyArray<McpTarget> }
  | { readonly _tag: "Nowhere"; readonly refusal: Refusal }

export type WhereOf<Tag extends Where["_tag"]> = Extract<Where, { readonly _tag: Tag }>

interface AgentsWhere {
  readonly _tag: "Agents"
  readonly members: ReadonlyArray<{ readonly name: string; readonly backend: Resolved }>
}

interface LlmWhere extends LlmPlace {
  readonly _tag: "Llm"
}

export interface ResolvedMirror {
  readonly fraction: number
  readonly backend: Resolved
}

export interface Resolved {
  /** As the journal names it. */
  readonly name: string
  readonly where: Where
  readonly policies: Effective.BackendPolicies
  readonly mirrors: ReadonlyArray<ResolvedMirror>
  /** The HTTP proxy to go through. */
  readonly proxy: Where | undefined
}

/** Keys that a file's backends get for want of a name: people know those by their address. */
const nameless = /^host\/|\/backend\d+$/

/** Names of a file's own resources have no namespace. */
const nameOf = (key: BackendKey, backend: Backend | undefined): string => {
  if (backend?._tag === "Host" && nameless.test(key)) {
    const { target } = backend
    return target._tag === "Unix"
      ? `unix:${target.path}`
      : `${isIpv6(target.host) ? `[${target.host}]` : target.host}:${target.port}`
  }
  return key.startsWith("/") ? key.slice(1) : key
}

const nowhere = (refusal: Refusal): Where => ({ _tag: "Nowhere", refusal })

const notFound = nowhere({ _tag: "BackendNotFound" })
const serviceNotFound = nowhere({ _tag: "ServiceNotFound" })
const invalidType = nowhere({ _tag: "InvalidBackendType" })
const dynamic: Where = { _tag: "Dynamic" }

/** All of a setting that the meaning of a reference depends on; what no listener leads to has none. */
export type Place = Pick<Setting, "snapshot" | "attachments" | "services"> & Partial<Pick<Setting, "listener" | "port">>

const whereOf = (setting: Pick<Place, "snapshot" | "services">, ref: BackendRef): Where => {
  switch (ref._tag) {
    case "Backend": {
      const backend = setting.snapshot.backends.get(ref.backend)
      switch (backend?._tag) {
        case undefined:
          return serviceNotFound
        case "Host":
          return { _tag: "Host", target: backend.target }
        case "Dynamic":
          return backend.target === undefined ? dynamic : { _tag: "Dynamic", target: backend.target }
        case "AgentCore":
          return { _tag: "AgentCore", runtime: AgentCore.runtimeOf(backend) }
        case "A2a":
          return invalidType
        case "Mcp":
          return { _tag: "Mcp", backend, targets: mcpTargets(backend, setting.snapshot.services) }
        case "Llm":
        case "Models":
        case "Internal":
          return invalidType
        case "Invalid":
          return notFound
      }
    }
    case "Service": {
      const service = setting.snapshot.services.get(ref.service)
      if (service === undefined) return serviceNotFound
      return {
        _tag: "Service",
        service,
        port: ref.port,
        endpoints: setting.services.endpoints(service, ref.port),
      }
    }
    case "Dynamic":
      return ref.target === undefined ? dynamic : { _tag: "Dynamic", target: ref.target }
    case "Group":
      return invalidType
    case "Invalid":
      return notFound
  }
}

const refName = (setting: Pick<Place, "snapshot">, ref: BackendRef): string => {
  switch (ref._tag) {
    case "Backend":
      return nameOf(ref.backend, setting.snapshot.backends.get(ref.backend))
    case "Service":
      return `${ref.service}:${ref.port}`
    case "Dynamic":
      return "dynamic"
    case "Group":
      return ref.group
    case "Invalid":
      return "invalid"
  }
}

const policiesOf = (
  setting: Place,
  routes: ReadonlyArray<Effective.PlacedRoute>,
  ref: BackendRef,
  refPolicies: ReadonlyArray<BackendPolicy>,
  section?: string,
): Effective.BackendPolicies => {
  const backend = ref._tag === "Backend" ? setting.snapshot.backends.get(ref.backend) : undefined
  const policies = Effective.backendPolicies(setting.attachments, {
    listener: setting.listener,
    port: setting.port,
    routes,
    backend,
    service: ref._tag === "Service" ? { key: ref.service, port: ref.port } : undefined,
    refPolicies,
    section,
  })
  return backend?._tag === "AgentCore" ? AgentCore.withDefaults(policies) : policies
}

/** Providers of models, each with the policies in force for it. */
const llmOf = (
  setting: Place,
  routes: ReadonlyArray<Effective.PlacedRoute>,
  ref: BackendRef,
  refPolicies: ReadonlyArray<BackendPolicy>,
): Where | undefined => {
  const backend = ref._tag === "Backend" ? setting.snapshot.backends.get(ref.backend) : undefined
  if (backend?._tag !== "Llm" && backend?._tag !== "Models") return undefined
  const part = (provider: LlmProvider, group: number, model: Model | undefined): Part => {
    const own = [...provider.policies, ...refPolicies]
    const policies = { ...implicitPolicies(provider), ...policiesOf(setting, routes, ref, own, provider.name) }
    const tunnel = policies.BackendTunnel
    return {
      provider,
      group,
      model,
      policies,
      proxy: tunnel === undefined ? undefined : whereOf(setting, tunnel.proxy),
    }
  }
  const parts =
    backend._tag === "Models"
      ? backend.models.map((model) => part(model.provider, 0, model))
      : backend.groups.flatMap((group, i) => group.map((provider) => part(provider, i, undefined)))
  return { _tag: "Llm", backend, parts }
}

/** Each agent has its own policies in front of those of the backend that lists it. */
const agentsOf = (
  setting: Place,
  routes: ReadonlyArray<Effective.PlacedRoute>,
  ref: BackendRef,
  refPolicies: ReadonlyArray<BackendPolicy>,
): AgentsWhere | undefined => {
  const listing = ref._tag === "Backend" ? setting.snapshot.backends.get(ref.backend) : undefined
  if (listing?._tag !== "A2a") return undefined
  return {
    _tag: "Agents",
    members: listing.agents.map(({ backend, name, policies }) => ({
      name,
      backend: resolve(setting, routes, backend, [...policies, ...listing.policies, ...refPolicies]),
    })),
  }
}

/** What a mirror refers to. Copies are not copied again, so its own mirrors are left out. */
export const resolveMirror = (
  setting: Place,
  routes: ReadonlyArray<Effective.PlacedRoute>,
  ref: BackendRef,
): Resolved => {
  const { RequestMirror: _, ...policies } = policiesOf(setting, routes, ref, [])
  const where = whereOf(setting, ref)
  return {
    name: refName(setting, ref),
    where: where._tag === "Dynamic" ? invalidType : where,
    policies,
    mirrors: [],
    proxy: policies.BackendTunnel === undefined ? undefined : whereOf(setting, policies.BackendTunnel.proxy),
  }
}

const relayed: BackendPolicy & { readonly _tag: "A2a" } = { _tag: "A2a" }

/** The backends of a listener for A2A are agents, said or not. */
const spoken = (setting: Place, policies: Effective.BackendPolicies): Effective.BackendPolicies =>
  setting.listener?.backendProtocol === "a2a" && policies.A2a === undefined ? { ...policies, A2a: relayed } : policies

export const resolve = (
  setting: Place,
  routes: ReadonlyArray<Effective.PlacedRoute>,
  ref: BackendRef,
  refPolicies: ReadonlyArray<BackendPolicy>,
): Resolved => {
  const policies = spoken(setting, policiesOf(setting, routes, ref, refPolicies))
  return {
    name: refName(setting, ref),
    where:
      llmOf(setting, routes, ref, refPolicies) ?? agentsOf(setting, routes, ref, refPolicies) ?? whereOf(setting, ref),
    policies,
    mirrors: (policies.RequestMirror?.mirrors ?? []).map(({ backend, fraction }) => ({
      fraction,
      backend: resolveMirror(setting, routes, backend),
    })),
    proxy: policies.BackendTunnel === undefined ? undefined : whereOf(setting, policies.BackendTunnel.proxy),
  }
}

const sameTarget = (a: HostTarget, b: HostTarget): boolean =>
  a === b ||
  (a._tag === "Host" && b._tag === "Host" && a.host === b.host && a.port === b.port) ||
  (a._tag === "Unix" && b._tag === "Unix" && a.path === b.path)

const sameParts = (a: ReadonlyArray<Part>, b: ReadonlyArray<Part>): boolean =>
  a.length === b.length &&
  a.every((part, i) => {
    const other = b[i] as Part
    return Effective.same(part.policies, other.policies) && sameWhere(part.proxy, other.proxy)
  })
const sameTargets = (a: ReadonlyArray<McpTarget>, b: ReadonlyArray<McpTarget>): boolean =>
  a.every((one, i) => one === b[i] || Equal.equals(one, b[i]))

const sameWhere = (a: Where | undefined, b: Where | undefined): boolean => {
  if (a === b) return true
  if (a?._tag === "Host" && b?._tag === "Host") return sameTarget(a.target, b.target)
  if (a?._tag === "Mcp" && b?._tag === "Mcp") {
    return a.backend === b.backend && a.targets.length === b.targets.length && sameTargets(a.targets, b.targets)
  }
  if (a?._tag === "Dynamic" && b?._tag === "Dynamic") return a.target === b.target
  if (a?._tag === "Llm" && b?._tag === "Llm") return a.backend === b.backend && sameParts(a.parts, b.parts)
  if (a?._tag === "Agents" && b?._tag === "Agents") {
    return (
      a.members.length === b.members.length &&
      a.members.every(({ backend, name }, i) => {
        const other = b.members[i]
        return other !== undefined && name === other.name && same(backend, other.backend)
      })
    )
  }
  if (a?._tag === "AgentCore" && b?._tag === "AgentCore") return AgentCore.sameRuntime(a.runtime, b.runtime)
  if (a?._tag !== "Service" || b?._tag !== "Service") return false
  return a.service === b.service && a.port === b.port && a.endpoints === b.endpoints
}

export const sameMirrors = (a: ReadonlyArray<ResolvedMirror>, b: ReadonlyArray<ResolvedMirror>): boolean =>
  a.length === b.length &&
  a.every((mirror, i) => {
    const other = b[i] as ResolvedMirror
    return mirror.fraction === other.fraction && same(mirror.backend, other.backend)
  })

/** Whether what was made for one serves the other. */
export const same = (a: Resolved, b: Resolved): boolean =>
  a.name === b.name &&
  sameWhere(a.where, b.where) &&
  sameWhere(a.proxy, b.proxy) &&
  Effective.same(a.policies, b.policies) &&
  sameMirrors(a.mirrors, b.mirrors)
