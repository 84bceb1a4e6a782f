/** A snapshot in the making, and where in the file each of its resources is written. */
import type { Attachment } from "../../../ir/Attachment.ts"
import type { Bind } from "../../../ir/Bind.ts"
import type {
  AttachmentKey,
  BindKey,
  ListenerKey,
  RouteGroupKey,
  RouteKey,
  ServiceKey,
  TcpRouteKey,
  WorkloadKey,
} from "../../../ir/Key.ts"
import type { Listener } from "../../../ir/Listener.ts"
import type { Route, RouteGroup } from "../../../ir/Route.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Target } from "../../../ir/Target.ts"
import type { TcpRoute } from "../../../ir/TcpRoute.ts"
import type { Service, Workload } from "../../../ir/Workload.ts"
import type { Path } from "../ConfigIssue.ts"
import type { Mapping } from "./Mapping.ts"
import { present } from "./present.ts"

/** The name that everything a file configures has as a gateway. */
export const gateway = { name: "default", namespace: "default" } as const

/** Whether a listener takes HTTP routes or TCP routes. */
export type Kind = "HTTP" | "TCP"

export const kindOf = (protocol: Listener["protocol"]): Kind =>
  protocol === "TCP" || protocol === "TLS" ? "TCP" : "HTTP"

/** A listener that routes can be attached to by reference. */
export interface Attachable {
  readonly key: ListenerKey
  readonly kind: Kind
}

export interface Draft {
  readonly to: Mapping
  readonly binds: Map<BindKey, Bind>
  readonly listeners: Map<ListenerKey, Listener>
  readonly routes: Map<RouteKey, Route>
  readonly tcpRoutes: Map<TcpRouteKey, TcpRoute>
  readonly routeGroups: Map<RouteGroupKey, RouteGroup>
  readonly services: Map<ServiceKey, Service>
  readonly workloads: Map<WorkloadKey, Workload>
  readonly attachments: Map<AttachmentKey, Attachment>
  /** By table and key; see `originKey`. */
  readonly origins: Map<string, Path>
  /** What `gateways:` may name: a gateway, or a gateway and one of its listeners. */
  readonly attachable: Map<string, ReadonlyArray<Attachable>>
  /** Owner of each port. */
  readonly ports: Map<number, string>
  /** How many routes a listener has so far: unnamed ones are called by their place. */
  readonly counts: Map<string, number>
}

export const originKey = (table: keyof Snapshot, key: string): string => `${table}\0${key}`

export const make = (to: Mapping): Draft => ({
  to,
  binds: new Map(),
  listeners: new Map(),
  routes: new Map(),
  tcpRoutes: new Map(),
  routeGroups: new Map(),
  services: new Map(),
  workloads: new Map(),
  attachments: new Map(),
  origins: new Map(),
  attachable: new Map(),
  ports: new Map(),
  counts: new Map(),
})

export const attach = (
  draft: Draft,
  key: string,
  target: Target,
  policy: Attachment["policy"],
  path: Path,
  name?: Attachment["name"],
): void => {
  const own = key as AttachmentKey
  draft.attachments.set(own, { key: own, target, inheritance: "default", policy, ...present({ name }) })
  draft.origins.set(originKey("attachments", own), path)
}

/** Ports belong to one section each; port 0 is whichever is free. */
export const claim = (draft: Draft, port: number, owner: string, path: Path): void => {
  const other = draft.ports.get(port)
  if (other === undefined) {
    if (port !== 0) draft.ports.set(port, owner)
    return
  }
  draft.to.fail(
    path,
    `port ${port} is configured by both ${other} and ${owner}; binds, llm, and mcp must use unique ports`,
  )
}
