/**
 * Reads Prometheus' protobuf format as a server of Prometheus does: with messages made from its own description of them,
 * and native buckets turned back into what each of them holds.
 */
import { loadSync, type MessageTypeDefinition } from "@grpc/proto-loader"
import { fileURLToPath } from "node:url"

const definitions = loadSync(fileURLToPath(new URL("proto/prometheus_metrics.proto", import.meta.url)), {
  longs: Number,
  enums: String,
})
const family = definitions["io.prometheus.client.MetricFamily"] as MessageTypeDefinition<object, object>

export interface ReadHistogram {
  readonly sampleCount: number
  readonly sampleSum: number
  readonly bucket?: ReadonlyArray<{ readonly cumulativeCount: number; readonly upperBound: number }>
  readonly schema?: number
  readonly zeroCount?: number
  readonly positiveSpan?: ReadonlyArray<{ readonly offset?: number; readonly length?: number }>
  readonly positiveDelta?: ReadonlyArray<number>
}

export interface ReadMetric {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number | undefined
  readonly histogram: ReadHistogram | undefined
}

export interface ReadFamily {
  readonly name: string
  readonly type: string
  readonly metrics: ReadonlyArray<ReadMetric>
}

interface Raw {
  readonly name: string
  readonly type: string
  readonly metric?: ReadonlyArray<{
    readonly label?: ReadonlyArray<{ readonly name: string; readonly value: string }>
    readonly gauge?: { readonly value?: number }
    readonly counter?: { readonly value?: number }
    readonly histogram?: ReadHistogram
  }>
}

const read = (bytes: Buffer): ReadFamily => {
  const { metric = [], name, type } = family.deserialize(bytes) as unknown as Raw
  return {
    name,
    type,
    metrics: metric.map(({ counter, gauge, histogram, label = [] }) => ({
      labels: Object.fromEntries(label.map((one) => [one.name, one.value])),
      value: counter?.value ?? gauge?.value,
      histogram,
    })),
  }
}

/** Every family of an exposition, each of which comes after its length. */
export const familiesIn = (bytes: Buffer): ReadonlyArray<ReadFamily> => {
  const all: Array<ReadFamily> = []
  for (let at = 0; at < bytes.length;) {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error("it ends inside a length")
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    if (at + length > bytes.length) throw new Error("it ends inside a family")
    all.push(read(bytes.subarray(at, at + length)))
    at += length
  }
  return all
}

/** What each native bucket holds, by its bounds. */
export const nativeBuckets = ({
  positiveDelta = [],
  positiveSpan = [],
  schema = 0,
}: ReadHistogram): ReadonlyArray<{ readonly above: number; readonly upTo: number; readonly count: number }> => {
  const base = 2 ** (2 ** -schema)
  const found: Array<{ above: number; upTo: number; count: number }> = []
  let index = 0
  let next = 0
  let count = 0
  for (const { length = 0, offset = 0 } of positiveSpan) {
    index += offset
    for (let i = 0; i < length; i++, index++) {
      count += positiveDelta[next++] ?? 0
      found.push({ above: base ** (index - 1), upTo: base ** index, count })
    }
  }
  if (next !== positiveDelta.length) throw new Error("spans and counts do not match")
  return found
}
