/** What we encode, decoded with OpenTelemetry's own messages. */
import { createRequire } from "node:module"
import { expect, it } from "vitest"
import { encodeLogs } from "../../../protocols/otlp/logs.ts"
import { encodeTraces } from "../../../protocols/otlp/traces.ts"

const root = createRequire(import.meta.url)("@opentelemetry/otlp-transformer/build/src/generated/root.js")
const { logs, trace } = root.opentelemetry.proto.collector

const of = { resource: [["service.name", "sluice"] as const], scope: { name: "scope", version: "1" } }

it("tells values of every kind, nested ones included", () => {
  const bytes = encodeLogs(
    [
      {
        unixMillis: 1_700_000_000_000.25,
        body: "",
        attributes: [
          ["text", "é\u0000"],
          ["whole", -7],
          ["big", 2n ** 62n],
          ["fraction", 0.5],
          ["yes", true],
          ["nothing", null],
          ["list", [1, "a", { deep: [null] }]],
          ["map", { a: { b: 1 } }],
        ],
        traceId: "0123456789abcdef0123456789abcdef",
        spanId: undefined,
      },
    ],
    of,
  )
  const decoded = logs.v1.ExportLogsServiceRequest.toObject(logs.v1.ExportLogsServiceRequest.decode(bytes), {
    longs: String,
  })
  const record = decoded.resourceLogs[0].scopeLogs[0].logRecords[0]
  expect(record.timeUnixNano).toBe("1700000000000250000")
  expect(Buffer.from(record.traceId).toString("hex")).toBe("0123456789abcdef0123456789abcdef")
  expect(record.attributes).toMatchObject([
    { key: "text", value: { stringValue: "é\u0000" } },
    { key: "whole", value: { intValue: "-7" } },
    { key: "big", value: { intValue: String(2n ** 62n) } },
    { key: "fraction", value: { doubleValue: 0.5 } },
    { key: "yes", value: { boolValue: true } },
    { key: "nothing", value: {} },
    {
      key: "list",
      value: {
        arrayValue: {
          values: [
            { intValue: "1" },
            { stringValue: "a" },
            { kvlistValue: { values: [{ key: "deep", value: { arrayValue: { values: [{}] } } }] } },
          ],
        },
      },
    },
    { key: "map", value: { kvlistValue: { values: [{ key: "a", value: { kvlistValue: {} } }] } } },
  ])
})

it("goes no deeper than it must", () => {
  let value: unknown = "bottom"
  for (let i = 0; i < 50; i++) value = [value]
  const bytes = encodeLogs(
    [{ unixMillis: 0, body: "", attributes: [["deep", value]], traceId: undefined, spanId: undefined }],
    of,
  )
  expect(() => logs.v1.ExportLogsServiceRequest.decode(bytes)).not.toThrow()
})

it("tells spans with their parents, kinds and failures", () => {
  const span = {
    traceId: "0123456789abcdef0123456789abcdef",
    spanId: "0123456789abcdef",
    parentId: "fedcba9876543210",
    state: "a=1",
    name: "GET /*",
    kind: "client" as const,
    startedUnixMillis: 1,
    endedUnixMillis: 2.5,
    attributes: [],
    error: "broke off",
  }
  const bytes = encodeTraces([span, { ...span, parentId: undefined, error: undefined }], of)
  const decoded = trace.v1.ExportTraceServiceRequest.toObject(trace.v1.ExportTraceServiceRequest.decode(bytes), {
    longs: String,
  })
  const [first, second] = decoded.resourceSpans[0].scopeSpans[0].spans
  expect(first).toMatchObject({
    traceState: "a=1",
    name: "GET /*",
    kind: 3,
    startTimeUnixNano: "1000000",
    endTimeUnixNano: "2500000",
    status: { message: "broke off", code: 2 },
  })
  expect(Buffer.from(first.parentSpanId).toString("hex")).toBe("fedcba9876543210")
  expect([second.parentSpanId, second.status]).toEqual([undefined, undefined])
})

it("tells texts of every length and alphabet alike", () => {
  const texts = ["", "\u0000", "é", "\u{1f600}", "~ "].flatMap((piece) =>
    Array.from({ length: 140 }, (_, length) => piece.repeat(length)),
  )
  const attributes = texts.flatMap((text, i) => [
    [`k${"e".repeat(i % 130)}y`, text] as const,
    [text === "" ? "none" : text, "v"] as const,
  ])
  const bytes = encodeLogs(
    [{ unixMillis: 1, body: "", attributes, traceId: "0g".repeat(16), spanId: "ABCDEF0123456789" }],
    of,
  )
  const [record] = logs.v1.ExportLogsServiceRequest.toObject(logs.v1.ExportLogsServiceRequest.decode(bytes))
    .resourceLogs[0].scopeLogs[0].logRecords
  expect(
    record.attributes.map(({ key, value }: never) => [key, (value as { stringValue: string }).stringValue]),
  ).toEqual(attributes)
  // What is no id in lower-case hexadecimal is not told.
  expect([record.traceId, record.spanId]).toEqual([undefined, undefined])
})
