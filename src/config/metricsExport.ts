/** Where metrics are told besides being read: `config.metrics.otlp`, under the variables of OpenTelemetry. */
import * as Result from "effect/Result"
import { metricsPath, type Temporality } from "../../protocols/otlp/metrics.ts"
import * as Duration from "./duration.ts"
import type { Environment } from "./local/expand.ts"
import { error, type Problem } from "./local/Problem.ts"
import type { StaticSection } from "./local/staticSection.ts"
import type { Otlp } from "../../ir/policy/Otlp.ts"
import {
  endpointOf,
  isDisabled,
  localEndpoint,
  type OtlpCertificates,
  mannerOf,
  pathOf,
  variablesOf,
  wantsOtlp,
} from "./otlpVariables.ts"

export interface MetricsExportSettings extends Otlp {
  readonly target: { readonly host: string; readonly port: number; readonly isTls: boolean }
  readonly certificates?: OtlpCertificates
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
  const isWanted = wantsOtlp(env, "OTEL_METRICS_EXPORTER", problems)
  if (isDisabled(env) || (section === undefined ? isWanted !== true : isWanted === false)) return undefined
  const written = section ?? { protocol: "http" as const }

  const choice = <A extends string>(name: string, words: Readonly<Record<string, A>>): A | undefined => {
    const text = env[name]?.trim().toLowerCase() ?? ""
    if (text === "") return undefined
    const found = Object.hasOwn(words, text) ? words[text] : undefined
    if (found === undefined) {
      problems.push(error([], `invalid env var ${name}=${text}`, `Use one of ${Object.keys(words).join(", ")}.`))
    }
    return found
  }

  const said = variablesOf(env, "METRICS", problems)
  const named = said.endpoint
  const protocol = said.protocol ?? written.protocol ?? "grpc"
  const text = named?.text ?? section?.endpoint ?? (section === undefined ? localEndpoint(protocol) : undefined)
  if (text === undefined) {
    problems.push(
      error([...here], "nobody is named who receives the metrics", "Set `endpoint`, or OTEL_EXPORTER_OTLP_ENDPOINT."),
    )
    return undefined
  }
  const endpoint = endpointOf(text, said.isInsecure)
  if (typeof endpoint === "string") {
    problems.push(error(named === undefined ? [...here, "endpoint"] : [], endpoint))
    return undefined
  }
  const intervalText = env["OTEL_METRIC_EXPORT_INTERVAL"]?.trim() ?? ""
  const interval =
    intervalText === ""
      ? (section?.interval ?? 60_000)
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
    path: pathOf(said, endpoint, metricsPath, section?.path ?? metricsPath),
    ...mannerOf(said, section?.headers),
    ...(said.certificates === undefined || !endpoint.isTls ? {} : { certificates: said.certificates }),
    intervalMillis: interval,
    temporality:
      choice("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", {
        cumulative: "cumulative",
        delta: "delta",
        lowmemory: "delta",
      }) ??
      section?.temporality ??
      "cumulative",
    histograms:
      choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", {
        explicit_bucket_histogram: "explicit",
        base2_exponential_bucket_histogram: "exponential",
      }) ??
      section?.histograms ??
      "explicit",
  }
}
