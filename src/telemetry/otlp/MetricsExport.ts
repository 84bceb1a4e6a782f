/** Metrics for a receiver of OTLP, told at intervals. What could not be told is part of what is told next. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Redacted from "effect/Redacted"
import { readFileSync } from "node:fs"
import { systemTrust } from "../../../ir/defaults.ts"
import type { ClientTls } from "../../../ir/Tls.ts"
import type { OtlpCertificates } from "../../config/otlpVariables.ts"
import {
  encodeMetrics,
  metricsMethod,
  type OtlpMetric,
  type OtlpPoint,
  type Temporality,
} from "../../../protocols/otlp/metrics.ts"
import type { OtlpAttribute } from "../../../protocols/otlp/wire.ts"
import type { Request } from "../../../stages/Exchange.ts"
import { throughEndpoint } from "../../../stages/grpc/Transport.ts"
import { type Clock, Timer } from "../../../stages/ports/Timer.ts"
import { type Endpoint, Upstream } from "../../../stages/ports/Upstream.ts"
import type { MetricsExportSettings } from "../../config/metricsExport.ts"
import { since } from "../Exponential.ts"
import { type Exported, type ExportedSeries, keyOf, merge, unknown } from "../Registry.ts"
import type { Sent } from "./Batch.ts"
import { send, timeoutMillis, type Way } from "./sending.ts"

export interface MetricsExportOptions {
  readonly settings: MetricsExportSettings
  readonly version: string
  readonly resource: ReadonlyArray<OtlpAttribute>
  /** What each thread has counted. */
  readonly collect: () => Promise<ReadonlyArray<Exported>>
  /** Told when the receiver begins to take nothing; once until it does again. */
  readonly onFailed: (why: string) => void
}

const unitOf = (name: string): string => {
  const bare = name.replace(/_total$/, "")
  if (bare.endsWith("_seconds") || bare.includes("gen_ai_server_")) return "s"
  if (bare.endsWith("_bytes")) return "By"
  return bare.endsWith("_ratio") ? "1" : ""
}

type Told = ReadonlyMap<string, ReadonlyMap<string, ExportedSeries>>

const toldOf = (all: Exported): Told =>
  new Map(
    all.map(({ definition, series }) => [definition.name, new Map(series.map((one) => [keyOf(one.labels), one]))]),
  )

/** What came since it was told last; a series that did not move is not told. */
const moved = (one: ExportedSeries, before: ExportedSeries | undefined): ExportedSeries | undefined => {
  if (before === undefined) return one
  const counts = one.counts?.map((count, i) => count - (before.counts?.[i] ?? 0))
  const isStill = counts === undefined ? one.value === before.value : counts.every((count) => count === 0)
  return isStill
    ? undefined
    : {
        labels: one.labels,
        value: one.value - before.value,
        ...(counts === undefined ? {} : { counts }),
        ...(one.exponential === undefined ? {} : { exponential: since(before.exponential, one.exponential) }),
      }
}

/** Pure: what is told of everything that was counted. */
export const metricsOf = (
  all: Exported,
  before: Told,
  temporality: Temporality,
  histograms: MetricsExportSettings["histograms"],
): ReadonlyArray<OtlpMetric> =>
  all.flatMap(({ definition, series }): ReadonlyArray<OtlpMetric> => {
    const { buckets, help, kind, labels, name } = definition
    const known = temporality === "delta" && kind !== "gauge" ? before.get(name) : undefined
    const points = series.flatMap((one): ReadonlyArray<OtlpPoint> => {
      const told = moved(one, known?.get(keyOf(one.labels)))
      return told === undefined
        ? []
        : [
            {
              ...told,
              attributes: labels.map((label, i) => [label, told.labels[i] ?? unknown] as const),
              exponential: histograms === "exponential" ? told.exponential : undefined,
            },
          ]
    })
    return points.length === 0 ? [] : [{ name, description: help, unit: unitOf(name), kind, bounds: buckets, points }]
  })

class MetricsExport {
  private readonly options: MetricsExportOptions
  private readonly endpoint: Endpoint
  private readonly clock: Clock
  private told: Told = new Map()
  private startedUnixMillis: number
  private isFailing = false

