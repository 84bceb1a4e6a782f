/** Everything that tells the outside how the gateway is doing, as one service: metrics, levels, and the way to the log. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"
import { threadId } from "node:worker_threads"
import { Journal } from "../../stages/ports/Journal.ts"
import { Timer } from "../../stages/ports/Timer.ts"
import type { Gateway } from "../Gateway.ts"
import { formats } from "./accessLog.ts"
import { TelemetryJournal } from "./journal.ts"
import { Levels, type Setting } from "./Levels.ts"
import { LineSink, type Out, toDescriptor } from "./LineSink.ts"
import * as Log from "./log.ts"
import { make as makeMetrics, type Metrics } from "./metrics.ts"
import { Timestamps } from "./Timestamps.ts"

/** Exchanges that are numbered in one thread before its numbers reach those of the next. */
const numbersPerThread = 1e10

export interface TelemetryOptions {
  readonly version: string
  readonly logging: Setting & { readonly format: "text" | "json" }
  readonly metricsRemove?: ReadonlyArray<string>
  /** Where lines go; the standard output unless set. */
  readonly out?: Out
}

export class Telemetry extends Context.Service<
  Telemetry,
  {
    readonly metrics: Metrics
    readonly levels: Levels
    readonly sink: LineSink
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
  return () => delay.disable()
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
    synchronized.set(gateway.config().synchronized ? 1 : 0)
    for (const [use, count] of Object.entries(gateway.expressionFailures())) {
      metrics.expressionFailures.with(use).value = count
    }
  })
}

const make = Effect.fnUntraced(function* ({ logging, metricsRemove = [], out, version }: TelemetryOptions) {
  const clock = yield* Timer
  const metrics = makeMetrics({ version, remove: metricsRemove })
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
  const journal = new TelemetryJournal({
    metrics,
    levels,
    timestamps,
    format,
    write,
    firstNumber: threadId * numbersPerThread,
    log: (level, target, message, fields) =>
      write(
        Log.formatEntry(format, { time: timestamps.now(), level, target, message, fields: Object.entries(fields) }),
      ),
  })
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
    watch: (gateway) => {
      if (watched.has(gateway)) return
      watched.add(gateway)
      journal.watch(gateway.live)
      watchGateway(metrics, gateway)
    },
  })
  const services = Context.make(Telemetry, telemetry).pipe(Context.add(Journal, journal.port))
  return { services, log: Log.layer({ format, levels, write }) }
})

/** The journal of the gateway, the logger of everything below, and the service that tells about both. */
export const layer = (options: TelemetryOptions): Layer.Layer<Telemetry | Journal, never, Timer> =>
  Layer.unwrap(Effect.map(make(options), ({ log, services }) => Layer.merge(Layer.succeedContext(services), log)))
