/** What we say in JSON is what we say in protobuf, judged by the messages that OpenTelemetry generates. */
import { createRequire } from "node:module"
import { expect, it } from "vitest"
import { toJsonText } from "../../../protocols/otlp/json.ts"
import { encodeLogs } from "../../../protocols/otlp/logs.ts"
import { encodeMetrics } from "../../../protocols/otlp/metrics.ts"
import { encodeTraces } from "../../../protocols/otlp/traces.ts"

const root = createRequire(import.meta.url)("@opentelemetry/otlp-transformer/build/src/generated/root.js")
const { logs, metrics, trace } = root.opentelemetry.proto.collector

const origin = { resource: [["service.name", "sluice"] as const], scope: { name: "scope", version: "1" } }

/** Only ids are hexadecimal. */
const hexed = (value: unknown, name = ""): unknown =>
  typeof value === "string" && ["traceId", "spanId", "parentSpanId"].includes(name)
    ? Buffer.from(value, "base64").toString("hex")
    : Array.isArray(value)
      ? value.map((one) => hexed(one))
      : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, hexed(one, key)]))
        : value

const decodedBy = (decoder: never, bytes: Uint8Array): unknown => {
  const { decode, toObject } = decoder as {
    readonly decode: (bytes: Uint8Array) => unknown
    readonly toObject: (message: unknown, options: object) => unknown
  }
  return hexed(toObject(decode(bytes), { longs: String, bytes: String, json: true }))
}

const attributes = [
  ["text", "é\u0000\u{1f600}"],
  ["whole", -7],
  ["big", -(2n ** 62n)],
  ["fraction", 0.5],
  ["endless", Infinity],
  ["no", false],
  ["nothing", null],
  ["bytes", new Uint8Array([0, 255, 7])],
  ["list", [1, "a", { deep: [null] }]],
  ["map", { a: { b: 1 } }],
] as const

const traceId = "0123456789abcdef0123456789abcdef"

it("spans", () => {
  const span = {
    traceId,
    spanId: "0123456789abcdef",
    parentId: "fedcba9876543210",
    state: "a=1",
    name: "GET /*",
    kind: "client" as const,
    startedUnixMillis: 1_700_000_000_000.25,
    endedUnixMillis: 1_700_000_000_001,
    attributes,
    droppedAttributes: 3,
    error: "broke off",
  }
  const bytes = encodeTraces([span, { ...span, parentId: undefined, error: undefined, attributes: [] }], origin)
  const told = JSON.parse(toJsonText("traces", bytes))
  expect(told).toEqual(decodedBy(trace.v1.ExportTraceServiceRequest as never, bytes))
  expect(told.resourceSpans[0].scopeSpans[0].spans[0]).toMatchObject({
    traceId,
    parentSpanId: "fedcba9876543210",
    startTimeUnixNano: "1700000000000250000",
    kind: 3,
    status: { code: 2, message: "broke off" },
    droppedAttributesCount: 3,
  })
})

it("records of logs", () => {
  const one = { unixMillis: 1_700_000_000_000, body: "request", attributes, traceId, spanId: "0123456789abcdef" }
  const bytes = encodeLogs([one, { ...one, traceId: undefined, spanId: undefined }], origin)
  expect(JSON.parse(toJsonText("logs", bytes))).toEqual(decodedBy(logs.v1.ExportLogsServiceRequest as never, bytes))
})

it("metrics of every kind", () => {
  const labels = [["a", "b"]] as const
  const known = { description: "what it is", unit: "s" }
  const bytes = encodeMetrics(
    [
      { ...known, name: "g", kind: "gauge", points: [{ attributes: labels, value: -1.5 }] },
      { ...known, name: "c", kind: "counter", points: [{ attributes: labels, value: 2 ** 40 }] },
      {
        ...known,
        name: "h",
        kind: "histogram",
        bounds: [0.1, 1],
        points: [{ attributes: labels, value: 3.5, counts: [1, 0, 2 ** 33] }],
      },
      {
        ...known,
        name: "e",
        kind: "histogram",
        bounds: [],
        points: [
          {
            attributes: labels,
            value: 3.5,
            counts: [4],
            exponential: {
              scale: -2,
              zeroCount: 1,
              buckets: [
                [-3, 1],
                [1, 300],
              ],
            },
          },
        ],
      },
    ],
    { temporality: "delta", startedUnixMillis: 1, endedUnixMillis: 2 },
    origin,
  )
  const told = JSON.parse(toJsonText("metrics", bytes))
  expect(told).toEqual(decodedBy(metrics.v1.ExportMetricsServiceRequest as never, bytes))
  const [, , , exponential] = told.resourceMetrics[0].scopeMetrics[0].metrics
  expect(exponential.exponentialHistogram).toMatchObject({
    aggregationTemporality: 1,
    dataPoints: [{ scale: -2, positive: { offset: -3, bucketCounts: ["1", "0", "0", "0", "300"] } }],
  })
})

it("what a later version adds is left out, not misread", () => {
  // Field 30, a length of three bytes, in front of everything else.
  const later = new Uint8Array([0xf2, 0x01, 3, 1, 2, 3])
  const bytes = encodeLogs([], origin)
  const both = new Uint8Array([...later, ...bytes])
  expect(toJsonText("logs", both)).toBe(toJsonText("logs", bytes))
})
