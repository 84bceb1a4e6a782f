import { describe, expect, it } from "vitest"
import { Exponential, firstScale, merge, rangeMax, since } from "../../src/telemetry/Exponential.ts"
import { exposeProtobuf } from "../../src/telemetry/exposition.ts"
import { Registry } from "../../src/telemetry/Registry.ts"
import { wantsProtobuf } from "../../src/admin/stats.ts"
import { familiesIn, nativeBuckets, type ReadHistogram } from "../peers/prometheus.ts"

const holding = (...values: ReadonlyArray<number>): Exponential => {
  const histogram = new Exponential()
  for (const value of values) histogram.observe(value)
  return histogram
}

const total = ({ buckets, zeroCount }: ReturnType<Exponential["export"]>): number =>
  buckets.reduce((sum, [, count]) => sum + count, zeroCount)

describe("exponential buckets", () => {
  it("hold each value between their bounds, powers of two at the upper one", () => {
    for (const value of [1e-9, 0.00005, 0.1, 0.25, 1, 2, 3, 80, 67_108_864]) {
      const [bucket] = holding(value).export().buckets
      const base = 2 ** (2 ** -firstScale)
      const [index = 0] = bucket ?? []
      expect(value).toBeGreaterThan(base ** index * (1 - 1e-9))
      expect(value).toBeLessThanOrEqual(base ** (index + 1) * (1 + 1e-9))
    }
    expect(holding(2).export().buckets).toEqual([[7, 1]])
    expect(holding(0, -1, Number.NaN, Infinity).export()).toEqual({ scale: firstScale, zeroCount: 4, buckets: [] })
  })

  it("get coarser rather than more, and lose nothing", () => {
    const histogram = new Exponential()
    for (let i = -400; i <= 400; i++) histogram.observe(2 ** (i / 4))
    const told = histogram.export()
    expect(told.scale).toBeLessThan(firstScale)
    expect(total(told)).toBe(801)
    const indexes = told.buckets.map(([index]) => index)
    expect((indexes.at(-1) ?? 0) - (indexes[0] ?? 0)).toBeLessThan(rangeMax)
  })

  it("of several threads add up, whatever their scales", () => {
    const fine = holding(1, 2, 3, 0)
    const coarse = holding(1e-12, 1e12, 1)
    const both = merge(fine.export(), coarse.export())
    expect(both.scale).toBe(coarse.export().scale)
    expect(both).toEqual(holding(1, 2, 3, 0, 1e-12, 1e12, 1).export())
    expect(merge(coarse.export(), fine.export())).toEqual(both)
  })

  it("tell what came since, also when they have become coarser meanwhile", () => {
    const histogram = holding(1, 2, 2)
    const before = histogram.export()
    for (const value of [2, 1e-12, 1e12]) histogram.observe(value)
    const more = since(before, histogram.export())
    expect(more).toEqual({ ...more, zeroCount: 0, buckets: expect.any(Array) })
    expect(total(more)).toBe(3)
    expect(more).toEqual({ ...holding(2, 1e-12, 1e12).export(), scale: histogram.export().scale })
  })
})

describe("metrics in protobuf", () => {
  const registry = new Registry({ exponential: true })
  const seconds = registry.histogram({
    name: "a_seconds",
    kind: "histogram",
    help: "A.",
    labels: ["x"],
    buckets: [0.1, 1],
  })
  registry
    .counter({ name: "b_total", kind: "counter", help: "B.", labels: ["x"] })
    .with('"\n')
    .add(2.5)
  registry.gauge({ name: "c", kind: "gauge", help: "C.", labels: [], across: "max" }).with().set(-1)
  registry.counter({ name: "empty_total", kind: "counter", help: "Nobody.", labels: [] })
  for (const value of [0.05, 0.05, 0.7, 0, 80]) seconds.with("one").observe(value)
  seconds.with("none")
  const read = (histograms: "classic" | "native" | "both") =>
    familiesIn(Buffer.concat([...exposeProtobuf(registry.export(), histograms)]))
  const one = (histograms: "classic" | "native" | "both"): ReadHistogram =>
    read(histograms)[0]?.metrics[0]?.histogram as ReadHistogram

  it("are what was counted", () => {
    expect(read("both").map(({ metrics, name, type }) => [name, type, metrics[0]?.labels, metrics[0]?.value])).toEqual([
      ["a_seconds", "HISTOGRAM", { x: "one" }, undefined],
      ["b_total", "COUNTER", { x: '"\n' }, 2.5],
      ["c", "GAUGE", {}, -1],
    ])
  })

  it("have classic buckets, native ones, or both", () => {
    const both = one("both")
    expect([both.sampleCount, both.sampleSum]).toEqual([5, 80.8])
    expect(both.bucket).toEqual([
      { cumulativeCount: 3, upperBound: 0.1 },
      { cumulativeCount: 4, upperBound: 1 },
      { cumulativeCount: 5, upperBound: Infinity },
    ])
    expect(both.schema).toBe(firstScale)
    expect(both.zeroCount).toBe(1)
    const counts = [0.05, 0.7, 80].map(
      (value) => nativeBuckets(both).find(({ above, upTo }) => value > above && value <= upTo)?.count,
    )
    expect(counts).toEqual([2, 1, 1])
    expect(one("classic").positiveSpan ?? []).toEqual([])
    expect(one("native").bucket ?? []).toEqual([])
    expect(one("native").positiveDelta).toEqual(both.positiveDelta)
    // An empty one is a native histogram too.
    expect(read("native")[0]?.metrics[1]?.histogram?.positiveSpan).toHaveLength(1)
  })

  it("are for whoever asks for them as much as for text", () => {
    const prometheus =
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    for (const accept of [
      prometheus,
      "application/x-protobuf",
      "application/protobuf, text/plain",
      "application/vnd.google.protobuf",
    ]) {
      expect(wantsProtobuf(accept), accept).toBe(true)
    }
    for (const accept of [
      undefined,
      "",
      "*/*",
      "text/plain",
      "text/plain, application/protobuf;q=0.5",
      "application/protobuf;q=0",
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
      "application/vnd.google.protobuf;proto=something.Else",
      "application/openmetrics-text;version=1.0.0",
      "application/protobuf;q=nonsense",
    ]) {
      expect(wantsProtobuf(accept), accept).toBe(false)
    }
  })
})
