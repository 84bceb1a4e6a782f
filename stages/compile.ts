/**
 * Snapshot → Plan. What did not change is taken over from the plan before, and a route is compiled when the first
 * exchange takes it, so the cost of a change is the size of the change.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Attachments from "../ir/attachments.ts"
import type { Bind } from "../ir/Bind.ts"
import { type Changes, diff, size, updateAttachments } from "../ir/diff.ts"
import { type FrontendPolicies, frontendPolicies, gatewayPolicies, requestFrontendPolicies } from "../ir/effective.ts"
import type { BindKey, ListenerKey, RouteGroupKey, RouteKey } from "../ir/Key.ts"
import type { Listener } from "../ir/Listener.ts"
import { portOf } from "../ir/portOf.ts"
import type { Route } from "../ir/Route.ts"
import { defaults } from "../ir/defaults.ts"
import { empty } from "../ir/emptySnapshot.ts"
import type { Snapshot } from "../ir/Snapshot.ts"
import type { ServerTls } from "../ir/Tls.ts"
import { named } from "./3-listener/match.ts"
import { makeHosts } from "./4-route/host.ts"
import { route, wayOf } from "./4-route/route.ts"
import { RouteCell } from "./4-route/RouteCell.ts"
import { makeTcp, type TcpTable } from "./4-route/tcp.ts"
import * as Tree from "./4-route/tree.ts"
import type { Gate } from "./5-policy/Gate.ts"
import { layer } from "./5-policy/layer.ts"
import { compile as compileAdmission } from "./1-accept/admission.ts"
import { compile as compileEntrance } from "./1-accept/connections.ts"
import { compile as compilePermission } from "./1-accept/permission.ts"
import type { Expressions } from "./5-policy/expression/Expressions.ts"
import { compile as compileRecording } from "./5-policy/recording.ts"
import { compile as compileTracing, type TracingPorts } from "./5-policy/tracing.ts"
import { gatewaySteps, type PolicyPorts } from "./5-policy/steps.ts"
import type { DispatchPorts } from "./6-dispatch/dispatch.ts"
import { Callees } from "./6-dispatch/Callees.ts"
import { Services } from "./6-dispatch/Services.ts"
import { compileTcp } from "./6-dispatch/tcp.ts"
import { type ConnectionLimits, frontendOf, overridden } from "./frontend.ts"
import {
  type CompiledBind,
  type CompiledListener,
  type CompiledTcpRoute,
  type FrontendSettings,
  type Plan,
  PlanUse,
} from "./Plan.ts"
import type { Network, TlsContext } from "./ports/Network.ts"
import type { Setting } from "./Setting.ts"

export type { ConnectionLimits } from "./frontend.ts"

export interface CompilePorts {
  readonly dispatch: DispatchPorts
  readonly tlsContext: Network["Service"]["tlsContext"]
  /** Limits of connections that no policy sets. */
  readonly limits: ConnectionLimits
  /** Absent: nobody proves identities or counts requests, and policies that ask for it are broken. */
  readonly gate?: Gate
  /** Absent: expressions that need the outside fail. */
  readonly expressions?: Expressions
  readonly tracing?: TracingPorts
  /** Told of every route that is compiled. */
  readonly compiled?: (route: Route) => void
}

/** What a plan hands on to the one after it. */
export interface Heritage {
  readonly attachments: Attachments.Attachments
  readonly services: Services
  readonly groups: Groups
  readonly binds: ReadonlyMap<BindKey, BoundPolicies>
  readonly listeners: ReadonlyMap<ListenerKey, CompiledFrom>
}

type Groups = ReadonlyMap<RouteGroupKey, Tree.RouteTree<Route>>

interface BoundPolicies {
  readonly policies: FrontendPolicies
  readonly frontend: FrontendSettings
}

/** What a listener was compiled from, beside its own description. */
interface CompiledFrom {
  readonly setting: Setting
  readonly tls: FrontendPolicies["Tls"]
  readonly compiled: CompiledListener
}

