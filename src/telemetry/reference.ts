/** The reference page of the metrics, made from their definitions; `npm run reference` writes it. */
import { fileURLToPath } from "node:url"
import { definitions } from "./metrics.ts"
import { metricSeriesMax } from "./Registry.ts"

export const metricsReferencePath = fileURLToPath(new URL("../../docs/reference/metrics.md", import.meta.url))

const number = (value: number): string => String(value)

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

export const reference = (): string => {
  const all = Object.values(definitions)
  const lines = [
    "# Metrics",
    "",
    "Generated from `src/telemetry/metrics.ts`; `npm test` fails when this page is stale.",
    "",
    `A label without a value says \`unknown\`. Each metric has at most ${metricSeriesMax} label sets; whatever comes later is`,
    "counted in one series whose labels all say `overflow`, and in `agentgateway_metric_series_overflow_total`.",
    "",
    row(["Name", "Type", "Labels", "Meaning"]),
    row(["---", "---", "---", "---"]),
    ...all.map(({ help, kind, labels, name }) =>
      row([`\`${name}\``, kind, labels.map((label) => `\`${label}\``).join(" ") || "–", help]),
    ),
    "",
    "## Buckets",
    "",
    row(["Histogram", "Upper bounds"]),
    row(["---", "---"]),
    ...all.flatMap((one) => ("buckets" in one ? [row([`\`${one.name}\``, one.buckets.map(number).join(" ")])] : [])),
    "",
    "## Several threads",
    "",
    "Counters and histograms of all threads are added, and so are these gauges unless said otherwise:",
    "",
    ...all.flatMap((one) =>
      one.kind === "gauge" && one.across !== "sum" ? [`- \`${one.name}\`: the ${one.across} of all threads`] : [],
    ),
    "",
  ]
  return lines.join("\n")
}
