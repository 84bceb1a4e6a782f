import { create } from "@bufbuild/protobuf"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { RateLimitResponseSchema } from "../../../protocols/grpc/generated/envoy_rate_limit_pb.ts"
import { verdictOf } from "../../../stages/5-policy/external/limitGrpc.ts"
import { toCount, toOverride } from "../../../stages/5-policy/remoteRateLimit.ts"

const header = fc.record({ key: fc.string({ maxLength: 4 }), value: fc.string({ maxLength: 4 }) })
const status = fc.record({
  code: fc.integer({ min: 0, max: 3 }),
  currentLimit: fc.option(fc.record({ requestsPerUnit: fc.nat(9), unit: fc.nat(7) }), { nil: undefined }),
  limitRemaining: fc.nat(9),
  durationUntilReset: fc.option(
    fc.record({ seconds: fc.integer({ min: -3, max: 9 }).map(BigInt), nanos: fc.constantFrom(0, 1) }),
    { nil: undefined },
  ),
})
const response = fc.record({
  overallCode: fc.integer({ min: 0, max: 4 }),
  statuses: fc.array(status, { maxLength: 4 }),
  responseHeadersToAdd: fc.array(header, { maxLength: 2 }),
  requestHeadersToAdd: fc.array(header, { maxLength: 2 }),
})

describe("what a rate limit service answers", () => {
  it("lets pass only by the code that says so, and never fails to refuse", () => {
    fc.assert(
      fc.property(response, (said) => {
        const verdict = verdictOf(create(RateLimitResponseSchema, said as never))
        if (said.overallCode === 2) assert.isTrue(typeof verdict !== "string" && verdict.isOver)
        else if (said.overallCode !== 1) assert.isString(verdict)
        else assert.isTrue(typeof verdict === "string" || !verdict.isOver)
      }),
    )
  })

  it("is told by the limit that leaves least", () => {
    fc.assert(
      fc.property(response, (said) => {
        const verdict = verdictOf(create(RateLimitResponseSchema, said as never))
        if (typeof verdict === "string") return
        const left = said.statuses.filter((one) => one.currentLimit !== undefined).map((one) => one.limitRemaining)
        assert.strictEqual(verdict.tightest?.remaining, left.length === 0 ? undefined : Math.min(...left))
        assert.isTrue((verdict.tightest?.resetSeconds ?? 0) >= 0)
      }),
    )
  })
})

const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  fc.string(),
  fc.constant(null),
  fc.array(fc.nat()),
  fc.record({
    unit: fc.constantFrom("second", "DAY", "week", 5),
    requestsPerUnit: fc.oneof(fc.integer(), fc.double()),
  }),
)

describe("costs and limits of a request", () => {
  it("are whole numbers, not below nothing, or nothing at all", () => {
    fc.assert(
      fc.property(value, (value) => {
        for (const number of [toCount(value as CelValue), toOverride(value as CelValue)?.requestsPerUnit]) {
          assert.isTrue(number === undefined || (Number.isSafeInteger(number) && number >= 0))
        }
      }),
      { numRuns: 500 },
    )
  })
})
