/**
 * The journal of a running gateway: metrics and access log. Labels and the fixed parts of a line are made once for each
 * place an exchange can end in; from then on an exchange costs a few look-ups, some additions and one text.
 */
import * as Attachments from "../../ir/attachments.ts"
import { requestFrontendPolicies } from "../../ir/effective.ts"
import type { BindKey, ListenerKey, TcpRouteKey } from "../../ir/Key.ts"
import type { RouteName } from "../../ir/Route.ts"
import { findHost } from "../../stages/4-route/host.ts"
import type { Accepted, Address } from "../../stages/Connection.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { Inquiry } from "../../stages/Inquiry.ts"
import type { CompiledBind, CompiledListener, CompiledRoute, Live, Plan } from "../../stages/Plan.ts"
import type { Account } from "../../stages/6-dispatch/llm/Account.ts"
import type { Ending, Journal, RelayEnding } from "../../stages/ports/Journal.ts"
import type { TlsFacts } from "../../stages/ports/Network.ts"
import { message, reason } from "../../stages/Refusal.ts"
import { everyField, fieldsWithout, type Line, LineWriter, type Format, type Place } from "./accessLog.ts"
import type { Levels } from "./Levels.ts"
import type { Metrics } from "./metrics.ts"
import { type Counter, type Histogram, unknown } from "./Registry.ts"
import type { Observed } from "./observed.ts"
import type { Timestamps } from "./Timestamps.ts"
import { mcpCall, operationOf, protocolOf, spokenOf } from "./spoken.ts"
import { arranged, Told, type Witness } from "./Told.ts"
import type { Clock } from "../../stages/ports/Timer.ts"

/** Methods that have a label of their own; any other would let clients make series at will. */
const methods: ReadonlyMap<string, number> = new Map(
  ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"].map((method, i) => [method, i]),
)
const otherMethod = methods.size
const methodLabels = [...methods.keys(), "_OTHER"]

const reasons: Array<string> = []
const reasonNumbers = new Map<string, number>()

const numberOf = (reason: string): number => {
  let number = reasonNumbers.get(reason)
  if (number === undefined) {
    number = reasons.push(reason) - 1
    reasonNumbers.set(reason, number)
  }
  return number
}

const toSeconds = (millis: number): number => Math.max(0, millis) / 1000

type Labels = ReadonlyArray<string | undefined>

const noLabels: Labels = []

const lookups = { exact: "Exact", missing: "Missing", unpriced: "Unpriced", noCatalog: "NoCatalog" } as const

/** Series of one backend that are found again without asking the registry. */
const outcomesMax = 1_024

/** What exchanges with the same labels are counted by. */
interface HttpSeries {
  readonly requests: Counter
  readonly duration: Histogram
  bytes: Counter | undefined
  retries: Counter | undefined
}

interface BackendSeries {
  readonly name: string | undefined
  /** By method, status and reason in one number, so that finding one makes no text. */
  readonly byOutcome: Map<number | string, HttpSeries>
  processing: { readonly request: Histogram; readonly response: Histogram; readonly overhead: Histogram } | undefined
}

/** A route, or the lack of one, as everything that ended there has in common. */
interface PlaceFacts {
  readonly labels: readonly [bind: string, gateway: string, listener: string, route: string, rule: string]
  readonly named: Place
  readonly text: string
  readonly fields: number
  readonly backends: Map<string | undefined, BackendSeries>
}

interface ListenerFacts {
  readonly none: PlaceFacts
  readonly routes: Map<CompiledRoute, PlaceFacts>
}

interface PlanFacts {
  readonly attachments: () => Attachments.Attachments
  readonly listeners: Map<CompiledListener, ListenerFacts>
  /** Where no listener took the exchange. */
  readonly binds: Map<BindKey, PlaceFacts>
}

const gatewayOf = ({ ir }: CompiledListener): string => `${ir.name.gatewayNamespace}/${ir.name.gatewayName}`

const routeOf = (name: RouteName): string => `${name.namespace}/${name.name}`

