import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bury, full, type Inside, memory, Occupancy } from "../../../stages/5-policy/Occupancy.ts"

const THREADS = 3

const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant("enter" as const), thread: fc.nat(THREADS - 1), key: fc.nat(5) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant("leave" as const), thread: fc.nat(THREADS - 1), key: fc.nat(5) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("die" as const), thread: fc.nat(THREADS - 1), key: fc.constant(0) }),
  },
)

it("several threads together let in whom one list of names would, whoever leaves or dies in between", () => {
  fc.assert(
    // Fewer places than keys that come and go: places are given away again and again.
    fc.property(
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 6, max: 9 }),
      fc.array(event, { maxLength: 80 }),
      (max, places, events) => {
        const shared = { memory: memory(THREADS, places), threads: THREADS }
        const start = (thread: number) => {
          const occupancy = new Occupancy({ ...shared, thread })
          return Array.from({ length: 6 }, (_, key) => occupancy.room(BigInt(key + 1) * 0x9e37_79b9n))
        }
        const threads = Array.from({ length: THREADS }, (_, thread) => start(thread))
        const naive: Array<{ readonly thread: number; readonly key: number; readonly at: Inside }> = []
        const inside = (key: number) => naive.filter((one) => one.key === key).length
        for (const { key, thread, what } of events) {
          const room = threads[thread]?.[key]
          if (room === undefined) continue
          if (what === "enter") {
            const isAllowed = inside(key) < max
            const at = room.enter(max)
            assert.strictEqual(at !== full, isAllowed)
            if (at !== full) naive.push({ thread, key, at })
          } else if (what === "leave") {
            const found = naive.findIndex((one) => one.thread === thread && one.key === key)
            const [one] = found < 0 ? [] : naive.splice(found, 1)
            if (one !== undefined) room.leave(one.at)
          } else {
            bury(shared, thread)
            threads[thread] = start(thread)
            for (let i = naive.length - 1; i >= 0; i--) if (naive[i]?.thread === thread) naive.splice(i, 1)
          }
          for (const [k, one] of (threads[0] ?? []).entries()) assert.strictEqual(one.count, inside(k))
        }
      },
    ),
    { numRuns: 1500 },
  )
})
