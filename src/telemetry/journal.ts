/**
 * The journal of a running gateway: metrics and access log. What can be made once for each place is made once; from then
 * on an exchange costs a few look-ups, some additions and one text.
 */
import type { BindKey, ListenerKey, TcpRouteKey } from "../../ir/Key.ts"
import { findHost } from "../../stages/4-route/host.ts"
import type { Field } from "../../stages/5-policy/recording.ts"
import type { Alarm } from "../../stages/6-dispatch/lock/LockParts.ts"
import type { Accepted, Address } from "../../stages/Connection.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { Inquiry } from "../../stages/Inquiry.ts"
import type { Live } from "../../stages/Plan.ts"
import type { Ending, Journal, RelayEnding } from "../../stages/ports/Journal.ts"
import type { TlsFacts } from "../../stages/ports/Network.ts"
import { everyField, fieldsWithout, type Format, type Line, LineWriter, type Place } from "./accessLog.ts"
import { newSpanId } from "../../protocols/trace/context.ts"
import { isRefusal, remainsOfMalformed, remainsOfRejected, remainsOfRelay } from "./connections.ts"
import type { Remains } from "./Remains.ts"
import { Counting, toSeconds } from "./Counting.ts"
import type { Levels } from "./Levels.ts"
import type { Metrics } from "./metrics.ts"
import { unknown } from "./Registry.ts"
import type { Observed } from "./observed.ts"
import { outcomeOf } from "./outcome.ts"
import { gatewayOf, type PlaceFacts, Places, routeOf } from "./places.ts"
import type { Timestamps } from "./Timestamps.ts"
import { protocolOf, spokenOf } from "./spoken.ts"
import { arranged, Told, type Witness } from "./Told.ts"
import type { Clock } from "../../stages/ports/Timer.ts"

export interface JournalParts {
  readonly metrics: Metrics
  readonly levels: Levels
  readonly timestamps: Timestamps
  readonly format: Format
  readonly write: (line: string) => void
  readonly clock: Pick<Clock, "nowMillis" | "random" | "wallMillis">
  /** Where the stories of raw connections go that were refused or broke off. */
  readonly remember?: (remains: Remains) => void
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
  private readonly places: Places
  private readonly counting: Counting
  private readonly connections = new WeakMap<Accepted, number>()
  private lastConnection: number
  private lastRequest: number

  constructor(parts: JournalParts) {
    this.parts = parts
    this.lastConnection = this.lastRequest = parts.firstNumber
    this.writer = new LineWriter(parts.format)
    this.places = new Places(this.writer)
    this.counting = new Counting(parts.metrics)
  }

  /** What happens before an exchange begins is named after the plan that serves. */
  watch(live: Live, observed?: Observed): void {
    this.places.live = live
    this.counting.observed = observed
  }

  readonly port: Journal["Service"] = {
    exchange: (exchange, ending) => this.exchange(exchange, ending),
    inquire: () => this.parts.inquire?.(),
    target: (exchange, call) =>
      this.counting.target(exchange, this.places.of(exchange), call, this.parts.clock.nowMillis()),
    alarm: (alarm) => this.alarm(alarm),
    called: (purpose, subtype, millis) => this.counting.called(purpose, subtype, millis),
    relay: (accepted, ending) => this.relay(accepted, ending),
    accepted: (bind) => this.accepted(bind),
    handshake: (bind, millis, tls) => this.handshake(bind, millis, tls),
    rejected: (bind, peer, stage, reason) => this.rejected(bind, peer, stage, reason),
    malformed: (bind, peer, status, message) => this.malformed(bind, peer, status, message),
  }

  private alarm(alarm: Alarm): void {
    this.counting.alarm(alarm)
    const { action, difference, grade, hash, kind, name, reasons, server } = alarm
    const what = kind === "instructions" || kind === "card" ? `the ${kind}` : `the ${kind} ${JSON.stringify(name)}`
    const fate = action === "hidden" ? "clients do not see it until somebody approves it" : "clients see it"
    if (!this.parts.levels.enabled("lock", "warn")) return
    this.parts.log("warn", "lock", `${what} of ${server} is not what was approved; ${fate}`, {
      grade,
      hash,
      reasons: reasons.join("; "),
      difference,
    })
  }

