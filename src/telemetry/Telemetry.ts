/** Everything that tells the outside how the gateway is doing, as one service: metrics, levels, and the way to the log. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { randomUUID } from "node:crypto"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"
import { threadId } from "node:worker_threads"
import { Journal } from "../../stages/ports/Journal.ts"
import { type Clock, Timer } from "../../stages/ports/Timer.ts"
import type { OtlpAttribute } from "../../protocols/otlp/wire.ts"
import type { Gateway } from "../Gateway.ts"
import { type Connected, connects } from "../node/upstream/connects.ts"
import { formats } from "./accessLog.ts"
import { TelemetryJournal } from "./journal.ts"
import { Curiosity } from "./Curiosity.ts"
import { Stories, storyWitness } from "./Stories.ts"
import type { ObservedSettings } from "./labels.ts"
import { type Observed, observe } from "./observed.ts"
import { standardOf } from "./requestLog/record.ts"
import { forget, RequestLog } from "./requestLog/RequestLog.ts"
import type { Witness } from "./Told.ts"
import { isDisabled } from "../config/otlpVariables.ts"
import type { RequestLogSettings, Static } from "../config/Static.ts"
import { layer as storageLayer, Storage } from "../store/Storage.ts"
import { Exports } from "./Exports.ts"
import { Levels, type Setting } from "./Levels.ts"
import { LineSink, type Out, toDescriptor } from "./LineSink.ts"
import * as Log from "./log.ts"
import { make as makeMetrics, type Metrics } from "./metrics.ts"
import { resourceOf, type Variables } from "./otlp/resource.ts"
import { batchSettings, spanLimits } from "./otlp/settings.ts"
import { logWitness } from "./otlpLogs.ts"
import { Timestamps } from "./Timestamps.ts"
import { Tracers } from "./Tracers.ts"
import { traceWitness } from "./traces.ts"

/** Exchanges that are numbered in one thread before its numbers reach those of the next. */
const numbersPerThread = 1e10

export interface TelemetryOptions {
  readonly version: string
  readonly logging: Setting & { readonly format: "text" | "json" }
  readonly metricsRemove?: ReadonlyArray<string>
  /** Whether histograms have exponential buckets beside the fixed ones. */
  readonly exponential?: boolean
  /** Where lines go; the standard output unless set. */
  readonly out?: Out
  /** `OTEL_` variables and the like; those of the process unless given. */
  readonly env?: Variables
  readonly namespace?: string
  readonly observed?: ObservedSettings
  /** Absent: nothing is kept of exchanges. */
  readonly requestLog?: RequestLogSettings | undefined
}

/** What the configuration of the process says about telemetry. */
export const telemetryOptions = (settings: Static): Omit<TelemetryOptions, "version" | "out"> => ({
  logging: settings.logging,
  metricsRemove: settings.metricsRemove,
  exponential: settings.histograms !== "classic" || settings.metricsExport?.histograms === "exponential",
  namespace: settings.identity.namespace,
  observed: settings.observed,
  requestLog: settings.requestLog,
})

export class Telemetry extends Context.Service<
  Telemetry,
  {
    readonly metrics: Metrics
    readonly levels: Levels
    readonly sink: LineSink
    /** Sends what waits to be exported; to be run while the way out is still open. */
    readonly flush: Effect.Effect<void>
    /** Exchanges that have a story to tell. */
    readonly stories: Stories
    /** Who wants to hear the stories of what comes next. */
    readonly curiosity: Curiosity
    /** Absent where nothing is kept. */
    readonly requestLog: RequestLog | undefined
    /** Who we are, as OTLP tells it. */
    readonly resource: ReadonlyArray<OtlpAttribute>
    /** From now on the gauges tell about this gateway. */
    readonly watch: (gateway: Gateway["Service"]) => void
  }
>()("sluice/src/telemetry/Telemetry") {}

