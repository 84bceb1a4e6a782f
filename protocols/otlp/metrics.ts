/** Metrics as an ExportMetricsServiceRequest. */
import { BIT64, VARINT, Writer } from "../protobuf/Writer.ts"
import { attributes, exportRequest, item, message, type Origin, text, time } from "./wire.ts"

export const metricsPath = "/v1/metrics"
export const metricsMethod = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

export type Temporality = "delta" | "cumulative"

export interface OtlpExponential {
  readonly scale: number
  /** Of values that are zero, or below. */
  readonly zeroCount: number
  /** Bucket `i` holds what is above `base^i`, up to and with `base^(i+1)`; in rising order. */
  readonly buckets: ReadonlyArray<readonly [index: number, count: number]>
}

/** What one series has come to. */
export interface Measured {
  /** The sum of a histogram. */
  readonly value: number
  /** Of each bucket alone, the infinite one last. */
  readonly counts?: ReadonlyArray<number> | undefined
  readonly exponential?: OtlpExponential | undefined
}

export interface OtlpPoint extends Measured {
  readonly attributes: ReadonlyArray<readonly [name: string, value: string]>
}

export interface OtlpMetric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly kind: "counter" | "gauge" | "histogram"
  readonly bounds?: ReadonlyArray<number> | undefined
  readonly points: ReadonlyArray<OtlpPoint>
}

export interface OtlpPeriod {
  readonly temporality: Temporality
  readonly startedUnixMillis: number
  readonly endedUnixMillis: number
}

const temporalities = { delta: 1, cumulative: 2 } as const

const double = (writer: Writer, field: number, value: number): void => {
  writer.tag(field, BIT64).double(value)
}

const fixed = (writer: Writer, field: number, value: number): void => {
  writer.tag(field, BIT64).fixed64(value)
}

const number = (writer: Writer, point: OtlpPoint, period: OtlpPeriod, hasStart: boolean): void => {
  if (hasStart) time(writer, 2, period.startedUnixMillis)
  time(writer, 3, period.endedUnixMillis)
  double(writer, 4, point.value)
  attributes(writer, 7, point.attributes)
}

const total = (counts: ReadonlyArray<number> = []): number => counts.reduce((sum, count) => sum + count, 0)

const explicit = (
  writer: Writer,
  { attributes: own, counts = [], value }: OtlpPoint,
  bounds: ReadonlyArray<number>,
  period: OtlpPeriod,
): void => {
  time(writer, 2, period.startedUnixMillis)
  time(writer, 3, period.endedUnixMillis)
  fixed(writer, 4, total(counts))
  double(writer, 5, value)
  message(writer, 6, (packed) => {
    for (const count of counts) packed.fixed64(count)
  })
  message(writer, 7, (packed) => {
    for (const bound of bounds) packed.double(bound)
  })
  attributes(writer, 9, own)
}

const exponential = (
  writer: Writer,
  { attributes: own, counts, value }: OtlpPoint,
  { buckets, scale, zeroCount }: OtlpExponential,
  period: OtlpPeriod,
): void => {
  attributes(writer, 1, own)
  time(writer, 2, period.startedUnixMillis)
  time(writer, 3, period.endedUnixMillis)
  fixed(writer, 4, total(counts))
  double(writer, 5, value)
  writer.tag(6, VARINT).sint32(scale)
  fixed(writer, 7, zeroCount)
  const first = buckets[0]?.[0]
  if (first !== undefined) {
    message(writer, 8, (positive) => {
      positive.tag(1, VARINT).sint32(first)
      message(positive, 2, (packed) => {
        let next = first
        for (const [index, count] of buckets) {
          for (; next < index; next++) packed.uint32(0)
          packed.uint32(count)
          next++
        }
      })
    })
  }
}

const metric = (writer: Writer, one: OtlpMetric, period: OtlpPeriod): void => {
  const { bounds = [], description, kind, name, points, unit } = one
  text(writer, 1, name)
  text(writer, 2, description)
  text(writer, 3, unit)
  const temporality = (inner: Writer): void => {
    inner.tag(2, VARINT).uint32(temporalities[period.temporality])
  }
  if (kind === "gauge") {
    message(writer, 5, (gauge) => {
      for (const point of points) message(gauge, 1, (inner) => number(inner, point, period, false))
    })
  } else if (kind === "counter") {
    message(writer, 7, (sum) => {
      for (const point of points) message(sum, 1, (inner) => number(inner, point, period, true))
      temporality(sum)
      sum.tag(3, VARINT).bool(true)
    })
  } else if (points.some((point) => point.exponential !== undefined)) {
    message(writer, 10, (histogram) => {
      for (const point of points) {
        const { exponential: buckets } = point
        if (buckets !== undefined) message(histogram, 1, (inner) => exponential(inner, point, buckets, period))
      }
      temporality(histogram)
    })
  } else {
    message(writer, 9, (histogram) => {
      for (const point of points) message(histogram, 1, (inner) => explicit(inner, point, bounds, period))
      temporality(histogram)
    })
  }
}

export const encodeMetrics = (metrics: ReadonlyArray<OtlpMetric>, period: OtlpPeriod, origin: Origin): Uint8Array => {
  const writer = new Writer()
  for (const one of metrics) item(writer, () => metric(writer, one, period))
  return exportRequest(origin, writer.finish())
}