/** What happened to the routes of one listener or one group. */
interface RouteEdits {
  readonly remove: Array<RouteKey>
  readonly add: Array<Route>
}

/** No two settings share a number, so none is taken for another. */
let settingCount = 0

/** What `compile` has to bring into a plan that follows another. */
export const changesTo = (snapshot: Snapshot, previous: Plan | undefined): Changes =>
  diff(previous?.heritage === undefined ? empty : previous.snapshot, snapshot)

/** Compiles a snapshot, taking over from `previous` whatever is unchanged. */
export const compile: (
  ports: CompilePorts,
  snapshot: Snapshot,
  previous: Plan | undefined,
  changes?: Changes,
) => Effect.Effect<Plan> = Effect.fnUntraced(function* (
  ports,
  snapshot,
  previous,
  changes = changesTo(snapshot, previous),
) {
  const before = previous?.heritage
  const attachments =
    before === undefined
      ? Attachments.make(snapshot.attachments.values())
      : updateAttachments(before.attachments, changes.attachments)
  const services = (before?.services ?? Services.empty(ports.dispatch.whereabouts)).next(snapshot, changes)
  const edits = routeEdits(changes)
  const groups = nextGroups(before?.groups ?? new Map(), edits.groups)
  // Whatever a route may depend on beside itself; a change of it makes routes look again when they are next taken.
  const isSame =
    before !== undefined &&
    attachments === before.attachments &&
    services === before.services &&
    groups === before.groups &&
    size(changes.backends) === 0
  const tcpEdited = new Set<ListenerKey>()
  for (const { listener } of changes.tcpRoutes.added.values()) tcpEdited.add(listener)
  for (const { listener } of changes.tcpRoutes.removed.values()) tcpEdited.add(listener)
  for (const one of changes.tcpRoutes.changed.values()) tcpEdited.add(one.before.listener).add(one.after.listener)

  const siblings = new Map<BindKey, Array<Listener>>()
  for (const listener of snapshot.listeners.values()) {
    const known = siblings.get(listener.bind)
    if (known === undefined) siblings.set(listener.bind, [listener])
    else known.push(listener)
  }

  /** Routes of listeners that are new; looked for once, and only if there are any. */
  let byListener: Map<ListenerKey, Array<Route>> | undefined
  const routesOf = (key: ListenerKey): ReadonlyArray<Route> =>
    (byListener ??= routesByListener(snapshot)).get(key) ?? []

  /** For calls of the gateway's own, which belong to no listener. */
  const callPolicies: PolicyPorts = {
    clock: ports.dispatch.clock,
    maxBufferBytes: defaults.maxBufferBytes,
    ...(ports.gate === undefined ? {} : { gate: ports.gate }),
    ...(ports.expressions === undefined ? {} : { expressions: ports.expressions }),
  }

  const binds = new Map<BindKey, CompiledBind>()
  const boundPolicies = new Map<BindKey, BoundPolicies>()
  const listeners = new Map<ListenerKey, CompiledListener>()
  const from = new Map<ListenerKey, CompiledFrom>()

  const settingOf = (listener: Listener, port: number | undefined, frontend: FrontendSettings): Setting => {
    const known = before?.listeners.get(listener.key)?.setting
    if (isSame && known !== undefined && !changes.listeners.changed.has(listener.key) && known.port === port) {
      if (known.policies.maxBufferBytes === frontend.maxBufferBytes) return known
    }
    const policies: PolicyPorts =
      known?.policies.maxBufferBytes === frontend.maxBufferBytes
        ? known.policies
        : {
            clock: ports.dispatch.clock,
            maxBufferBytes: frontend.maxBufferBytes,
            ...(ports.gate === undefined ? {} : { gate: ports.gate }),
            ...(ports.expressions === undefined ? {} : { expressions: ports.expressions }),
          }
    return {
      generation: ++settingCount,
      snapshot: { backends: snapshot.backends, services: snapshot.services },
      attachments,
      services,
      groups,
      listener,
      port,
      policies,
      dispatch: ports.dispatch,
      compiled: ports.compiled ?? (() => {}),
    }
  }

  const tcpTable = (setting: Setting): TcpTable<CompiledTcpRoute> => {
    const own: Array<{ readonly route: CompiledTcpRoute["ir"]; readonly value: CompiledTcpRoute }> = []
    for (const one of snapshot.tcpRoutes.values()) {
      if (one.listener === setting.listener.key) own.push({ route: one, value: compileTcp(setting, one) })
    }
    return makeTcp(own)
  }

  const compileListener = Effect.fnUntraced(function* (
    listener: Listener,
    port: number | undefined,
    frontend: FrontendSettings,
    overrides: FrontendPolicies["Tls"],
  ) {
    const known = before?.listeners.get(listener.key)
    const setting = settingOf(listener, port, frontend)
    const edit = edits.listeners.get(listener.key)
    const routes =
      known === undefined
        ? Tree.make(routesOf(listener.key).map(candidate))
        : edit === undefined
          ? known.compiled.routes
          : Tree.change(known.compiled.routes, { remove: edit.remove, add: edit.add.map(candidate) })
    const isTlsChanged =
      changes.listeners.changed.has(listener.key) && !Equal.equals(known?.compiled.ir.tls, listener.tls)
    const tls =
      known !== undefined && !isTlsChanged && known.tls === overrides
        ? known.compiled.tls
        : yield* contextOf(ports, listener.tls, overrides)
    if (
      known !== undefined &&
      known.setting === setting &&
      known.compiled.routes === routes &&
      known.compiled.tls === tls &&
      !tcpEdited.has(listener.key)
    ) {
      return known
    }
    const tcpRoutes =
      known !== undefined && known.setting === setting && !tcpEdited.has(listener.key)
        ? known.compiled.tcpRoutes
        : tcpTable(setting)
    const steps = gatewaySteps(setting.policies, gatewayPolicies(attachments, { listener, port }))
    const recorded = requestFrontendPolicies(attachments, { listener, port })
    const recording = compileRecording(recorded.AccessLog, setting.policies)
    const tracer = compileTracing(recorded.Tracing, setting.policies, ports.tracing)
    const inner = layer(steps, named(listener, route(routes, setting)))
    const logged = recording === undefined ? inner : recording.around(inner)
    const traced: typeof inner =
      tracer === undefined
        ? logged
        : (exchange) => {
            tracer.begin(exchange)
            return logged(exchange)
          }
    const { agents, protocols } = ports.dispatch
    const push = agents?.push
    const serve = push === undefined ? traced : (protocols?.a2a?.receiving(push, traced) ?? traced)
    const compiled: CompiledListener = {
      ir: listener,
      serve,
      routes,
      wayOf: wayOf(routes, setting),
      tcpRoutes,
      tls,
      recording,
      tracer,
    }
    return { setting, tls: overrides, compiled } satisfies CompiledFrom
  })

  for (const bind of snapshot.binds.values()) {
    const own = siblings.get(bind.key) ?? []
    const port = portOf(bind)
    const gateway = own[0]?.name
    const found = frontendPolicies(
      attachments,
      { name: gateway?.gatewayName ?? "default", namespace: gateway?.gatewayNamespace ?? "default" },
      port,
    )
    const bound = reused(before?.binds.get(bind.key), ports.limits, bind, found, previous?.binds.get(bind.key)?.ir)
    boundPolicies.set(bind.key, bound)
    const compiled: Array<CompiledListener> = []
    for (const listener of own) {
      const one = yield* compileListener(listener, port, bound.frontend, bound.policies.Tls)
      compiled.push(one.compiled)
      listeners.set(listener.key, one.compiled)
      from.set(listener.key, one)
    }
    const speaking = (protocols: ReadonlyArray<string>) =>
      makeHosts(
        compiled
          .filter(({ ir }) => protocols.includes(ir.protocol))
          .map((value) => ({ hostname: value.ir.hostname, value })),
      )
    binds.set(bind.key, {
      ir: bind,
      frontend: bound.frontend,
      entrance: compileEntrance(bound.policies.ConnectionLimit, ports.gate),
      admission: compileAdmission(bound.policies.NetworkAuthorization, callPolicies, () => snapshot.workloads),
      permission: compilePermission(bound.policies.NetworkExtAuthz, callPolicies, () => plan),
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
    heritage: { attachments, services, groups, binds: boundPolicies, listeners: from },
    callees: new Callees({ snapshot, attachments, services }, ports.dispatch, callPolicies),
    use: new PlanUse(),
  }
  return plan
})

const candidate = (one: Route): Tree.Candidate<RouteCell> => ({ route: one, value: new RouteCell(one) })

const routesByListener = (snapshot: Snapshot): Map<ListenerKey, Array<Route>> => {
  const byListener = new Map<ListenerKey, Array<Route>>()
  for (const one of snapshot.routes.values()) {
    if (one.parent._tag !== "Listener") continue
    const siblings = byListener.get(one.parent.listener)
    if (siblings === undefined) byListener.set(one.parent.listener, [one])
    else siblings.push(one)
  }
  return byListener
}

const routeEdits = ({ routes }: Changes) => {
  const listeners = new Map<ListenerKey, RouteEdits>()
  const groups = new Map<RouteGroupKey, RouteEdits>()
  const at = <K>(table: Map<K, RouteEdits>, key: K): RouteEdits => {
    let edits = table.get(key)
    if (edits === undefined) table.set(key, (edits = { remove: [], add: [] }))
    return edits
  }
  const editsAt = ({ parent }: Route): RouteEdits | undefined =>
    parent._tag === "Listener"
      ? at(listeners, parent.listener)
      : parent._tag === "Group"
        ? at(groups, parent.group)
        : undefined
  for (const one of routes.removed.values()) editsAt(one)?.remove.push(one.key)
  for (const { after, before } of routes.changed.values()) {
    editsAt(before)?.remove.push(before.key)
    editsAt(after)?.add.push(after)
  }
  for (const one of routes.added.values()) editsAt(one)?.add.push(one)
  return { listeners, groups }
}

const nextGroups = (groups: Groups, edits: ReadonlyMap<RouteGroupKey, RouteEdits>): Groups => {
  if (edits.size === 0) return groups
  const next = new Map(groups)
  for (const [key, { add, remove }] of edits) {
    next.set(
      key,
      Tree.change(next.get(key) ?? Tree.empty, { remove, add: add.map((one) => ({ route: one, value: one })) }),
    )
  }
  return next
}

/** The settings of a bind, or those from before where nothing else was said. */
const reused = (
  known: BoundPolicies | undefined,
  limits: ConnectionLimits,
  bind: Bind,
  policies: FrontendPolicies,
  bindBefore: Bind | undefined,
): BoundPolicies => {
  const isSame =
    known !== undefined &&
    bindBefore?.tunnel === bind.tunnel &&
    Object.keys(known.policies).length === Object.keys(policies).length &&
    Object.entries(policies).every(([kind, policy]) => Reflect.get(known.policies, kind) === policy)
  return isSame ? known : { policies, frontend: frontendOf(limits, bind, policies) }
}

/** A certificate that cannot be used closes its own listener only. */
const contextOf = (
  ports: CompilePorts,
  tls: ServerTls | undefined,
  overrides: FrontendPolicies["Tls"],
): Effect.Effect<TlsContext | string | undefined> =>
  tls === undefined
    ? Effect.succeed(undefined)
    : Effect.match(ports.tlsContext(overridden(tls, overrides)), {
        onFailure: (invalid) => invalid.message,
        onSuccess: (context): TlsContext | string => context,
      })