  private exchange(exchange: Exchange, ending: Ending): void {
    const place = this.places.of(exchange)
    const { error, reason } = outcomeOf(exchange, ending)
    const status = ending.reply?.status ?? 0
    this.counting.exchange(exchange, ending, place, status, reason)
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

  private connectionNumber(accepted: Accepted): number {
    let number = this.connections.get(accepted)
    if (number === undefined) {
      number = ++this.lastConnection
      this.connections.set(accepted, number)
    }
    return number
  }

  private accepted(bind: BindKey): void {
    this.parts.metrics.downstreamConnections.with(...this.places.transport(bind, undefined)).add(1)
  }

  private handshake(bind: BindKey, millis: number, tls: TlsFacts | undefined): void {
    const compiled = this.places.live?.current.binds.get(bind)
    const listener =
      compiled === undefined ? undefined : findHost(compiled.sealed, (tls?.serverName ?? "").toLowerCase())
    this.parts.metrics.tlsHandshake.with(...this.places.transport(bind, listener)).observe(toSeconds(millis))
  }

  private rejected(bind: BindKey, peer: Address, stage: string, reason: string): void {
    const { clock, levels, metrics } = this.parts
    metrics.downstreamRejected.with(bind, stage).add(1)
    const kept = this.keep(isRefusal(reason), (id) => {
      const [, gateway, listener] = this.places.transport(bind, undefined)
      const rejected = { bind, peer, stage, reason }
      return remainsOfRejected(id, rejected, unrouted(gateway, listener), clock.nowMillis(), clock.wallMillis())
    })
    if (!levels.enabled("connection", "debug")) return
    this.parts.log("debug", "connection", "A connection was ended before it carried anything", {
      ...Object.fromEntries(kept),
      bind,
      peer: `${peer.host}:${peer.port}`,
      stage,
      reason,
    })
  }

  private malformed(bind: BindKey, peer: Address, status: number, error: string): void {
    const [, gateway, listener] = this.places.transport(bind, undefined)
    const { clock, levels, metrics, timestamps, write } = this.parts
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
    const isTold = this.parts.remember !== undefined && isRefusal(error)
    if (!levels.request && !isTold) return
    const line: Line = {
      ...nothing,
      peer,
      status,
      protocol: "http",
      error,
      reason: "InvalidRequest",
    }
    const named = unrouted(gateway, listener)
    const kept = this.keep(isTold, (id) =>
      remainsOfMalformed(id, line, error, named, clock.nowMillis(), clock.wallMillis()),
    )
    if (!levels.request) return
    const place = this.writer.place(named, everyField)
    const more = this.writer.computed(kept)
    write(this.writer.line(timestamps.now(), place, everyField & ~fieldDuration, line, more))
  }

  private relay(accepted: Accepted, ending: RelayEnding): void {
    const plan = this.places.live?.current
    const listener = ending.listener === undefined ? undefined : plan?.listeners.get(ending.listener as ListenerKey)
    const { clock, levels, metrics, timestamps, write } = this.parts
    const labels = this.places.transport(accepted.bind, listener)
    if (ending.receivedBytes > 0) metrics.downstreamReceivedBytes.with(...labels).add(ending.receivedBytes)
    if (ending.sentBytes > 0) metrics.downstreamSentBytes.with(...labels).add(ending.sentBytes)
    const { error } = ending
    const isTold = error !== undefined && this.parts.remember !== undefined
    if (!levels.request && !isTold) return
    const route = ending.route === undefined ? undefined : plan?.snapshot.tcpRoutes.get(ending.route as TcpRouteKey)
    const fields =
      plan === undefined || listener === undefined ? everyField : this.places.fieldsAt(plan, accepted.bind, listener)
    const named = {
      gateway: listener === undefined ? undefined : gatewayOf(listener),
      listener: listener?.ir.name.listenerName ?? ending.listener,
      rule: route?.name.ruleName,
      route: route === undefined ? ending.route : routeOf(route.name),
    }
    const place = this.writer.place(named, fields)
    const { serverName } = ending
    const line: Line = {
      ...nothing,
      connection: levels.requestDebug ? this.connectionNumber(accepted) : 0,
      endpoint: ending.endpoint,
      peer: accepted.peer,
      tls:
        serverName === undefined ? undefined : { serverName, alpn: undefined, version: undefined, client: undefined },
      protocol: "tcp",
      error,
      durationMillis: ending.endedMillis - ending.startedMillis,
    }
    const kept = this.keep(isTold, (id) => {
      const endedUnixMillis = clock.wallMillis() - (clock.nowMillis() - ending.endedMillis)
      return remainsOfRelay(id, ending, error ?? "", line, named, endedUnixMillis)
    })
    if (!levels.request) return
    write(this.writer.line(timestamps.at(ending.endedMillis), place, fields, line, this.writer.computed(kept)))
  }

  /** Keeps the story of what is no exchange, under an id that its line names. */
  private keep(isTold: boolean, remainsOf: (id: string) => Remains): ReadonlyArray<Field> {
    const { clock, remember } = this.parts
    if (remember === undefined || !isTold) return nameless
    const id = newSpanId(clock.random)
    remember(remainsOf(id))
    return [["sluice.id", id]]
  }
}

const fieldDuration = everyField & ~fieldsWithout(["duration"])

const subjectOf = ({ identity }: Exchange): string | undefined => {
  const subject = identity?.jwt?.["sub"]
  return typeof subject === "string" ? subject : undefined
}

const shown = (label: string | undefined): string | undefined => (label === unknown ? undefined : label)

/** Where nothing was routed yet. */
const unrouted = (gateway: string | undefined, listener: string | undefined): Place => ({
  gateway: shown(gateway),
  listener: shown(listener),
  rule: undefined,
  route: undefined,
})

const nameless: ReadonlyArray<Field> = []

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
