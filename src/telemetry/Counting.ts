/**
 * What exchanges are counted by. The series of each place are found once; from then on an exchange costs a few look-ups
 * and some additions.
 */
import type { Alarm } from "../../stages/6-dispatch/lock/LockParts.ts"
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
import type { Cells, Histogram } from "./Registry.ts"
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

/** Series of one backend at a place that are found again without asking the registry. */
const outcomesMax = 1_024

/** What exchanges with the same labels are counted by: where the numbers of each are. */
export class HttpSeries {
  readonly backend: string | undefined
  /** Method, status and reason in one number, so that finding one makes no text. */
  readonly key: number | string
  readonly requests: number
  readonly duration: number
  bytes: number | undefined = undefined
  retries: number | undefined = undefined
  /** Of the gateway's own part in it; absent until a backend was called. */
  request: number | undefined = undefined
  response = 0
  overhead = 0

  constructor(backend: string | undefined, key: number | string, requests: number, duration: number) {
    this.backend = backend
    this.key = key
    this.requests = requests
    this.duration = duration
  }
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

export class Counting {
  private readonly metrics: Metrics
  /** Calls of upstreams, by purpose and subtype. */
  private readonly calls = new Map<string, Histogram>()
  private readonly primaryHttp: Histogram
  private readonly cells: Cells
  observed: Observed | undefined

  constructor(metrics: Metrics) {
    this.metrics = metrics
    this.cells = metrics.registry.cells
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
    const method = methods.get(exchange.request.method) ?? otherMethod
    const protocol = protocolOf(exchange)
    const number = ((numberOf(reason) * 16 + method) * 8 + (protocolNumbers[protocol] ?? 0)) * 1024 + status
    const more = this.observed?.labels?.(exchange, ending) ?? noLabels
    const key = more.length === 0 ? number : `${number} ${JSON.stringify(more)}`
    const { latest } = place
    const series =
      latest !== undefined && latest.key === key && latest.backend === trail.backend
        ? latest
        : this.seriesAt(place, key, { backend: trail.backend, protocol, method, status, reason, more })
    const { requestDuration } = this.metrics
    this.cells.add(series.requests, 1)
    requestDuration.scale.observe(series.duration, toSeconds(ending.endedMillis - exchange.startedMillis))
    const bytes = ending.delivered?.bytes ?? 0
    if (bytes > 0) {
      series.bytes ??= this.metrics.responseBytes.with(
        ...httpLabels(place, { backend: trail.backend, protocol, method, status, reason, more }),
      ).at
      this.cells.add(series.bytes, bytes)
    }
    if (trail.attempts > 1) {
      series.retries ??= this.metrics.retries.with(
        ...httpLabels(place, { backend: trail.backend, protocol, method, status, reason, more }),
      ).at
      this.cells.add(series.retries, trail.attempts - 1)
    }
    if (exchange.notes?.mcp !== undefined) this.tool(exchange.notes.mcp, place, more)
    const judged = exchange.notes?.a2a?.guarded
    if (judged !== undefined && judged.length > 0) this.guards(judged, place, more)
    // A model's last words may come after those of the exchange.
    exchange.notes?.llm?.watch((account) => this.model(account, place, more))
    if (trail.upstreamStartMillis === 0) return
    const { overhead, requestProcessing, responseProcessing } = this.metrics
    if (series.request === undefined) this.process(series, [trail.backend, ...place.labels, ...more])
    requestProcessing.scale.observe(
      series.request as number,
      toSeconds(trail.upstreamStartMillis - exchange.startedMillis),
    )
    const answeredMillis = trail.upstreamHeadMillis
    const calls = protocol === "http" ? this.primaryHttp : this.callsOf("Primary", subtypes[protocol] ?? "Http")
    calls.observe(toSeconds((answeredMillis === 0 ? ending.endedMillis : answeredMillis) - trail.upstreamStartMillis))
    if (answeredMillis !== 0 && trail.replyMillis !== 0) {
      responseProcessing.scale.observe(series.response, toSeconds(trail.replyMillis - answeredMillis))
      const before = trail.upstreamStartMillis - exchange.startedMillis - trail.waitedMillis
      overhead.scale.observe(series.overhead, toSeconds(before + trail.replyMillis - answeredMillis))
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

  private seriesAt(place: PlaceFacts, key: number | string, outcome: Outcome): HttpSeries {
    let known = place.backends.get(outcome.backend)
    if (known === undefined) place.backends.set(outcome.backend, (known = new Map()))
    let series = known.get(key)
    if (series === undefined) {
      const { requestDuration, requests } = this.metrics
      const labels = httpLabels(place, outcome)
      series = new HttpSeries(outcome.backend, key, requests.with(...labels).at, requestDuration.with(...labels).at)
      // What clients can make at will is bounded by the registry; it is remembered here only as far as it is few.
      if (known.size < outcomesMax) known.set(key, series)
    }
    place.latest = series
    return series
  }

  private process(series: HttpSeries, labels: Labels): void {
    const { overhead, requestProcessing, responseProcessing } = this.metrics
    series.request = requestProcessing.with(...labels).at
    series.response = responseProcessing.with(...labels).at
    series.overhead = overhead.with(...labels).at
  }
}

/** What tells one series of a place from another. */
interface Outcome {
  readonly backend: string | undefined
  readonly protocol: string
  readonly method: number
  readonly status: number
  readonly reason: string
  readonly more: Labels
}

const subtypes: Readonly<Record<string, Subtype>> = { llm: "Llm", mcp: "Mcp", a2a: "A2a" }

const protocolNumbers: Readonly<Record<string, number>> = { http: 0, llm: 1, mcp: 2, a2a: 3 }

const httpLabels = (place: PlaceFacts, { backend, method, more, protocol, reason, status }: Outcome): Labels => [
  backend,
  protocol,
  methodLabels[method],
  status === 0 ? undefined : String(status),
  reason,
  ...place.labels,
  ...more,
]
