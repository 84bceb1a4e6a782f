import { describe, expect, it } from "vitest"
import { format, newSpanId, newTraceId, parse, shareOf } from "../../../protocols/trace/context.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"

describe("traceparent", () => {
  it("is read and written back", () => {
    const header = `00-${traceId}-${spanId}-01`
    expect(parse(header)).toEqual({ traceId, spanId, flags: 1 })
    expect(format({ traceId, spanId, flags: 1 })).toBe(header)
  })
  it.each([
    ["a version that is forbidden", `ff-${traceId}-${spanId}-01`],
    ["capital letters", `00-${traceId.toUpperCase()}-${spanId}-01`],
    ["no trace", `00-${"0".repeat(32)}-${spanId}-01`],
    ["no span", `00-${traceId}-${"0".repeat(16)}-01`],
    ["a short id", `00-${traceId.slice(1)}-${spanId}-01`],
    ["more than version 00 may hold", `00-${traceId}-${spanId}-01-more`],
    ["nothing", ""],
  ])("with %s is no traceparent", (_, header) => {
    expect(parse(header)).toBeUndefined()
  })
  it("of a later version is read as far as it is understood", () => {
    expect(parse(`cc-${traceId}-${spanId}-01-what-the-future-brings`)).toEqual({ traceId, spanId, flags: 1 })
  })
  it("passes on only the flags that are understood", () => {
    expect(format({ traceId, spanId, flags: 0xff }).slice(-2)).toBe("03")
  })
})

describe("ids", () => {
  it("are never all zero, and their share lies between 0 and 1", () => {
    expect(parse(`00-${newTraceId(() => 0)}-${newSpanId(() => 0)}-01`)).toBeDefined()
    expect(shareOf("0".repeat(32))).toBe(0)
    expect(shareOf("f".repeat(32))).toBeLessThanOrEqual(1)
    expect(shareOf(`${"0".repeat(18)}80000000000000`)).toBe(0.5)
  })
})
