import { describe, expect, it } from "vitest"
import { Headers } from "../../../protocols/http/headers.ts"
import { type Propagator, propagationOf, w3c } from "../../../protocols/trace/propagation.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"

const extracted = (names: ReadonlyArray<Propagator>, fields: Readonly<Record<string, string>>) =>
  propagationOf(names).extract(new Headers(Object.entries(fields).flat()))

const injected = (names: ReadonlyArray<Propagator>, flags = 1) => {
  const headers = new Headers([])
  propagationOf(names).inject(headers, { traceId, spanId, flags })
  return Object.fromEntries(
    Array.from({ length: headers.flat.length / 2 }, (_, i) => [headers.flat[2 * i], headers.flat[2 * i + 1]]),
  )
}

describe("a context is read", () => {
  it.each<readonly [what: string, names: ReadonlyArray<Propagator>, fields: Record<string, string>, expected: unknown]>(
    [
      ["of B3 in one header", ["b3"], { b3: `${traceId}-${spanId}-1` }, { traceId, spanId, flags: 1 }],
      ["of B3 with a parent", ["b3"], { b3: `${traceId}-${spanId}-1-05e3ac9a4f6e3b90` }, { traceId, spanId, flags: 1 }],
      ["that is not sampled", ["b3"], { b3: `${traceId}-${spanId}-0` }, { traceId, spanId, flags: 0 }],
      ["for debugging", ["b3"], { b3: `${traceId}-${spanId}-d` }, { traceId, spanId, flags: 1 }],
      [
        "with a short id, which is filled up",
        ["b3"],
        { b3: `${spanId}-${spanId}-1` },
        { traceId: `${"0".repeat(16)}${spanId}`, spanId, flags: 1 },
      ],
      ["that is only a decision: none", ["b3"], { b3: "0" }, undefined],
      ["that is no context: none", ["b3"], { b3: "x-y-1" }, undefined],
      [
        "of B3 in several headers",
        ["b3multi"],
        { "x-b3-traceid": traceId, "x-b3-spanid": spanId, "x-b3-sampled": "1" },
        { traceId, spanId, flags: 1 },
      ],
      [
        "of B3 in several headers, by the flag for debugging",
        ["b3multi"],
        { "x-b3-traceid": traceId, "x-b3-spanid": spanId, "x-b3-flags": "1" },
        { traceId, spanId, flags: 1 },
      ],
      ["of Jaeger", ["jaeger"], { "uber-trace-id": `${traceId}:${spanId}:0:1` }, { traceId, spanId, flags: 1 }],
      [
        "of Jaeger, coded for a URL",
        ["jaeger"],
        { "uber-trace-id": encodeURIComponent(`${traceId}:${spanId}:0:0`) },
        { traceId, spanId, flags: 0 },
      ],
      ["of zeroes: none", ["jaeger"], { "uber-trace-id": `${"0".repeat(32)}:${spanId}:0:1` }, undefined],
      ["of nobody who is asked: none", ["b3"], { traceparent: `00-${traceId}-${spanId}-01` }, undefined],
      [
        "by the last of several that is there",
        ["tracecontext", "b3"],
        { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, b3: `${traceId}-${spanId}-0` },
        { traceId, spanId, flags: 0 },
      ],
      [
        "by the first where the last is not there",
        ["tracecontext", "b3"],
        { traceparent: `00-${traceId}-${spanId}-01` },
        { traceId, spanId, flags: 1 },
      ],
    ],
  )("%s", (_, names, fields, expected) => {
    expect(extracted(names, fields)).toEqual(expected)
  })
})

it("a context is told in every way that is asked for, and in no other", () => {
  expect(injected(["b3"])).toEqual({ b3: `${traceId}-${spanId}-1` })
  expect(injected(["b3multi"], 0)).toEqual({
    "x-b3-traceid": traceId,
    "x-b3-spanid": spanId,
    "x-b3-sampled": "0",
  })
  expect(injected(["jaeger", "baggage"])).toEqual({ "uber-trace-id": `${traceId}:${spanId}:0:01` })
  expect(injected(["tracecontext", "b3"])).toEqual({
    traceparent: `00-${traceId}-${spanId}-01`,
    b3: `${traceId}-${spanId}-1`,
  })
  expect(injected([])).toEqual({})
})

it("W3C alone is what there is without a word", () => {
  expect(propagationOf(undefined)).toBe(w3c)
  expect(propagationOf(["tracecontext", "baggage"])).toBe(w3c)
})
