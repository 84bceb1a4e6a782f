import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { format, newSpanId, newTraceId, parse, shareOf } from "../../../protocols/trace/context.ts"

const random = (seed: number) => {
  let state = seed >>> 0
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 0x1_0000_0000
}

describe("trace context", () => {
  it("whatever is written is read back the same", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 3 }), (seed, flags) => {
        const draw = random(seed)
        const context = { traceId: newTraceId(draw), spanId: newSpanId(draw), flags }
        expect(parse(format(context))).toEqual(context)
      }),
    )
  })
  it("whatever is read is a context or nothing, never an error", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const context = parse(text)
        if (context !== undefined) expect(parse(format(context))).toMatchObject({ traceId: context.traceId })
      }),
    )
  })
  it("a trace that is in a share is in every larger one", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (seed, a, b) => {
          const share = shareOf(newTraceId(random(seed)))
          if (share < Math.min(a, b)) expect(share).toBeLessThan(Math.max(a, b))
        },
      ),
    )
  })
})
