import { assert, describe, it } from "@effect/vitest"
import { type Alternative, choose, conditional, conditionOf } from "../../../stages/5-policy/condition.ts"
import { answer, pass } from "../../../stages/5-policy/Step.ts"
import type { Subject } from "../../../stages/Exchange.ts"
import { computing } from "./computing.ts"
import { answerOf, makeExchange, makeReply } from "../exchange.ts"

const entry = (status: number, condition?: (subject: Subject) => boolean): Alternative<Subject> => ({
  condition,
  step: { kind: "DirectResponse", run: () => answer(makeReply({ status })) },
})

const isGet = (subject: Subject) => subject.request.method === "GET"
const isPost = (subject: Subject) => subject.request.method === "POST"

describe("conditions", () => {
  it("give effect to the first entry whose condition holds", () => {
    const step = conditional("DirectResponse", [entry(201, isPost), entry(202, isGet), entry(203)])
    assert.strictEqual(answerOf(step, makeExchange()).status, 202)
    assert.strictEqual(answerOf(step, makeExchange({ method: "POST" })).status, 201)
    assert.strictEqual(answerOf(step, makeExchange({ method: "PUT" })).status, 203)
  })

  it("give effect to none when none holds", () => {
    const entries = [entry(201, isPost)]
    assert.isUndefined(choose(entries, makeExchange()))
    assert.strictEqual(conditional("DirectResponse", entries).run(makeExchange()), pass)
  })

  it("let an entry that asks for nothing end the search", () => {
    const nothing: Alternative<Subject> = { condition: isGet, step: undefined }
    assert.strictEqual(conditional("Buffer", [nothing, entry(201)]).run(makeExchange()), pass)
  })

  it("look at the request, and an expression that fails counts as false", () => {
    const { expressions } = computing()
    const holds = (source: string, told = {}) =>
      conditionOf(expressions.compile(source, "route", "condition"), expressions.around)(makeExchange(told))
    assert.isTrue(holds('request.headers["a"] == "1"', { headers: { a: "1" } }))
    assert.isFalse(holds('request.headers["a"] == "1"'))
    assert.isFalse(holds("request.method =="))
    assert.deepStrictEqual(expressions.failures, { condition: 2 })
  })
})
