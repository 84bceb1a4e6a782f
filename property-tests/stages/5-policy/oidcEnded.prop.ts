import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Ended, memory } from "../../../stages/5-policy/oidc/Ended.ts"

it("what was ended is known to every thread, with the latest time it was told, as long as there is room", () => {
  const told = fc.record({ key: fc.integer({ min: 1, max: 40 }), at: fc.nat(1_000), thread: fc.nat(2) })
  fc.assert(
    fc.property(fc.array(told, { maxLength: 60 }), (all) => {
      const shared = memory(64)
      const threads = [0, 1, 2].map(() => new Ended(shared))
      const known = new Map<number, number>()
      for (const { at, key, thread } of all) {
        threads[thread]?.put(BigInt(key) * 0x9e37_79b9n, at)
        known.set(key, Math.max(at, known.get(key) ?? 0))
      }
      for (const one of threads) {
        assert.strictEqual(one.isEmpty, all.length === 0)
        for (let key = 1; key <= 41; key++) assert.strictEqual(one.at(BigInt(key) * 0x9e37_79b9n), known.get(key))
      }
    }),
    { numRuns: 500 },
  )
})

it("beyond the room there is, the oldest are forgotten and the newest are known", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 60 }), (room, count) => {
      const ended = new Ended(memory(room))
      for (let i = 1; i <= count; i++) ended.put(BigInt(i), i)
      for (let i = 1; i <= count; i++) assert.strictEqual(ended.at(BigInt(i)) !== undefined, i > count - room)
    }),
  )
})