/** Why an exchange ended as it did; absent where an upstream simply answered. */
const outcomeOf = (
  exchange: Exchange,
  ending: Ending,
): { readonly reason: string; readonly error: string | undefined } => {
  const { refusal } = exchange.trail
  if (refusal !== undefined) return { reason: reason(refusal), error: message(refusal) }
  switch (ending.outcome) {
    case "answered":
      return ending.reply?.origin === "gateway" ? direct : fromUpstream
    case "upstreamFailed":
      return {
        reason: "UpstreamFailure",
        error: ending.delivered?.failure?.message ?? "the upstream broke off its reply",
      }
    case "drained":
      return drained
    case "clientGone":
      return {
        reason: "ClientGone",
        error: ending.delivered?.failure?.message ?? "the client left in the middle of the reply",
      }
    case "interrupted":
      return interrupted
  }
}

const fromUpstream = { reason: "Upstream", error: undefined }
const direct = { reason: "DirectResponse", error: undefined }
const drained = { reason: "Drained", error: "the gateway shut down before the end of the reply" }
const interrupted = { reason: "ClientGone", error: "the client left before there was a reply" }

export interface JournalParts {
  readonly metrics: Metrics
  readonly levels: Levels
  readonly timestamps: Timestamps
  readonly format: Format
  readonly write: (line: string) => void
  readonly clock: Pick<Clock, "nowMillis" | "wallMillis">
  /** Asked for each exchange: an inquiry where all are to tell their story. */
  readonly inquire?: () => Inquiry | undefined
  /** Whoever else writes down what happened. */
  readonly witnesses: ReadonlyArray<Witness>
  /** Connections and requests are numbered from here on, so that no two threads use the same number. */
  readonly firstNumber: number
  /** The application log, for what is no exchange. */
  readonly log: (
    level: "debug" | "warn",
    target: string,
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ) => void
}

export class TelemetryJournal {
  private readonly parts: JournalParts
  private readonly writer: LineWriter
  private readonly plans = new WeakMap<Plan, PlanFacts>()
  private readonly primaryCall: Histogram
  private readonly transports = new WeakMap<Plan, Map<string, ReadonlyArray<string>>>()
  private readonly connections = new WeakMap<Accepted, number>()
  private lastConnection: number
  private lastRequest: number
  /** Names of binds and listeners that only a plan knows. */
  private live: Live | undefined
  private observed: Observed | undefined

  constructor(parts: JournalParts) {
    this.parts = parts
    this.lastConnection = this.lastRequest = parts.firstNumber
    this.writer = new LineWriter(parts.format)
    this.primaryCall = parts.metrics.upstreamCall.with("Primary", "Http")
  }

  /** What happens before an exchange begins is named after the plan that serves. */
  watch(live: Live, observed?: Observed): void {
    this.live = live
    this.observed = observed
  }

  readonly port: Journal["Service"] = {
    exchange: (exchange, ending) => this.exchange(exchange, ending),
    inquire: () => this.parts.inquire?.(),
    relay: (accepted, ending) => this.relay(accepted, ending),
    accepted: (bind) => this.accepted(bind),
    handshake: (bind, millis, tls) => this.handshake(bind, millis, tls),
    rejected: (bind, peer, stage, reason) => this.rejected(bind, peer, stage, reason),
    malformed: (bind, peer, status, message) => this.malformed(bind, peer, status, message),
  }

  private exchange(exchange: Exchange, ending: Ending): void {
    const place = this.placeOf(exchange)
    const { error, reason } = outcomeOf(exchange, ending)
    const status = ending.reply?.status ?? 0
    this.count(exchange, ending, place, status, reason)
    const { levels, witnesses } = this.parts
    let line: Line | undefined
    let told: Told | undefined
    for (let i = 0; i < witnesses.length; i++) {
      const witness = witnesses[i] as Witness
      if (!witness.wants(exchange, ending)) continue
      line ??= this.lineOf(exchange, ending, status, error, reason)
      told ??= this.toldOf(exchange, ending, line, place, reason)
      witness.tell(told)
    }
    if (levels.request) this.log(exchange, ending, place, line ?? this.lineOf(exchange, ending, status, error, reason))
  }

  /** Writes the line of the access log. */
  private log(exchange: Exchange, ending: Ending, place: PlaceFacts, line: Line): void {
    const { timestamps, write } = this.parts
    const recording = exchange.trail.listener?.recording
    const computed = recording?.fields(exchange, ending)
    if (recording !== undefined && computed === undefined) return
    const spoken = spokenOf(exchange)
    const all =
      recording === undefined || computed === undefined ? spoken : arranged(spoken, recording.removed, computed)
    const more = all.length === 0 ? "" : this.writer.computed(all)
    write(this.writer.line(timestamps.at(ending.endedMillis), place.text, place.fields, line, more))
  }

