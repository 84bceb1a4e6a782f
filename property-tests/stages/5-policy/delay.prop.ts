import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { decide } from "../../../stages/5-policy/delay.ts"

const millis = fc.oneof(
  fc.integer({ min: -10, max: 50 }),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.constant(Infinity),
)

it("a wait is never longer than the delay or the time left, and late exactly when the delay would outlast it", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1e6, noNaN: true }), millis, (delay, left) => {
      const wait = decide(delay, left)
      assert.isTrue(wait.millis >= 0 && wait.millis <= delay)
      assert.isTrue(wait.millis <= Math.max(left, 0))
      assert.strictEqual(wait.isLate, delay >= left)
      if (!wait.isLate) assert.strictEqual(wait.millis, delay)
    }),
  )
})
