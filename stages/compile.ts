/**
 * Snapshot → Plan. What did not change is taken over from the plan before, and a route is compiled when the first
 * exchange takes it, so the cost of a change is the size of the change.
 */
import * as Effect from "effect/Effect"
import * as Attachments from "../ir/attachments.ts"
import type { Bind } from "../ir/Bind.ts"
import { defaults, keepalive } from "../ir/defaults.ts"
import { type FrontendPolicies, frontendPolicies, gatewayPolicies, routePolicies } from "../ir/effective.ts"
import type { BindKey, ListenerKey, RouteKey } from "../ir/Key.ts"
import type { Listener } from "../ir/Listener.ts"
import type { Route } from "../ir/Route.ts"
import type { Snapshot } from "../ir/Snapshot.ts"
import type { ServerTls } from "../ir/Tls.ts"
import { named } from "./3-listener/match.ts"
import { makeHosts } from "./4-route/host.ts"
import { route } from "./4-route/route.ts"
import { makeTcp } from "./4-route/tcp.ts"
import * as Tree from "./4-route/tree.ts"
import { layer } from "./5-policy/layer.ts"
import { gatewaySteps, type PolicyPorts, routeSteps } from "./5-policy/steps.ts"
import { dispatch, type DispatchPorts } from "./6-dispatch/dispatch.ts"
import {
  type CompiledBind,
  type CompiledListener,
  type CompiledRoute,
  type FrontendSettings,
  type Plan,
  PlanUse,
  type RouteCell,
} from "./Plan.ts"
import type { Network, TlsContext } from "./ports/Network.ts"

export interface CompilePorts {
  readonly dispatch: DispatchPorts
  readonly tlsContext: Network["Service"]["tlsContext"]
  /** Limits of connections that no policy sets. */
  readonly limits: ConnectionLimits
}

export interface ConnectionLimits {
  readonly headBytesMax: number
  readonly headTimeoutMillis: number
  readonly bodyIdleTimeoutMillis: number
  readonly writeStallTimeoutMillis: number
  readonly http2StreamsMax: number
}

const portOf = (bind: Bind): number | undefined => (bind.address._tag === "Unix" ? undefined : bind.address.port)

const frontendOf = (limits: ConnectionLimits, bind: Bind, policies: FrontendPolicies): FrontendSettings => {
  const http = policies.Http
  const idleTimeoutMillis = http?.http1IdleTimeoutMillis ?? defaults.http1IdleTimeoutMillis
  return {
    http: {
      headBytesMax: limits.headBytesMax,
      headersMax: http?.http1MaxHeaders ?? defaults.http1MaxHeaders,
      headTimeoutMillis: Math.min(limits.headTimeoutMillis, idleTimeoutMillis),
      bodyIdleTimeoutMillis: limits.bodyIdleTimeoutMillis,
      writeStallTimeoutMillis: limits.writeStallTimeoutMillis,
      idleTimeoutMillis,
      headerCase: http?.http1HeaderCase ?? defaults.http1HeaderCase,
      http2: {
        windowBytes: http?.http2WindowBytes,
        connectionWindowBytes: http?.http2ConnectionWindowBytes,
        frameBytes: http?.http2FrameBytes,
        headBytesMax: http?.http2MaxHeaderBytes,
        keepaliveIntervalMillis: http?.http2KeepaliveIntervalMillis,
        keepaliveTimeoutMillis: http?.http2KeepaliveTimeoutMillis,
        streamsMax: limits.http2StreamsMax,
      },
    },
    maxConnectionDurationMillis: http?.maxConnectionMillis,
    maxBufferBytes: http?.maxBufferBytes ?? defaults.maxBufferBytes,
    handshakeTimeoutMillis: policies.Tls?.handshakeTimeoutMillis ?? defaults.handshakeTimeoutMillis,
    alpn: policies.Tls?.alpn ?? defaults.alpn,
    keepAlive: policies.Tcp?.keepalive ?? keepalive,
    proxyProtocol:
      policies.ProxyProtocol ??
      (bind.tunnel === "proxy" ? { version: defaults.proxyVersion, mode: defaults.proxyMode } : undefined),
    connect: bind.tunnel === "connect" ? "tunnel" : (policies.Connect?.mode ?? defaults.connectMode),
  }
}

