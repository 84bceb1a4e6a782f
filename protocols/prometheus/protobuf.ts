/** Metric families as Prometheus reads them in protobuf (`io.prometheus.client.MetricFamily`), each with its length. */
import { BIT64, BYTES, VARINT, Writer } from "../protobuf/Writer.ts"

export const contentType =
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

export interface NativeBuckets {
  /** Of OTLP: bucket `i` is that above `base^i`. */
  readonly scale: number
  readonly zeroCount: number
  readonly buckets: ReadonlyArray<readonly [index: number, count: number]>
}

export interface Series {
  readonly labels: ReadonlyArray<readonly [name: string, value: string]>
  /** The sum of a histogram. */
  readonly value: number
  /** Of each classic bucket alone, the infinite one last; absent: not a histogram. */
  readonly counts?: ReadonlyArray<number> | undefined
  readonly native?: NativeBuckets | undefined
}

export interface Family {
  readonly name: string
  readonly help: string
  readonly kind: "counter" | "gauge" | "histogram"
  /** Upper bounds of the classic buckets; absent: only native ones are told. */
  readonly bounds?: ReadonlyArray<number> | undefined
  readonly series: Iterable<Series>
}

const kinds = { counter: 0, gauge: 1, histogram: 4 } as const

/** Below it a value counts as zero; what is observed here is never that small. */
const zeroThreshold = 2 ** -128

const text = (writer: Writer, field: number, value: string): void => {
  writer.tag(field, BYTES).string(value)
}

const double = (writer: Writer, field: number, value: number): void => {
  writer.tag(field, BIT64).double(value)
}

const whole = (writer: Writer, field: number, value: number): void => {
  writer.tag(field, VARINT).uint32(value)
}

const message = (writer: Writer, field: number, write: () => void): void => {
  writer.tag(field, BYTES).fork()
  write()
  writer.join()
}

const classic = (writer: Writer, counts: ReadonlyArray<number>, bounds: ReadonlyArray<number>): void => {
  let count = 0
  for (const [i, own] of counts.entries()) {
    count += own
    message(writer, 3, () => {
      whole(writer, 1, count)
      double(writer, 2, bounds[i] ?? Infinity)
    })
  }
}

/** Buckets in a row are one span; between spans only the gap is told, and of each count how it differs from the one before. */
const native = (writer: Writer, { buckets, scale, zeroCount }: NativeBuckets): void => {
  writer.tag(5, VARINT).sint32(scale)
  double(writer, 6, zeroThreshold)
  whole(writer, 7, zeroCount)
  // Prometheus counts buckets by their upper bound.
  const indexes = buckets.map(([index]) => index + 1)
  let end = 0
  for (let i = 0; i < indexes.length;) {
    const start = indexes[i] as number
    let length = 1
    while (indexes[i + length] === start + length) length++
    message(writer, 12, () => {
      writer.tag(1, VARINT).sint32(start - end)
      writer.tag(2, VARINT).uint32(length)
    })
    end = start + length
    i += length
  }
  // Without a span a reader would not take an empty one for a native histogram.
  if (buckets.length === 0) {
    message(writer, 12, () => {
      writer.tag(1, VARINT).sint32(0)
      writer.tag(2, VARINT).uint32(0)
    })
  }
  let before = 0
  for (const [, count] of buckets) {
    writer.tag(13, VARINT).sint64(count - before)
    before = count
  }
}

const metric = (writer: Writer, { bounds, kind }: Family, series: Series): void => {
  const { counts, labels, native: buckets, value } = series
  for (const [name, label] of labels) {
    message(writer, 1, () => {
      text(writer, 1, name)
      text(writer, 2, label)
    })
  }
  if (kind === "gauge") message(writer, 2, () => double(writer, 1, value))
  else if (kind === "counter") message(writer, 3, () => double(writer, 1, value))
  else {
    message(writer, 7, () => {
      whole(
        writer,
        1,
        (counts ?? []).reduce((sum, count) => sum + count, 0),
      )
      double(writer, 2, value)
      if (bounds !== undefined && counts !== undefined) classic(writer, counts, bounds)
      if (buckets !== undefined) native(writer, buckets)
    })
  }
}

/** One family with its length before it, as they follow each other in an exposition. */
export const delimited = (family: Family): Uint8Array => {
  const writer = new Writer().fork(3)
  text(writer, 1, family.name)
  text(writer, 2, family.help)
  writer.tag(3, VARINT).uint32(kinds[family.kind])
  for (const series of family.series) message(writer, 4, () => metric(writer, family, series))
  return writer.join().finish()
}