  private toldOf(exchange: Exchange, ending: Ending, line: Line, place: PlaceFacts, reason: string): Told {
    const { clock } = this.parts
    const endedUnixMillis = clock.wallMillis() - (clock.nowMillis() - ending.endedMillis)
    return new Told(exchange, ending, line, place.named, reason, spokenOf(exchange), endedUnixMillis)
  }

  private lineOf(exchange: Exchange, ending: Ending, status: number, error: string | undefined, reason: string): Line {
    const { trace, trail } = exchange
    const { levels } = this.parts
    const asked = exchange.original ?? exchange.request
    const { accepted } = exchange.bound.secured
    const debug = levels.requestDebug
    return {
      connection: debug ? this.connectionNumber(accepted) : 0,
      request: debug ? ++this.lastRequest : 0,
      endpoint: trail.endpoint?.label,
      peer: accepted.peer,
      tls: exchange.bound.secured.tls,
      method: exchange.request.method,
      host: asked.host === "" ? undefined : asked.host,
      path: asked.path,
      query: asked.query,
      version: exchange.request.version,
      status,
      grpcStatus: ending.reply?.headers.get("grpc-status"),
      traceId: trace?.traceId,
      spanId: trace?.spanId,
      subject: subjectOf(exchange),
      protocol: protocolOf(exchange),
      attempts: trail.attempts,
      error,
      reason: reason === "Upstream" ? undefined : reason,
      durationMillis: ending.endedMillis - exchange.startedMillis,
    }
  }

  private count(exchange: Exchange, ending: Ending, place: PlaceFacts, status: number, reason: string): void {
    const { trail } = exchange
    const backend = place.backends.get(trail.backend) ?? this.backendOf(place, trail.backend)
    const method = methods.get(exchange.request.method) ?? otherMethod
    const protocol = protocolOf(exchange)
    const number = ((numberOf(reason) * 16 + method) * 8 + (protocolNumbers[protocol] ?? 0)) * 1024 + status
    const more = this.observed?.labels?.(exchange, ending) ?? noLabels
    const key = more.length === 0 ? number : `${number} ${JSON.stringify(more)}`
    const series =
      backend.byOutcome.get(key) ?? this.seriesOf(place, backend, key, { protocol, method, status, reason, more })
    series.requests.value++
    series.duration.observe(toSeconds(ending.endedMillis - exchange.startedMillis))
    const bytes = ending.delivered?.bytes ?? 0
    if (bytes > 0)
      (series.bytes ??= this.bytesOf(place, backend, { protocol, method, status, reason, more })).value += bytes
    if (trail.attempts > 1) {
      series.retries ??= this.parts.metrics.retries.with(
        ...httpLabels(place, backend, { protocol, method, status, reason, more }),
      )
      series.retries.value += trail.attempts - 1
    }
    if (exchange.notes?.mcp !== undefined) this.tool(exchange, exchange.notes.mcp, place, more)
    // A model's last words may come after those of the exchange.
    exchange.notes?.llm?.watch((account) => this.model(account, place, more))
    if (trail.upstreamStartMillis === 0) return
    const processing =
      more.length === 0
        ? (backend.processing ??= this.processingOf(place, backend, more))
        : this.processingOf(place, backend, more)
    processing.request.observe(toSeconds(trail.upstreamStartMillis - exchange.startedMillis))
    const answeredMillis = trail.upstreamHeadMillis
    this.primaryCall.observe(
      toSeconds((answeredMillis === 0 ? ending.endedMillis : answeredMillis) - trail.upstreamStartMillis),
    )
    if (answeredMillis !== 0 && trail.replyMillis !== 0) {
      processing.response.observe(toSeconds(trail.replyMillis - answeredMillis))
      const before = trail.upstreamStartMillis - exchange.startedMillis - trail.waitedMillis
      processing.overhead.observe(toSeconds(before + trail.replyMillis - answeredMillis))
    }
  }

  private tool({ trail }: Exchange, notes: Parameters<typeof mcpCall>[0], place: PlaceFacts, more: Labels): void {
    const call = mcpCall(notes)
    if (call === undefined) return
    const { mcpRequests, mcpTarget } = this.parts.metrics
    const labels = [...place.labels, ...more]
    // The address of a resource is the client's own; tools and prompts are those that servers list.
    const resource = call.kind === "resource" ? undefined : call.name
    mcpRequests.with(call.method, call.kind, call.target, resource, ...labels).add(1)
    if (trail.waitedMillis > 0) {
      mcpTarget.with(call.method, call.target, ...labels).observe(toSeconds(trail.waitedMillis))
    }
  }

