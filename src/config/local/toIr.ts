/**
 * From a decoded file to a snapshot. Pure: files that the configuration refers to are given as contents, and those that
 * are needed but not given are named in the result.
 */
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Path } from "../ConfigIssue.ts"
import * as Draft from "./Draft.ts"
import { type Contents, make, type Mapping, type Names, noNames } from "./Mapping.ts"
import type { Problem } from "./Problem.ts"
import type { LocalConfig } from "./Schema.ts"
import { pricedBackends } from "./toPrices.ts"
import { shorthands } from "./shorthand.ts"
import { frontend, targeted } from "./toAttachments.ts"
import { service, workload } from "./toDiscovery.ts"
import { binds, gateways } from "./toListeners.ts"
import { attachedRoutes, attachedTcpRoutes, namedBackend, routeGroup } from "./toRoutes.ts"

export interface Mapped {
  readonly snapshot: Snapshot
  readonly problems: ReadonlyArray<Problem>
  /** Where each resource is written; see `Draft.originKey`. */
  readonly origins: ReadonlyMap<string, Path>
  /** Files that are needed and were not given, with the places that need them. */
  readonly needed: ReadonlyMap<string, ReadonlyArray<Path>>
}

/** Names that are defined, together with those whose definitions could not be decoded. */
const namesIn = (config: LocalConfig, broken: Names): Names => ({
  gateways: broken.gateways,
  damaged: broken.damaged,
  backends: new Set([
    ...broken.backends,
    ...(config.backends ?? []).map((one) => `/${one.name}`),
    ...(config.mcp === undefined ? [] : ["/mcp"]),
  ]),
  services: new Map([
    ...broken.services,
    ...(config.services ?? []).map(
      (one) => [`${one.namespace}/${one.hostname}`, new Set(Object.keys(one.ports))] as const,
    ),
  ]),
  groups: new Set([...broken.groups, ...(config.routeGroups ?? []).map((one) => one.name)]),
  unread: broken.unread,
  hasRedis: broken.hasRedis || config.config?.redis !== undefined,
})

export const toIr = (
  config: LocalConfig,
  contents: Contents = new Map(),
  broken: Names = noNames,
  env: Mapping["env"] = {},
): Mapped => {
  const to = make(namesIn(config, broken), contents, env)
  const draft = Draft.make(to)
  binds(draft, config.binds ?? [])
  gateways(draft, config.gateways ?? {})
  shorthands(draft, config)
  for (const [i, one] of (config.backends ?? []).entries()) namedBackend(draft, one, ["backends", i])
  for (const [i, one] of (config.routeGroups ?? []).entries()) routeGroup(draft, one, ["routeGroups", i])
  attachedRoutes(draft, config.routes ?? [])
  attachedTcpRoutes(draft, config.tcpRoutes ?? [])
  for (const [i, one] of (config.services ?? []).entries()) service(draft, one, ["services", i])
  for (const [i, one] of (config.workloads ?? []).entries()) workload(draft, one, ["workloads", i])
  if (config.frontendPolicies !== undefined) frontend(draft, config.frontendPolicies)
  for (const [i, one] of (config.policies ?? []).entries()) targeted(draft, one, ["policies", i])
  pricedBackends(config.config, to)
  const { attachments, listeners, origins, routeGroups, routes, services, tcpRoutes, workloads } = draft
  return {
    snapshot: {
      binds: draft.binds,
      listeners,
      routes,
      tcpRoutes,
      routeGroups,
      backends: to.backends,
      services,
      workloads,
      attachments,
    },
    problems: unique(to.problems),
    origins,
    needed: to.needed,
  }
}

/** A route on several listeners is mapped once for each, and says the same each time. */
const unique = (problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> => {
  const seen = new Set<string>()
  return problems.filter((problem) => {
    const key = [problem.message, ...problem.path].join("\0")
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
