/** Where metrics are told besides being read: `config.metrics.otlp`, under the variables of OpenTelemetry. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { metricsPath, type Temporality } from "../../protocols/otlp/metrics.ts"
import * as Duration from "./duration.ts"
import type { Environment } from "./local/expand.ts"
import { error, type Problem } from "./local/Problem.ts"
import type { StaticSection } from "./local/staticSection.ts"
import { endpointOf, first, headersIn, protocolIn } from "./otlpVariables.ts"

export interface MetricsExportSettings {
  readonly target: { readonly host: string; readonly port: number; readonly isTls: boolean }
  readonly protocol: "grpc" | "http"
  /** Over HTTP. */
  readonly path: string
  readonly headers: ReadonlyArray<{ readonly name: string; readonly value: Redacted.Redacted }>
  readonly intervalMillis: number
  readonly temporality: Temporality
  readonly histograms: "explicit" | "exponential"
}

type Section = NonNullable<NonNullable<StaticSection["metrics"]>["otlp"]>

const here = ["config", "metrics", "otlp"] as const

const intervalMillisMin = 100

/** Undefined: nobody is told. */
export const metricsExportOf = (
  section: Section | undefined,
  env: Environment,
  problems: Array<Problem>,
): MetricsExportSettings | undefined => {
  const exporters = (env["OTEL_METRICS_EXPORTER"] ?? "").split(",").map((one) => one.trim())
  if (section === undefined && !exporters.includes("otlp")) return undefined
  const written = section ?? {}

  const choice = <A extends string>(name: string, words: Readonly<Record<string, A>>): A | undefined => {
    const text = env[name]?.trim().toLowerCase() ?? ""
    if (text === "") return undefined
    const found = Object.hasOwn(words, text) ? words[text] : undefined
    if (found === undefined) {
      problems.push(error([], `invalid env var ${name}=${text}`, `Use one of ${Object.keys(words).join(", ")}.`))
    }
    return found
  }

  const named = first(env, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
  const text = named?.text ?? written.endpoint
  if (text === undefined) {
    problems.push(
      error(
        section === undefined ? [] : [...here],
        "nobody is named who receives the metrics",
        "Set `endpoint`, or OTEL_EXPORTER_OTLP_ENDPOINT.",
      ),
    )
    return undefined
  }
  const endpoint = endpointOf(text)
  if (typeof endpoint === "string") {
    problems.push(error(named === undefined ? [...here, "endpoint"] : [], endpoint))
    return undefined
  }
  const protocol =
    protocolIn(env, problems, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") ??
    written.protocol ??
    "grpc"
  const said = first(env, "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
  const headers = new Map([...Object.entries(written.headers ?? {}), ...headersIn(said?.text ?? "")])
  const intervalText = env["OTEL_METRIC_EXPORT_INTERVAL"]?.trim() ?? ""
  const interval =
    intervalText === ""
      ? (written.interval ?? 60_000)
      : /^\d+$/.test(intervalText)
        ? Number(intervalText)
        : Result.getOrUndefined(Duration.parse(intervalText))
  if (interval === undefined || interval < intervalMillisMin) {
    problems.push(
      error(
        intervalText === "" ? [...here, "interval"] : [],
        `metrics are told every ${intervalMillisMin} ms at the most${intervalText === "" ? "" : ` (OTEL_METRIC_EXPORT_INTERVAL=${intervalText})`}`,
      ),
    )
    return undefined
  }
  return {
    target: { host: endpoint.host, port: endpoint.port, isTls: endpoint.isTls },
    protocol,
    // The general variable names where all signals go; the path of this one comes after it.
    path:
      endpoint.path === undefined
        ? (written.path ?? metricsPath)
        : named?.name === "OTEL_EXPORTER_OTLP_ENDPOINT"
          ? `${endpoint.path.replace(/\/$/, "")}${metricsPath}`
          : endpoint.path,
    headers: [...headers].map(([name, value]) => ({ name: name.toLowerCase(), value: Redacted.make(value) })),
    intervalMillis: interval,
    temporality:
      choice("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", {
        cumulative: "cumulative",
        delta: "delta",
        lowmemory: "delta",
      }) ??
      written.temporality ??
      "cumulative",
    histograms:
      choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", {
        explicit_bucket_histogram: "explicit",
        base2_exponential_bucket_histogram: "exponential",
      }) ??
      written.histograms ??
      "explicit",
  }
}