  /** Calls of models are slow and dear: looking their series up is not what they cost. */
  private model(account: Account, place: PlaceFacts, more: Labels): void {
    const { costLookups, firstToken, modelDuration, perToken, tokenCost, tokenUsage } = this.parts.metrics
    const { cost, priced, usage } = account
    const labels = [
      operationOf(account),
      account.provider,
      account.requestModel,
      account.responseModel,
      ...place.labels,
      ...more,
    ]
    const tokens = (type: string, count: number | undefined): void => {
      if (count !== undefined) tokenUsage.with(type, ...labels).observe(count)
    }
    tokens("input", usage?.inputTokens)
    tokens("output", usage?.outputTokens)
    tokens("input_cache_read", usage?.cacheReadTokens)
    tokens("input_cache_write", usage?.cacheWriteTokens)
    if (cost !== undefined) tokenCost.with(...labels).add(cost.total)
    costLookups.with(lookups[priced], ...labels).add(1)
    modelDuration.with(...labels).observe(toSeconds(account.endedMillis - account.startedMillis))
    const first = account.timeToFirstTokenMillis
    if (first !== undefined) firstToken.with(...labels).observe(toSeconds(first))
    const each = account.timePerOutputTokenMillis
    if (each !== undefined) perToken.with(...labels).observe(toSeconds(each))
  }

  private backendOf(place: PlaceFacts, name: string | undefined): BackendSeries {
    const series: BackendSeries = { name, byOutcome: new Map(), processing: undefined }
    place.backends.set(name, series)
    return series
  }

  private seriesOf(place: PlaceFacts, backend: BackendSeries, key: number | string, outcome: Outcome): HttpSeries {
    const { metrics } = this.parts
    const labels = httpLabels(place, backend, outcome)
    const series: HttpSeries = {
      requests: metrics.requests.with(...labels),
      duration: metrics.requestDuration.with(...labels),
      bytes: undefined,
      retries: undefined,
    }
    // What clients can make at will is bounded by the registry; it is remembered here only as far as it is few.
    if (backend.byOutcome.size < outcomesMax) backend.byOutcome.set(key, series)
    return series
  }

  private bytesOf(place: PlaceFacts, backend: BackendSeries, outcome: Outcome): Counter {
    return this.parts.metrics.responseBytes.with(...httpLabels(place, backend, outcome))
  }

  private processingOf(
    place: PlaceFacts,
    { name }: BackendSeries,
    more: Labels,
  ): NonNullable<BackendSeries["processing"]> {
    const { overhead, requestProcessing, responseProcessing } = this.parts.metrics
    return {
      request: requestProcessing.with(name, ...place.labels, ...more),
      response: responseProcessing.with(name, ...place.labels, ...more),
      overhead: overhead.with(name, ...place.labels, ...more),
    }
  }

  private placeOf(exchange: Exchange): PlaceFacts {
    const { plan, trail } = exchange
    const facts = this.plans.get(plan) ?? this.factsOf(plan)
    const bind = exchange.bound.secured.accepted.bind
    const { bound } = exchange
    const listener = trail.listener ?? (bound.listener === undefined ? undefined : plan.listeners.get(bound.listener))
    if (listener === undefined) return facts.binds.get(bind) ?? this.bindPlace(plan, facts, bind)
    const known = facts.listeners.get(listener) ?? this.listenerFacts(plan, facts, bind, listener)
    if (trail.route === undefined) return known.none
    return known.routes.get(trail.route) ?? this.routePlace(known, listener, trail.route)
  }

  private factsOf(plan: Plan): PlanFacts {
    let attachments: Attachments.Attachments | undefined
    const facts: PlanFacts = {
      attachments: () =>
        (attachments ??= plan.heritage?.attachments ?? Attachments.make(plan.snapshot.attachments.values())),
      listeners: new Map(),
      binds: new Map(),
    }
    this.plans.set(plan, facts)
    return facts
  }