/** Event loop and memory of this thread, looked at when somebody reads the metrics. */
const watchThread = (metrics: Metrics): (() => void) => {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  let before = performance.eventLoopUtilization()
  const quantiles = [0.5, 0.99].map((quantile) => ({
    quantile,
    gauge: metrics.eventLoopDelay.with(String(quantile)),
  }))
  const worst = metrics.eventLoopDelay.with("1")
  const utilization = metrics.eventLoopUtilization.with()
  const heapUsed = metrics.heapUsed.with()
  const heapTotal = metrics.heapTotal.with()
  const resident = metrics.residentMemory.with()
  metrics.registry.onRead(() => {
    const seen = delay.count > 0
    for (const { gauge, quantile } of quantiles) gauge.set(seen ? late(delay.percentile(quantile * 100)) : 0)
    worst.set(seen ? late(delay.max) : 0)
    delay.reset()
    const now = performance.eventLoopUtilization()
    utilization.set(performance.eventLoopUtilization(now, before).utilization)
    before = now
    const heap = getHeapStatistics()
    heapUsed.set(heap.used_heap_size)
    heapTotal.set(heap.total_heap_size)
    resident.set(process.memoryUsage.rss())
  })
  const connected = ({ millis, transport }: Connected): void =>
    metrics.upstreamConnect.with(transport).observe(millis / 1000)
  const listener = (message: unknown): void => connected(message as Connected)
  connects.subscribe(listener)
  return () => {
    delay.disable()
    connects.unsubscribe(listener)
  }
}

/** The monitor measures whole intervals of its timer; what is above that is lateness. */
const late = (nanos: number): number => Math.max(0, nanos - 20e6) / 1e9

const watchGateway = (metrics: Metrics, gateway: Gateway["Service"]): void => {
  const connections = metrics.connectionsOpen.with()
  const exchanges = metrics.exchangesOpen.with()
  const endpoints = metrics.endpointsOpen.with()
  const synchronized = metrics.configSynchronized.with()
  metrics.registry.onRead(() => {
    const open = gateway.open()
    connections.set(open.connections)
    exchanges.set(open.exchanges)
    endpoints.set(open.endpoints)
    metrics.targetEvicted.clear()
    metrics.targetHealth.clear()
    for (const { evictedMillis, health, isDown, kind, service, target } of gateway.desk.targets()) {
      if (kind === "endpoint") continue
      metrics.targetEvicted.with(kind, target, service).set(evictedMillis === undefined && isDown !== true ? 0 : 1)
      if (health !== undefined) metrics.targetHealth.with(kind, target, service).set(health)
    }
    for (const [queue, size] of Object.entries(gateway.queues())) metrics.queueSize.with(queue).set(size)
    synchronized.set(gateway.config().synchronized ? 1 : 0)
    for (const [use, count] of Object.entries(gateway.expressionFailures())) {
      const counter = metrics.expressionFailures.with(use)
      counter.add(count - counter.value)
    }
  })
}

/** How long the end waits for the receivers of what was not sent yet. */
const farewellMillis = 2_000

const farewell = (log: RequestLog | undefined): Effect.Effect<void> =>
  log === undefined ? Effect.void : Effect.asVoid(Effect.timeoutOption(log.flush, farewellMillis))

/** How often what is too old is let go. */
const forgetMillis = 3_600_000

/** Opens the request log, and lets go of what is too old; one thread does that for all. */
const keep = Effect.fnUntraced(function* (
  log: RequestLog,
  { isShared, location, retentionMillis }: RequestLogSettings,
  clock: Clock,
) {
  const shared = isShared ? yield* Effect.serviceOption(Storage) : Option.none()
  const storage = Option.isSome(shared)
    ? shared.value
    : Context.get(yield* Layer.build(storageLayer(location)), Storage)
  yield* log.open(storage)
  if (threadId !== 0 || retentionMillis <= 0) return
  const { store } = log
  if (store === undefined) return
  yield* Effect.forever(
    Effect.andThen(Effect.ignore(forget(store, clock.wallMillis() - retentionMillis)), Effect.sleep(forgetMillis)),
  )
})

