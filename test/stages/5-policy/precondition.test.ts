import { assert, describe, it } from "@effect/vitest"
import type { Retry } from "../../../ir/policy/Retry.ts"
import { compile } from "../../../stages/5-policy/precondition.ts"
import { makeExchange, type Told, verdict } from "../exchange.ts"
import { cel, computing } from "./computing.ts"

const retry = (more: Partial<Retry>): Retry => ({ _tag: "Retry", attempts: 1, codes: [], ...more })

const mayRetry = (precondition: string, told: Told = {}): boolean => {
  const exchange = makeExchange(told)
  assert.strictEqual(
    verdict(compile(retry({ precondition: cel(precondition) }), computing(), "route"), exchange)._tag,
    "Pass",
  )
  return exchange.mayRetry
}

describe("the precondition of retries", () => {
  it("is asked for nothing where there is none: every request may be tried again", () => {
    assert.isUndefined(compile(retry({}), computing(), "route"))
    assert.isTrue(makeExchange().mayRetry)
  })

  it("decides on the request, and one that fails is false", () => {
    assert.isTrue(mayRetry('request.method == "GET"'))
    assert.isFalse(mayRetry('request.method == "GET"', { method: "PUT" }))
    assert.isFalse(mayRetry("request.headers.nope == ''"))
  })

  it("has the body read for a condition that looks back at it", () => {
    const condition = cel('request.body == b"x" && response.code == 500')
    assert.isTrue(compile(retry({ condition }), computing(), "route")?.readsBody)
    assert.isUndefined(compile(retry({ condition: cel("response.code == 500") }), computing(), "route"))
  })
})