  private bindPlace(plan: Plan, facts: PlanFacts, bind: BindKey): PlaceFacts {
    const gateway = transportOf(plan.binds.get(bind), plan, undefined)[1] as string
    const shown = gateway === unknown ? undefined : gateway
    const place = this.place(
      bind,
      { gateway: shown, listener: undefined, rule: undefined, route: undefined },
      everyField,
    )
    facts.binds.set(bind, place)
    return place
  }

  private listenerFacts(plan: Plan, facts: PlanFacts, bind: BindKey, listener: CompiledListener): ListenerFacts {
    const address = plan.binds.get(bind)?.ir.address
    const port = address?._tag === "Ip" || address?._tag === "Internal" ? address.port : undefined
    const policies = requestFrontendPolicies(facts.attachments(), { listener: listener.ir, port })
    // What is computed takes the place of what the gateway would write itself.
    const fields = fieldsWithout([...(policies.AccessLog?.fields.remove ?? []), ...(listener.recording?.names ?? [])])
    const named = { gateway: gatewayOf(listener), listener: listener.ir.name.listenerName }
    const known: ListenerFacts = {
      none: this.place(bind, { ...named, rule: undefined, route: undefined }, fields),
      routes: new Map(),
    }
    facts.listeners.set(listener, known)
    return known
  }

  private routePlace(known: ListenerFacts, listener: CompiledListener, route: CompiledRoute): PlaceFacts {
    const { name } = route.ir
    const place = this.place(
      known.none.labels[0],
      {
        gateway: gatewayOf(listener),
        listener: listener.ir.name.listenerName,
        rule: name.ruleName,
        route: routeOf(name),
      },
      known.none.fields,
    )
    known.routes.set(route, place)
    return place
  }

  private place(bind: string, named: Place, fields: number): PlaceFacts {
    const { gateway = unknown, listener = unknown, route = unknown, rule = unknown } = named
    return {
      labels: [bind, gateway, listener, route, rule],
      named,
      text: this.writer.place(named, fields),
      fields,
      backends: new Map(),
    }
  }

  private connectionNumber(accepted: Accepted): number {
    let number = this.connections.get(accepted)
    if (number === undefined) {
      number = ++this.lastConnection
      this.connections.set(accepted, number)
    }
    return number
  }

  /** The transport labels of a bind, by the listener when one is known. */
  private transport(bind: BindKey, listener: CompiledListener | undefined): ReadonlyArray<string> {
    const plan = this.live?.current
    if (plan === undefined) return [bind]
    let known = this.transports.get(plan)
    if (known === undefined) this.transports.set(plan, (known = new Map()))
    const key = listener === undefined ? bind : `${bind} ${listener.ir.key}`
    let labels = known.get(key)
    if (labels === undefined)
      known.set(key, (labels = [bind, ...transportOf(plan.binds.get(bind), plan, listener).slice(1)]))
    return labels
  }

  private accepted(bind: BindKey): void {
    this.parts.metrics.downstreamConnections.with(...this.transport(bind, undefined)).add(1)
  }

  private handshake(bind: BindKey, millis: number, tls: TlsFacts | undefined): void {
    const compiled = this.live?.current.binds.get(bind)
    const listener =
      compiled === undefined ? undefined : findHost(compiled.sealed, (tls?.serverName ?? "").toLowerCase())
    this.parts.metrics.tlsHandshake.with(...this.transport(bind, listener)).observe(toSeconds(millis))
  }

  private rejected(bind: BindKey, peer: Address, stage: string, reason: string): void {
    this.parts.metrics.downstreamRejected.with(bind, stage).add(1)
    if (!this.parts.levels.enabled("connection", "debug")) return
    this.parts.log("debug", "connection", "A connection was ended before it carried anything", {
      bind,
      peer: `${peer.host}:${peer.port}`,
      stage,
      reason,
    })
  }

  private malformed(bind: BindKey, peer: Address, status: number, error: string): void {
    const [, gateway, listener] = this.transport(bind, undefined)
    const { levels, metrics, timestamps, write } = this.parts
    metrics.requests
      .with(
        undefined,
        "http",
        undefined,
        String(status),
        "InvalidRequest",
        bind,
        gateway,
        listener,
        undefined,
        undefined,
      )
      .add(1)
    if (!levels.request) return
    const line: Line = {
      ...nothing,
      peer,
      status,
      protocol: "http",
      error,
      reason: "InvalidRequest",
    }
    const place = this.writer.place(
      { gateway: shown(gateway), listener: shown(listener), rule: undefined, route: undefined },
      everyField,
    )
    write(this.writer.line(timestamps.now(), place, everyField & ~fieldDuration, line))
  }

