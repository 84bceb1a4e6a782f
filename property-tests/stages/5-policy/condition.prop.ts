import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { choose } from "../../../stages/5-policy/condition.ts"
import { makeExchange } from "../../../test/stages/exchange.ts"

it("the first condition that holds decides, and none after it is looked at", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 6 }), fc.boolean(), (holds, hasFallback) => {
      const asked: Array<number> = []
      const entries = holds.map((value, index) => ({
        condition: () => {
          asked.push(index)
          return value
        },
        step: undefined,
      }))
      const all = hasFallback ? [...entries, { condition: undefined, step: undefined }] : entries
      const first = holds.indexOf(true)
      const expected = first >= 0 ? all[first] : hasFallback ? all.at(-1) : undefined
      assert.strictEqual(choose(all, makeExchange()), expected)
      assert.deepStrictEqual(
        asked,
        holds.slice(0, first < 0 ? undefined : first + 1).map((_, index) => index),
      )
    }),
  )
})
