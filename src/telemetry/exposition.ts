/** What Prometheus reads: the text format, and protobuf for whoever wants native histograms. */
import { contentType as protobufType, delimited } from "../../protocols/prometheus/protobuf.ts"
import { type Exported, type ExportedSeries, unknown } from "./Registry.ts"

/** Which buckets of histograms are told. Text has no native ones: of those only their sum and their count. */
export type Histograms = "classic" | "native" | "both"

const shown = (bounds: ReadonlyArray<number>, histograms: Histograms): ReadonlyArray<number> =>
  histograms === "native" ? [] : bounds

const told = (counts: ReadonlyArray<number>, histograms: Histograms): ReadonlyArray<number> =>
  histograms === "native" ? [counts.reduce((sum, count) => sum + count, 0)] : counts

export const textType = "text/plain; version=0.0.4; charset=utf-8"

/** Characters of one piece of the exposition, about. */
const pieceLength = 32 * 1024

/** The Prometheus text format, in pieces, so that a great many series can be sent without holding up the loop. */
export function* expose(exported: Exported, histograms: Histograms = "classic"): Generator<string> {
  let piece = ""
  for (const { definition, series } of exported) {
    if (series.length === 0) continue
    const { buckets = [], help, kind, labels, name } = definition
    piece += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n`
    for (const one of series) {
      const text = labels.map((label, i) => `${label}="${escapeLabel(one.labels[i] ?? unknown)}"`).join(",")
      if (one.counts === undefined) piece += `${name}${braces(text)} ${number(one.value)}\n`
      else piece += histogramLines(name, text, shown(buckets, histograms), told(one.counts, histograms), one.value)
      if (piece.length > pieceLength) {
        yield piece
        piece = ""
      }
    }
  }
  yield piece
}

const histogramLines = (
  name: string,
  labels: string,
  buckets: ReadonlyArray<number>,
  counts: ReadonlyArray<number>,
  sum: number,
): string => {
  const before = labels === "" ? "" : `${labels},`
  let count = 0
  let lines = ""
  for (let i = 0; i < counts.length; i++) {
    count += counts[i] as number
    lines += `${name}_bucket{${before}le="${number(buckets[i] ?? Infinity)}"} ${count}\n`
  }
  return `${lines}${name}_sum${braces(labels)} ${number(sum)}\n${name}_count${braces(labels)} ${count}\n`
}

const braces = (labels: string): string => (labels === "" ? "" : `{${labels}}`)

const number = (value: number): string => (value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value))

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")

const escapeLabel = (text: string): string =>
  /["\\\n]/.test(text) ? text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"') : text

export { protobufType }

/** The same in protobuf, one piece for each metric. */
export function* exposeProtobuf(exported: Exported, histograms: Histograms = "classic"): Generator<Uint8Array> {
  for (const { definition, series } of exported) {
    if (series.length === 0) continue
    const { buckets, help, kind, labels, name } = definition
    yield delimited({
      name,
      help,
      kind,
      bounds: histograms === "native" ? undefined : buckets,
      series: series.map((one: ExportedSeries) => ({
        labels: labels.map((label, i) => [label, one.labels[i] ?? unknown] as const),
        value: one.value,
        counts: one.counts,
        native: histograms === "classic" ? undefined : one.exponential,
      })),
    })
  }
}
