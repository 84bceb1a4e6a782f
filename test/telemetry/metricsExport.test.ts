import { describe, expect, it } from "vitest"
import * as Redacted from "effect/Redacted"
import { metricsExportOf } from "../../src/config/metricsExport.ts"
import type { Problem } from "../../src/config/local/Problem.ts"
import { metricsOf } from "../../src/telemetry/otlp/MetricsExport.ts"
import { Registry } from "../../src/telemetry/Registry.ts"

const settle = (section: Parameters<typeof metricsExportOf>[0], env: Record<string, string> = {}) => {
  const problems: Array<Problem> = []
  const settings = metricsExportOf(section, env, problems)
  return { settings, problems: problems.map(({ message }) => message) }
}

describe("where metrics are told", () => {
  it("nowhere, unless the file or the environment says so", () => {
    expect(settle(undefined)).toEqual({ settings: undefined, problems: [] })
    expect(settle(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4318" }).settings).toBeUndefined()
    expect(
      settle(undefined, { OTEL_METRICS_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4318" }).settings,
    ).toMatchObject({ target: { host: "a", port: 4318, isTls: false }, protocol: "http", intervalMillis: 60_000 })
    expect(settle({}).problems).toEqual(["nobody is named who receives the metrics"])
  })

  it("as the file says, and the environment over it", () => {
    const file = {
      endpoint: "https://[::1]/own",
      protocol: "http",
      headers: { "X-Key": "k" },
      interval: 1_000,
      temporality: "delta",
      histograms: "exponential",
    } as const
    const { settings } = settle(file)
    expect(settings).toMatchObject({
      target: { host: "::1", port: 443, isTls: true },
      path: "/own",
      protocol: "http",
      intervalMillis: 1_000,
      temporality: "delta",
      histograms: "exponential",
    })
    expect(settings?.headers?.map(({ name, value }) => [name, Redacted.value(value)])).toEqual([["x-key", "k"]])
    expect(
      settle(file, {
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://b:1/base/",
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "grpc",
        OTEL_METRIC_EXPORT_INTERVAL: "250",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "cumulative",
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: "explicit_bucket_histogram",
      }).settings,
    ).toMatchObject({
      target: { host: "b", port: 1 },
      path: "/base/v1/metrics",
      protocol: "grpc",
      intervalMillis: 250,
      temporality: "cumulative",
      histograms: "explicit",
    })
  })

  it("what cannot be meant is refused", () => {
    const endpoint = "http://a"
    expect(settle({ endpoint: "nonsense" }).problems).toHaveLength(1)
    expect(settle({ endpoint: "ftp://a" }).problems).toHaveLength(1)
    expect(settle({ endpoint, interval: 1 }).problems).toHaveLength(1)
    for (const [name, value] of [
      ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "thrift"],
      ["OTEL_METRIC_EXPORT_INTERVAL", "soon"],
      ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"],
      ["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "none"],
    ] as const) {
      expect(settle({ endpoint }, { [name]: value }).problems, name).toEqual([expect.stringContaining(name)])
    }
  })
})

describe("what is told", () => {
  const registry = new Registry({ exponential: true })
  const requests = registry.counter({ name: "requests_total", kind: "counter", help: "", labels: ["x"] })
  const open = registry.gauge({ name: "open", kind: "gauge", help: "", labels: [] })
  const seconds = registry.histogram({ name: "a_seconds", kind: "histogram", help: "", labels: [], buckets: [1] })

  it("is everything since the beginning, or what came since it was told last", () => {
    requests.with("a").add(2)
    open.with().set(1)
    seconds.with().observe(0.5)
    const first = registry.export()
    const told = new Map(
      first.map(({ definition, series }) => [
        definition.name,
        new Map(series.map((one) => [JSON.stringify(one.labels), one])),
      ]),
    )
    requests.with("a").add(3)
    requests.with("b").add(1)
    seconds.with().observe(2)
    const now = registry.export()
    const values = (temporality: "delta" | "cumulative") =>
      metricsOf(now, told, temporality, "explicit").map(({ name, points }) => [
        name,
        points.map(({ counts, value }) => counts ?? value),
      ])
    expect(values("cumulative")).toEqual([
      ["requests_total", [5, 1]],
      ["open", [1]],
      ["a_seconds", [[1, 1]]],
    ])
    expect(values("delta")).toEqual([
      ["requests_total", [3, 1]],
      ["open", [1]],
      ["a_seconds", [[0, 1]]],
    ])
    const [, , exponential] = metricsOf(now, told, "delta", "exponential")
    expect(exponential?.points[0]?.exponential?.buckets).toEqual([[7, 1]])
    expect(metricsOf(first, told, "delta", "explicit").map(({ name }) => name)).toEqual(["open"])
  })
})