  private relay(accepted: Accepted, ending: RelayEnding): void {
    const plan = this.live?.current
    const listener = ending.listener === undefined ? undefined : plan?.listeners.get(ending.listener as ListenerKey)
    const { levels, metrics, timestamps, write } = this.parts
    const labels = this.transport(accepted.bind, listener)
    if (ending.receivedBytes > 0) metrics.downstreamReceivedBytes.with(...labels).add(ending.receivedBytes)
    if (ending.sentBytes > 0) metrics.downstreamSentBytes.with(...labels).add(ending.sentBytes)
    if (!levels.request) return
    const route = ending.route === undefined ? undefined : plan?.snapshot.tcpRoutes.get(ending.route as TcpRouteKey)
    const facts = plan === undefined ? undefined : (this.plans.get(plan) ?? this.factsOf(plan))
    const known =
      plan === undefined || facts === undefined || listener === undefined
        ? undefined
        : (facts.listeners.get(listener) ?? this.listenerFacts(plan, facts, accepted.bind, listener))
    const fields = known?.none.fields ?? everyField
    const place = this.writer.place(
      {
        gateway: listener === undefined ? undefined : gatewayOf(listener),
        listener: listener?.ir.name.listenerName ?? ending.listener,
        rule: route?.name.ruleName,
        route: route === undefined ? ending.route : routeOf(route.name),
      },
      fields,
    )
    const { serverName } = ending
    const line: Line = {
      ...nothing,
      connection: levels.requestDebug ? this.connectionNumber(accepted) : 0,
      endpoint: ending.endpoint,
      peer: accepted.peer,
      tls:
        serverName === undefined ? undefined : { serverName, alpn: undefined, version: undefined, client: undefined },
      protocol: "tcp",
      error: ending.error,
      durationMillis: ending.endedMillis - ending.startedMillis,
    }
    write(this.writer.line(timestamps.at(ending.endedMillis), place, fields, line))
  }
}

const fieldDuration = everyField & ~fieldsWithout(["duration"])

const subjectOf = ({ identity }: Exchange): string | undefined => {
  const subject = identity?.jwt?.["sub"]
  return typeof subject === "string" ? subject : undefined
}

const shown = (label: string | undefined): string | undefined => (label === unknown ? undefined : label)

const nothing: Omit<Line, "peer" | "protocol"> = {
  connection: 0,
  request: 0,
  endpoint: undefined,
  tls: undefined,
  method: undefined,
  host: undefined,
  path: undefined,
  query: undefined,
  version: undefined,
  status: 0,
  grpcStatus: undefined,
  traceId: undefined,
  spanId: undefined,
  subject: undefined,
  attempts: 0,
  error: undefined,
  reason: undefined,
  durationMillis: 0,
}

/** What tells one series of a backend from another. */
interface Outcome {
  readonly protocol: string
  readonly method: number
  readonly status: number
  readonly reason: string
  readonly more: Labels
}

const protocolNumbers: Readonly<Record<string, number>> = { http: 0, llm: 1, mcp: 2, a2a: 3 }

const httpLabels = (
  place: PlaceFacts,
  { name }: BackendSeries,
  { method, more, protocol, reason, status }: Outcome,
): Labels => [
  name,
  protocol,
  methodLabels[method],
  status === 0 ? undefined : String(status),
  reason,
  ...place.labels,
  ...more,
]

/** Bind, gateway, listener and protocol, as far as all listeners of the bind agree on them. */
const transportOf = (
  bind: CompiledBind | undefined,
  plan: Plan,
  listener: CompiledListener | undefined,
): ReadonlyArray<string> => {
  if (bind === undefined) return [unknown, unknown, unknown, unknown]
  const listeners =
    listener === undefined ? [...plan.listeners.values()].filter(({ ir }) => ir.bind === bind.ir.key) : [listener]
  const agreed = (of: (listener: CompiledListener) => string): string => {
    const all = new Set(listeners.map(of))
    return all.size === 1 ? ([...all][0] as string) : unknown
  }
  return [
    bind.ir.key,
    agreed(gatewayOf),
    agreed(({ ir }) => ir.name.listenerName),
    agreed(({ ir }) => ir.protocol.toLowerCase()),
  ]
}
