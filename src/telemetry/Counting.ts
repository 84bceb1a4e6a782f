/**
 * What exchanges are counted by. The series of each place are found once; from then on an exchange costs a few look-ups
 * and some additions.
 */
import type { Alarm } from "../../stages/6-dispatch/lock/ServerLock.ts"
import type { Account } from "../../stages/6-dispatch/llm/Account.ts"
import { operationOf } from "../../stages/6-dispatch/llm/genAi.ts"
import type { Checked } from "../../stages/6-dispatch/llm/guard/Guard.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { Ending, TargetCall } from "../../stages/ports/Journal.ts"
import type { Purpose, Subtype } from "../../stages/Trace.ts"
import type { Metrics } from "./metrics.ts"
import type { Observed } from "./observed.ts"
import { ModelSeries } from "./ModelSeries.ts"
import type { PlaceFacts } from "./places.ts"
import type { Counter, Histogram } from "./Registry.ts"
import { mcpCall, protocolOf } from "./spoken.ts"

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

export const toSeconds = (millis: number): number => Math.max(0, millis) / 1000

export type Labels = ReadonlyArray<string | undefined>

const noLabels: Labels = []

/** Series of one backend that are found again without asking the registry. */
const outcomesMax = 1_024

/** What exchanges with the same labels are counted by. */
interface HttpSeries {
  readonly requests: Counter
  readonly duration: Histogram
  bytes: Counter | undefined
  retries: Counter | undefined
}

export interface BackendSeries {
  readonly name: string | undefined
  /** By method, status and reason in one number, so that finding one makes no text. */
  readonly byOutcome: Map<number | string, HttpSeries>
  /** What was found last, and by what: of most places most exchanges end alike. */
  latestKey: number | string
  latest: HttpSeries | undefined
  processing: { readonly request: Histogram; readonly response: Histogram; readonly overhead: Histogram } | undefined
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

export class Counting {
  private readonly metrics: Metrics
  /** Calls of upstreams, by purpose and subtype. */
  private readonly calls = new Map<string, Histogram>()
  private readonly primaryHttp: Histogram
  observed: Observed | undefined

  constructor(metrics: Metrics) {
    this.metrics = metrics
    this.primaryHttp = this.callsOf("Primary", "Http")
  }

  called(purpose: Purpose, subtype: Subtype, millis: number): void {
    this.callsOf(purpose, subtype).observe(toSeconds(millis))
  }

  alarm({ action, grade, kind, server }: Alarm): void {
    this.metrics.toolLock.with(server, kind, grade, action).add(1)
  }

  target(exchange: Exchange, place: PlaceFacts, { method, millis, target }: TargetCall, endedMillis: number): void {
    // The exchange goes on: what its labels ask for is what is known by now.
    const ending: Ending = { reply: undefined, delivered: undefined, outcome: "answered", endedMillis }
    const more = this.observed?.labels?.(exchange, ending) ?? noLabels
    this.metrics.mcpTarget.with(method, target, ...place.labels, ...more).observe(toSeconds(millis))
  }

  private callsOf(purpose: Purpose, subtype: Subtype): Histogram {
    const key = `${purpose} ${subtype}`
    let calls = this.calls.get(key)
    if (calls === undefined) this.calls.set(key, (calls = this.metrics.upstreamCall.with(purpose, subtype)))
    return calls
  }

  exchange(exchange: Exchange, ending: Ending, place: PlaceFacts, status: number, reason: string): void {
    const { trail } = exchange
    const latest = place.latest
    const backend =
      latest !== undefined && latest.name === trail.backend ? latest : this.backendAt(place, trail.backend)
    const method = methods.get(exchange.request.method) ?? otherMethod
    const protocol = protocolOf(exchange)
    const number = ((numberOf(reason) * 16 + method) * 8 + (protocolNumbers[protocol] ?? 0)) * 1024 + status
    const more = this.observed?.labels?.(exchange, ending) ?? noLabels
    const key = more.length === 0 ? number : `${number} ${JSON.stringify(more)}`
    const series =
      backend.latest !== undefined && backend.latestKey === key
        ? backend.latest
        : this.seriesAt(place, backend, key, { protocol, method, status, reason, more })
    series.requests.value++
    series.duration.observe(toSeconds(ending.endedMillis - exchange.startedMillis))
    const bytes = ending.delivered?.bytes ?? 0
    if (bytes > 0)
      (series.bytes ??= this.bytesOf(place, backend, { protocol, method, status, reason, more })).value += bytes
    if (trail.attempts > 1) {
      series.retries ??= this.metrics.retries.with(
        ...httpLabels(place, backend, { protocol, method, status, reason, more }),
      )
      series.retries.value += trail.attempts - 1
    }
    if (exchange.notes?.mcp !== undefined) this.tool(exchange.notes.mcp, place, more)
    const judged = exchange.notes?.a2a?.guarded
    if (judged !== undefined && judged.length > 0) this.guards(judged, place, more)
    // A model's last words may come after those of the exchange.
    exchange.notes?.llm?.watch((account) => this.model(account, place, more))
    if (trail.upstreamStartMillis === 0) return
    const processing =
      more.length === 0
        ? (backend.processing ??= this.processingOf(place, backend, more))
        : this.processingOf(place, backend, more)
    processing.request.observe(toSeconds(trail.upstreamStartMillis - exchange.startedMillis))
    const answeredMillis = trail.upstreamHeadMillis
    const calls = protocol === "http" ? this.primaryHttp : this.callsOf("Primary", subtypes[protocol] ?? "Http")
    calls.observe(toSeconds((answeredMillis === 0 ? ending.endedMillis : answeredMillis) - trail.upstreamStartMillis))
    if (answeredMillis !== 0 && trail.replyMillis !== 0) {
      processing.response.observe(toSeconds(trail.replyMillis - answeredMillis))
      const before = trail.upstreamStartMillis - exchange.startedMillis - trail.waitedMillis
      processing.overhead.observe(toSeconds(before + trail.replyMillis - answeredMillis))
    }
  }

