/**
 * A snapshot, compiled: everything that could be decided when the configuration changed was decided then.
 * An exchange reads the current plan once, on arrival, and keeps it to its end.
 */
import type { Bind } from "../ir/Bind.ts"
import type { BindKey, ListenerKey } from "../ir/Key.ts"
import type { Listener } from "../ir/Listener.ts"
import type { Route } from "../ir/Route.ts"
import type { Snapshot } from "../ir/Snapshot.ts"
import type { TcpRoute } from "../ir/TcpRoute.ts"
import type { Admission } from "./1-accept/admission.ts"
import type { Entrance } from "./1-accept/connections.ts"
import type { Permission } from "./1-accept/permission.ts"
import type { Hosts } from "./4-route/host.ts"
import type { TcpTable } from "./4-route/tcp.ts"
import type { RouteCell } from "./4-route/RouteCell.ts"
import type { RouteTree } from "./4-route/tree.ts"
import type { Calls } from "./Call.ts"
import type { Recording } from "./5-policy/recording.ts"
import type { Tracer } from "./5-policy/tracing.ts"
import type { Heritage } from "./compile.ts"
import type { Exchange, Request, Routed, Service } from "./Exchange.ts"
import type { HttpSettings, KeepAlive, TlsContext } from "./ports/Network.ts"
import type { TcpTarget } from "./6-dispatch/tcp.ts"

/** A route that is ready to serve. */
export interface CompiledRoute {
  readonly ir: Route
  /** The routes that led here, outermost first, this one last. */
  readonly chain: ReadonlyArray<Route>
  readonly serve: Service<Routed>
  /** At hand for whoever counts exchanges, who would have to look for it otherwise; it is nobody else's. */
  place?: unknown
}

export interface CompiledTcpRoute {
  readonly ir: TcpRoute
  readonly targets: ReadonlyArray<{ readonly weight: number; readonly target: TcpTarget }>
}

export interface CompiledListener {
  readonly ir: Listener
  /** Gateway-phase policies, route choice, and all that follows. */
  readonly serve: Service<Exchange>
  readonly routes: RouteTree<RouteCell>
  /** Where a request would go; the same as before a change that does not concern it. */
  readonly wayOf: (request: Request) => CompiledRoute | undefined
  readonly tcpRoutes: TcpTable<CompiledTcpRoute>
  /** Absent: plaintext, or TLS that passes through. A text says why the certificate cannot be used. */
  readonly tls: TlsContext | string | undefined
  /** Absent: nothing that is written of its exchanges is computed. */
  readonly recording?: Recording | undefined
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer | undefined
}

/** What the frontend policies of a bind say. */
export interface FrontendSettings {
  readonly http: HttpSettings
  readonly maxConnectionDurationMillis: number | undefined
  readonly maxBufferBytes: number
  readonly handshakeTimeoutMillis: number
  readonly alpn: ReadonlyArray<string>
  readonly keepAlive: KeepAlive
  readonly proxyProtocol: { readonly version: "v1" | "v2" | "all"; readonly mode: "strict" | "optional" } | undefined
  readonly connect: "deny" | "route" | "tunnel"
}

export interface CompiledBind {
  readonly ir: Bind
  readonly frontend: FrontendSettings
  /** Absent: there is room for every connection. */
  readonly entrance?: Entrance | undefined
  /** Absent: every connection may stay. */
  readonly admission?: Admission | undefined
  /** Another service that is asked about connections; absent: nobody is. */
  readonly permission?: Permission | undefined
  /** Listeners that take plaintext HTTP. */
  readonly plaintext: Hosts<CompiledListener>
  /** Listeners that are chosen by server name. */
  readonly sealed: Hosts<CompiledListener>
  /** The listener of a raw TCP bind. */
  readonly tcp: CompiledListener | undefined
}

export interface Plan {
  readonly version: number
  readonly snapshot: Snapshot
  readonly binds: ReadonlyMap<BindKey, CompiledBind>
  readonly listeners: ReadonlyMap<ListenerKey, CompiledListener>
  /** The services that the gateway calls itself. */
  readonly callees: Calls
  /** Exchanges and connections that still use this plan; its resources are let go when it is 0 and a newer one serves. */
  readonly use: PlanUse
  /** What the next plan takes over; absent where a plan was not compiled. */
  readonly heritage?: Heritage
}

/** Counts who is still inside. */
export class PlanUse {
  count = 0
  private retired: (() => void) | undefined

  enter(): void {
    this.count++
  }

  leave(): void {
    this.count--
    if (this.count === 0 && this.retired !== undefined) {
      const retired = this.retired
      this.retired = undefined
      retired()
    }
  }

  /** Calls back as soon as nobody is inside any more. */
  retire(whenEmpty: () => void): void {
    if (this.count === 0) whenEmpty()
    else this.retired = whenEmpty
  }
}

/** Where the current plan is found. */
export interface Live {
  current: Plan
}