/** Compiles a snapshot, taking over from `previous` whatever is unchanged. */
export const compile: (ports: CompilePorts, snapshot: Snapshot, previous: Plan | undefined) => Effect.Effect<Plan> =
  Effect.fnUntraced(function* (ports, snapshot, previous) {
    const attachments = Attachments.make(snapshot.attachments.values())
    const binds = new Map<BindKey, CompiledBind>()
    const listeners = new Map<ListenerKey, CompiledListener>()
    const cells = new Map<RouteKey, RouteCell>()

    const routesOf = new Map<ListenerKey, Array<Route>>()
    for (const one of snapshot.routes.values()) {
      if (one.parent._tag !== "Listener") continue
      const siblings = routesOf.get(one.parent.listener)
      if (siblings === undefined) routesOf.set(one.parent.listener, [one])
      else siblings.push(one)
    }

    const compileListener = Effect.fnUntraced(function* (
      listener: Listener,
      bind: Bind,
      frontend: FrontendSettings,
      overrides: FrontendPolicies["Tls"],
    ) {
      const port = portOf(bind)
      const policyPorts: PolicyPorts = { clock: ports.dispatch.clock, maxBufferBytes: frontend.maxBufferBytes }
      const cellOf = (one: Route): RouteCell => {
        let compiled: CompiledRoute | undefined
        return {
          ir: one,
          get: () => {
            if (compiled !== undefined) return compiled
            const policies = routePolicies(attachments, { listener, port, routes: [one] })
            const steps = routeSteps(policyPorts, policies)
            return (compiled = {
              ir: one,
              chain: [one],
              serve: layer(steps, dispatch(ports.dispatch, snapshot, one.backends)),
            })
          },
        }
      }
      const own = (routesOf.get(listener.key) ?? []).map((one) => {
        const value = cellOf(one)
        cells.set(one.key, value)
        return { route: one, value }
      })
      const routes = Tree.make(own)
      const tcpRoutes = makeTcp<never>([])
      const tls = yield* contextOf(ports, listener, overrides)
      const steps = gatewaySteps(policyPorts, gatewayPolicies(attachments, { listener, port }))
      const compiled: CompiledListener = {
        ir: listener,
        serve: layer(steps, named(listener, route(routes))),
        routes,
        tcpRoutes,
        tls,
      }
      return compiled
    })

    for (const bind of snapshot.binds.values()) {
      const own = [...snapshot.listeners.values()].filter((listener) => listener.bind === bind.key)
      const gateway = own[0]?.name
      const policies = frontendPolicies(
        attachments,
        { name: gateway?.gatewayName ?? "default", namespace: gateway?.gatewayNamespace ?? "default" },
        portOf(bind),
      )
      const frontend = frontendOf(ports.limits, bind, policies)
      const compiled: Array<CompiledListener> = []
      for (const listener of own) {
        const one = yield* compileListener(listener, bind, frontend, policies.Tls)
        compiled.push(one)
        listeners.set(listener.key, one)
      }
      const speaking = (protocols: ReadonlyArray<string>) =>
        makeHosts(
          compiled
            .filter(({ ir }) => protocols.includes(ir.protocol))
            .map((value) => ({ hostname: value.ir.hostname, value })),
        )
      binds.set(bind.key, {
        ir: bind,
        frontend,
        plaintext: speaking(["HTTP"]),
        sealed: speaking(["HTTPS", "TLS"]),
        tcp: compiled.find(({ ir }) => ir.protocol === "TCP"),
      })
    }

    const plan: Plan = {
      version: (previous?.version ?? 0) + 1,
      snapshot,
      binds,
      listeners,
      cells,
      use: new PlanUse(),
    }
    return plan
  })

/** A certificate that cannot be used closes its own listener only. */
const contextOf = (
  ports: CompilePorts,
  { tls }: Listener,
  overrides: FrontendPolicies["Tls"],
): Effect.Effect<TlsContext | string | undefined> =>
  tls === undefined
    ? Effect.succeed(undefined)
    : Effect.match(ports.tlsContext(overridden(tls, overrides)), {
        onFailure: (invalid) => invalid.message,
        onSuccess: (context): TlsContext | string => context,
      })

/** What the frontend policy sets takes the place of what the listener says. */
const overridden = (tls: ServerTls, overrides: FrontendPolicies["Tls"]): ServerTls => {
  const { cipherSuites, keyExchangeGroups, maxVersion, minVersion } = overrides ?? {}
  if ((minVersion ?? maxVersion ?? cipherSuites ?? keyExchangeGroups) === undefined) return tls
  return {
    ...tls,
    minVersion: minVersion ?? tls.minVersion,
    maxVersion: maxVersion ?? tls.maxVersion,
    cipherSuites: cipherSuites ?? tls.cipherSuites,
    keyExchangeGroups: keyExchangeGroups ?? tls.keyExchangeGroups,
  }
}
