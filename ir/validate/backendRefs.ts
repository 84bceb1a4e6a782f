/** What is referred to must be there, and of a kind that can be called. */
import type { BackendRef } from "../BackendRef.ts"
import type { Issue } from "../Issue.ts"
import type { BackendPolicy, FrontendPolicy, TrafficPolicy } from "../Policy.ts"
import { type Path, references } from "../references.ts"
import type { WeightedBackend } from "../Route.ts"
import type { Snapshot } from "../Snapshot.ts"
import { type At, dangling } from "./Found.ts"

export function* backendRefs(snapshot: Snapshot, backends: ReadonlyArray<WeightedBackend>, at: At): Iterable<Issue> {
  for (const [i, { backend }] of backends.entries())
    yield* backendRef(snapshot, backend, ["backends", i, "backend"], at)
}

export function* backendRef(snapshot: Snapshot, ref: BackendRef, path: Path, at: At): Iterable<Issue> {
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
export function* calls(
  snapshot: Snapshot,
  policy: FrontendPolicy | TrafficPolicy | BackendPolicy,
  path: Path,
  at: At,
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
      yield* backendRef(snapshot, found.ref, found.path, at)
      if (found.isProxy === true) yield* proxy(snapshot, found.ref, found.path, at)
    }
  }
}

/** A reference to what is not there is told elsewhere. */
function* proxy(snapshot: Snapshot, ref: BackendRef, path: Path, at: At): Iterable<Issue> {
  const kind = ref._tag === "Backend" ? snapshot.backends.get(ref.backend)?._tag : ref._tag
  if (kind === undefined || kind === "Host" || kind === "Invalid") return
  yield at({
    code: "value",
    path,
    message: `a proxy is one host, not ${kind === "Service" ? "a service" : `a backend of kind ${kind}`}`,
    remedy: "name a host, or a backend with `host`",
  })
}
