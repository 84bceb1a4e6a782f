/** Policies of a backend, wherever they are written. */
import type { BackendRef } from "../BackendRef.ts"
import { type Destination, destinationOf, futileAt } from "../futile.ts"
import { isForProxy } from "../isForProxy.ts"
import type { Issue } from "../Issue.ts"
import type { BackendPolicy } from "../Policy.ts"
import type { Path } from "../references.ts"
import type { Snapshot } from "../Snapshot.ts"
import { calls } from "./backendRefs.ts"
import { type At, noEffect } from "./Found.ts"
import { backendTls } from "./tls.ts"

export function* backendPolicies(
  snapshot: Snapshot,
  backend: BackendRef | undefined,
  policies: ReadonlyArray<BackendPolicy>,
  path: Path,
  at: At,
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

export function* backendValues(policy: BackendPolicy, path: Path, at: At): Iterable<Issue> {
  if (policy._tag === "BackendTls") yield* backendTls(policy, path, at)
  if (policy._tag === "BackendTunnel") yield* tunnelValues(policy, path, at)
}

function* tunnelValues(
  { auth, tls }: Extract<BackendPolicy, { readonly _tag: "BackendTunnel" }>,
  path: Path,
  at: At,
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
