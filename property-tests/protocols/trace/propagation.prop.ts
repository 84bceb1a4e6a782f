import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Headers } from "../../../protocols/http/headers.ts"
import { propagationOf, propagators } from "../../../protocols/trace/propagation.ts"

const id = (length: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length })
    .filter((text) => !/^0+$/.test(text))
const context = fc.record({ traceId: id(32), spanId: id(16), flags: fc.constantFrom(0, 1) })
const chosen = fc.subarray([...propagators])

describe("a context that is told", () => {
  it("is read back the same, in whichever ways it is told", () => {
    fc.assert(
      fc.property(chosen, context, (names, told) => {
        const propagation = propagationOf(names.length === 0 ? ["b3"] : names)
        if (names.every((name) => name === "baggage")) return
        const headers = new Headers([])
        propagation.inject(headers, told)
        expect(propagation.extract(headers)).toEqual(told)
      }),
    )
  })

  it("is a context or nothing, whatever the headers hold", () => {
    const field = fc.oneof(
      fc.string(),
      fc.constantFrom("0", "1", "d", "-", ":", "%", "a:b:c:d", `${"a".repeat(32)}-${"b".repeat(16)}`),
    )
    const names = ["traceparent", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "uber-trace-id"]
    fc.assert(
      fc.property(chosen, fc.array(fc.tuple(fc.constantFrom(...names), field)), (ways, fields) => {
        const found = propagationOf(ways.length === 0 ? ["jaeger"] : ways).extract(new Headers(fields.flat()))
        if (found === undefined) return
        expect(found.traceId).toMatch(/^[0-9a-f]{32}$/)
        expect(found.spanId).toMatch(/^[0-9a-f]{16}$/)
        expect(found.traceId).not.toMatch(/^0+$/)
      }),
    )
  })
})