  constructor(options: MetricsExportOptions, endpoint: Endpoint, clock: Clock) {
    this.options = options
    this.endpoint = endpoint
    this.clock = clock
    this.startedUnixMillis = clock.wallMillis()
  }

  /** Tells what there is to tell by now. */
  readonly once: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(
      Effect.promise(() => this.options.collect()),
      (exports) => {
        const { resource, settings, version } = this.options
        const all = merge(exports)
        const endedUnixMillis = this.clock.wallMillis()
        const metrics = metricsOf(all, this.told, settings.temporality, settings.histograms)
        if (metrics.length === 0) return Effect.void
        const bytes = encodeMetrics(
          metrics,
          { temporality: settings.temporality, startedUnixMillis: this.startedUnixMillis, endedUnixMillis },
          { resource, scope: { name: "sluice", version } },
        )
        return Effect.map(this.send(bytes), (sent) => {
          if (sent._tag === "Taken") {
            this.isFailing = false
            if (settings.temporality === "delta") {
              this.told = toldOf(all)
              this.startedUnixMillis = endedUnixMillis
            }
            return
          }
          if (!this.isFailing) this.options.onFailed(sent.why)
          this.isFailing = true
        })
      },
    ),
  )

  private send(bytes: Uint8Array): Effect.Effect<Sent> {
    const { settings } = this.options
    const { host, port } = settings.target
    const named = (request: Request): Request => {
      request.authority = `${host.includes(":") ? `[${host}]` : host}:${port}`
      request.host = host
      return request
    }
    const through = throughEndpoint(this.endpoint)
    const way: Way = {
      transport: (request, millis) => through(named(request), millis),
      post: (request, millis) =>
        Effect.mapError(
          this.endpoint.send(named(request), { version: "1.1", replyTimeoutMillis: millis, inform: undefined }),
          ({ message }) => message,
        ),
    }
    return send(way, settings, { signal: "metrics", method: metricsMethod, bytes }, this.clock)
  }
}

/** The certificates that the variables name are read once. */
const trusting = ({ cert, key, root }: OtlpCertificates): Effect.Effect<ClientTls, string> =>
  Effect.try({
    try: () => ({
      ...systemTrust,
      ...(root === undefined ? {} : { rootsPem: readFileSync(root, "utf8") }),
      ...(cert === undefined || key === undefined
        ? {}
        : {
            identity: { certificatePem: readFileSync(cert, "utf8"), keyPem: Redacted.make(readFileSync(key, "utf8")) },
          }),
    }),
    catch: (cause) => `a certificate cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
  })

/** How long the end waits for the last of them to be taken. */
const farewellMillis = 2_000

/** Tells at intervals until the scope closes. What it gives tells once more, for the end. */
export const run = Effect.fnUntraced(function* (
  options: MetricsExportOptions,
): Effect.fn.Return<Effect.Effect<void>, never, Upstream | Timer | Scope.Scope> {
  const { open } = yield* Upstream
  const clock = yield* Timer
  const { certificates, intervalMillis, target } = options.settings
  const tls = target.isTls ? yield* Effect.result(trusting(certificates ?? {})) : undefined
  if (tls?._tag === "Failure") {
    options.onFailed(tls.failure)
    return Effect.void
  }
  const endpoint = yield* Effect.acquireRelease(
    Effect.sync(() =>
      open({
        target: { _tag: "Host", host: target.host, port: target.port },
        tls: tls?.success,
        tunnel: undefined,
        connectTimeoutMillis: timeoutMillis,
        poolIdleMillis: 2 * intervalMillis,
        poolSizeMax: 1,
        keepAlive: { enabled: true, timeMillis: 180_000 },
      }),
    ),
    (opened) => Effect.sync(() => opened.close()),
  )
  const exporting = new MetricsExport(options, endpoint, clock)
  // One after the other: what two told at once would be told twice.
  const once = Semaphore.withPermits(yield* Semaphore.make(1), 1)(exporting.once)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(intervalMillis), once)))
  return Effect.asVoid(Effect.timeoutOption(once, farewellMillis))
})
