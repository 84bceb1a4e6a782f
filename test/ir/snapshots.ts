/** Small snapshots to start from: one HTTP listener, one route, one backend. */
import { BackendKey, BindKey, ListenerKey, RouteKey } from "../../ir/Key.ts"
import type { Backend } from "../../ir/Backend.ts"
import type { Bind } from "../../ir/Bind.ts"
import type { Listener } from "../../ir/Listener.ts"
import { any } from "../../ir/Match.ts"
import type { Route } from "../../ir/Route.ts"
import { empty } from "../../ir/Snapshot.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"

export const bind: Bind = {
  key: BindKey.make("bind/80"),
  address: { _tag: "Ip", port: 80 },
  protocol: "http",
  tunnel: "direct",
}

export const listener: Listener = {
  key: ListenerKey.make("l"),
  bind: bind.key,
  name: { gatewayName: "g", gatewayNamespace: "n", listenerName: "l" },
  hostname: "*",
  protocol: "HTTP",
}

export const backend: Backend = {
  _tag: "Host",
  key: BackendKey.make("/b"),
  target: { _tag: "Host", host: "example.com", port: 80 },
  policies: [],
}

export const route: Route = {
  key: RouteKey.make("l/n/r"),
  parent: { _tag: "Listener", listener: listener.key },
  name: { name: "r", namespace: "n" },
  hostnames: [],
  matches: [any],
  backends: [{ weight: 1, backend: { _tag: "Backend", backend: backend.key }, policies: [] }],
  policies: [],
}

export const table = <R extends { readonly key: unknown }>(...resources: ReadonlyArray<R>): ReadonlyMap<R["key"], R> =>
  new Map(resources.map((resource) => [resource.key, resource]))

export const snapshot = (more: Partial<Snapshot> = {}): Snapshot => ({
  ...empty,
  binds: table(bind),
  listeners: table(listener),
  backends: table(backend),
  routes: table(route),
  ...more,
})