const make = Effect.fnUntraced(function* ({
  env = process.env,
  exponential = false,
  logging,
  metricsRemove = [],
  namespace = "default",
  observed = { labels: [] },
  out,
  requestLog: keeping,
  version,
}: TelemetryOptions) {
  const clock = yield* Timer
  const metrics = makeMetrics({
    version,
    exponential,
    remove: metricsRemove,
    labels: observed.labels.map(({ name }) => name),
  })
  const levels = new Levels(logging)
  const dropped = metrics.logLinesDropped.with()
  if (out === undefined) {
    // Reaching for it makes a pipe non-blocking; and an error nobody listens to would end the process.
    process.stdout.on("error", () => {})
  }
  const sink = new LineSink({
    out: out ?? toDescriptor(1),
    clock,
    onDropped: (lines) => dropped.add(lines),
  })
  const flush = (): void => sink.flush()
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      process.on("exit", flush)
      return watchThread(metrics)
    }),
    (stop) =>
      Effect.sync(() => {
        stop()
        process.off("exit", flush)
        flush()
      }),
  )
  const format = formats[logging.format]
  const write = (line: string): void => sink.write(line)
  const timestamps = new Timestamps(clock)
  const self = { version, instance: randomUUID(), namespace }
  const say = (
    level: "debug" | "warn",
    target: string,
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ): void =>
    write(Log.formatEntry(format, { time: timestamps.now(), level, target, message, fields: Object.entries(fields) }))
  const exports = new Exports({
    clock,
    version,
    resource: (configured) => resourceOf(env, self, configured),
    settings: batchSettings(env),
    limits: spanLimits(env),
    onDropped: (signal, count, why) => {
      metrics.exportsDropped.with(signal).add(count)
      if (levels.enabled("otlp", "warn")) say("warn", "otlp", `${count} of the ${signal} were not exported: ${why}`, {})
    },
  })
  const forgotten = metrics.storiesForgotten.with()
  const stories = new Stories((count) => forgotten.add(count))
  const curiosity = new Curiosity(clock)
  let seen: Observed | undefined
  const requestLog =
    keeping === undefined
      ? undefined
      : new RequestLog({
          clock,
          standard: (told) => seen?.standard(told) ?? standardOf(told.exchange),
          batchMax: keeping.batchMax,
          onUnavailable: (why) => {
            if (levels.enabled("requestLog", "warn")) {
              say("warn", "requestLog", `The request log waits for its database: ${why}`, {})
            }
          },
          onDropped: (writes, why) => {
            metrics.requestLogDropped.with().add(writes)
            if (levels.enabled("requestLog", "warn")) {
              say("warn", "requestLog", `${writes} rows of the request log were not written: ${why}`, {})
            }
          },
        })
  if (keeping !== undefined && requestLog !== undefined) {
    yield* Effect.forkScoped(keep(requestLog, keeping, clock))
  }
  const queues = metrics.queueSize
  metrics.registry.onRead(() => {
    queues.with("log lines").set(sink.waiting)
    queues.with("exports").set(exports.size)
    if (requestLog !== undefined) queues.with("request log").set(requestLog.size)
  })
  const witnesses: ReadonlyArray<Witness> = [
    ...(isDisabled(env) ? [] : [traceWitness(exports), logWitness(exports)]),
    storyWitness(stories, curiosity),
    ...(requestLog === undefined ? [] : [requestLog.witness]),
  ]
  const journal = new TelemetryJournal({
    metrics,
    levels,
    timestamps,
    format,
    write: (line) => sink.offer(line),
    clock,
    witnesses,
    inquire: () => curiosity.inquire(),
    remember: (remains) => stories.add(remains),
    firstNumber: threadId * numbersPerThread,
    log: say,
  })
  const tracers = isDisabled(env) ? Option.none() : yield* Effect.serviceOption(Tracers)
  const spans = Option.isSome(tracers) ? tracers.value.maker(clock, version) : undefined
  const watched = new WeakSet<Gateway["Service"]>()
  const unmatched = metrics.registry.unmatched
  if (unmatched.length > 0 && levels.enabled("metrics", "warn")) {
    const message = `no metric is called ${unmatched.join(", ")}: \`config.metrics.remove\` has no effect on it`
    write(Log.formatEntry(format, { time: timestamps.now(), level: "warn", target: "metrics", message, fields: [] }))
  }
  const telemetry = Telemetry.of({
    metrics,
    levels,
    sink,
    flush: Effect.asVoid(
      Effect.all([exports.flush(farewellMillis), farewell(requestLog)], { concurrency: "unbounded" }),
    ),
    stories,
    curiosity,
    requestLog,
    resource: resourceOf(env, self),
    watch: (gateway) => {
      if (watched.has(gateway)) return
      watched.add(gateway)
      seen = observe(observed, gateway.expressions)
      curiosity.expressions = gateway.expressions
      journal.watch(gateway.live, seen)
      watchGateway(metrics, gateway)
    },
  })
  const services = Context.make(Telemetry, telemetry).pipe(Context.add(Journal, { ...journal.port, spans }))
  return { services, log: Log.layer({ format, levels, write }) }
})

/** The journal of the gateway, the logger of everything below, and the service that tells about both. */
export const layer = (options: TelemetryOptions): Layer.Layer<Telemetry | Journal, never, Timer> =>
  Layer.unwrap(Effect.map(make(options), ({ log, services }) => Layer.merge(Layer.succeedContext(services), log)))
