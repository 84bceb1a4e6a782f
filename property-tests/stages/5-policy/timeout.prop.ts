import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compile, deadline } from "../../../stages/5-policy/timeout.ts"
import { makeExchange, verdict } from "../../../test/stages/exchange.ts"

it("the deadline is as long after arrival as was said, and a step sets that and nothing else", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e9 }),
      fc.option(fc.integer({ min: 0, max: 1e7 }), { nil: undefined }),
      (startedMillis, requestMillis) => {
        const until = deadline(startedMillis, requestMillis)
        const isLimited = requestMillis !== undefined && requestMillis > 0
        assert.strictEqual(until - startedMillis, isLimited ? requestMillis : Infinity)
        const step = compile({ _tag: "Timeout", ...(requestMillis === undefined ? {} : { requestMillis }) })
        assert.strictEqual(step !== undefined, isLimited)
        if (step === undefined) return
        const exchange = makeExchange({ startedMillis })
        const before = { ...exchange }
        assert.strictEqual(verdict(step, exchange)._tag, "Pass")
        assert.deepStrictEqual(
          Object.keys(exchange).filter((key) => Reflect.get(exchange, key) !== Reflect.get(before, key)),
          ["deadlineMillis"],
        )
        assert.strictEqual(exchange.deadlineMillis, until)
      },
    ),
  )
})
