import { assert, describe, it } from "@effect/vitest"
import { compile } from "../../../stages/5-policy/timeout.ts"
import { makeExchange, verdict } from "../exchange.ts"

describe("a timeout", () => {
  it("runs from arrival", () => {
    const exchange = makeExchange({ startedMillis: 400 })
    assert.strictEqual(verdict(compile({ _tag: "Timeout", requestMillis: 250 }), exchange)._tag, "Pass")
    assert.strictEqual(exchange.deadlineMillis, 650)
  })

  it("is none where only attempts are limited, or the limit is 0", () => {
    assert.isUndefined(compile({ _tag: "Timeout", backendRequestMillis: 10 }))
    assert.isUndefined(compile({ _tag: "Timeout", requestMillis: 0 }))
  })
})