  private tool(notes: Parameters<typeof mcpCall>[0], place: PlaceFacts, more: Labels): void {
    const connection = notes["connection"]
    if (typeof connection === "string") this.metrics.mcpConnections.with(connection, ...place.labels, ...more).add(1)
    const call = mcpCall(notes)
    if (call === undefined) return
    // The address of a resource is the client's own; tools and prompts are those that servers list.
    const resource = call.kind === "resource" ? undefined : call.name
    this.metrics.mcpRequests.with(call.method, call.kind, call.target, resource, ...place.labels, ...more).add(1)
  }

  private guards(guarded: ReadonlyArray<Checked>, place: PlaceFacts, more: Labels): void {
    for (const { action, guard, phase } of guarded) {
      this.metrics.guardrailChecks.with(capital(phase), capital(action), guard, ...place.labels, ...more).add(1)
    }
  }

  private model(account: Account, place: PlaceFacts, more: Labels): void {
    const { cost, guarded, priced, usage } = account
    if (guarded.length > 0) this.guards(guarded, place, more)
    const series = this.modelOf(account, place, more)
    if (usage !== undefined) {
      series.tokens("input", usage.inputTokens)
      series.tokens("output", usage.outputTokens)
      series.tokens("input_cache_read", usage.cacheReadTokens)
      series.tokens("input_cache_write", usage.cacheWriteTokens)
    }
    if (cost !== undefined) series.cost.add(cost.total)
    // What is given again is not priced: it costs nothing.
    if (account.cached !== "hit" && account.cached !== "similar") series.priced(priced)
    series.cached(account.cached)
    series.duration.observe(toSeconds(account.endedMillis - account.startedMillis))
    const first = account.timeToFirstTokenMillis
    if (first !== undefined) series.firstToken.observe(toSeconds(first))
    const each = account.timePerOutputTokenMillis
    if (each !== undefined) series.perToken.observe(toSeconds(each))
  }

  private modelOf(account: Account, place: PlaceFacts, more: Labels): ModelSeries {
    const operation = operationOf(account)
    const { provider, requestModel, responseModel } = account
    const make = (): ModelSeries =>
      new ModelSeries(this.metrics, [operation, provider, requestModel, responseModel, ...place.labels, ...more])
    if (more.length > 0) return make()
    const key = `${operation}\n${provider}\n${requestModel}\n${responseModel}`
    let series = place.models.get(key)
    if (series === undefined) {
      series = make()
      if (place.models.size < outcomesMax) place.models.set(key, series)
    }
    return series
  }

  private backendAt(place: PlaceFacts, name: string | undefined): BackendSeries {
    let series = place.backends.get(name)
    if (series === undefined) {
      series = { name, byOutcome: new Map(), latestKey: 0, latest: undefined, processing: undefined }
      place.backends.set(name, series)
    }
    place.latest = series
    return series
  }

  private seriesAt(place: PlaceFacts, backend: BackendSeries, key: number | string, outcome: Outcome): HttpSeries {
    const series = backend.byOutcome.get(key) ?? this.seriesOf(place, backend, key, outcome)
    backend.latestKey = key
    backend.latest = series
    return series
  }

  private seriesOf(place: PlaceFacts, backend: BackendSeries, key: number | string, outcome: Outcome): HttpSeries {
    const { metrics } = this
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
    return this.metrics.responseBytes.with(...httpLabels(place, backend, outcome))
  }

  private processingOf(
    place: PlaceFacts,
    { name }: BackendSeries,
    more: Labels,
  ): NonNullable<BackendSeries["processing"]> {
    const { overhead, requestProcessing, responseProcessing } = this.metrics
    return {
      request: requestProcessing.with(name, ...place.labels, ...more),
      response: responseProcessing.with(name, ...place.labels, ...more),
      overhead: overhead.with(name, ...place.labels, ...more),
    }
  }
}

/** What tells one series of a backend from another. */
interface Outcome {
  readonly protocol: string
  readonly method: number
  readonly status: number
  readonly reason: string
  readonly more: Labels
}

const subtypes: Readonly<Record<string, Subtype>> = { llm: "Llm", mcp: "Mcp", a2a: "A2a" }

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
