/** Routes of raw connections, on which little of what acts on requests has an effect. */
import type { BackendRef } from "../BackendRef.ts"
import { destinationOf, futileOnRaw, notRaw } from "../futile.ts"
import type { Issue } from "../Issue.ts"
import { isHttp } from "../listenerProtocol.ts"
import type { BackendPolicy } from "../Policy.ts"
import type { Path } from "../references.ts"
import type { Snapshot } from "../Snapshot.ts"
import { backendPolicies } from "./backendPolicies.ts"
import { backendRefs } from "./backendRefs.ts"
import { type At, dangling, type Found, issue, noEffect } from "./Found.ts"

export function* tcpRoutes(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
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
      yield* backendPolicies(snapshot, backend, policies, ["backends", i, "policies"], at)
      yield* raw(snapshot, backend, policies, ["backends", i], at)
    }
    yield* backendRefs(snapshot, route.backends, at)
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
  at: At,
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
