import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Expression } from "../../../ir/Expression.ts"
import type { DirectResponse } from "../../../ir/policy/DirectResponse.ts"
import { compile } from "../../../stages/5-policy/directResponse.ts"
import { answerOf, drain, makeExchange, verdict } from "../exchange.ts"

const direct = (policy: Partial<DirectResponse>) =>
  compile({ _tag: "DirectResponse", status: 200, headers: [], ...policy })

const text = (content: string) => ({ _tag: "Text", text: content }) as const

describe("a direct response", () => {
  it.effect("has the status and the body that were written", () => {
    const reply = answerOf(direct({ status: 503, body: text("später") }), makeExchange())
    assert.strictEqual(reply.status, 503)
    assert.strictEqual(reply.origin, "gateway")
    return Effect.map(drain(reply.body), (drained) => assert.strictEqual(drained.text, "später"))
  })

  it("belongs to its exchange: editing one changes no other", () => {
    const step = direct({})
    answerOf(step, makeExchange()).headers.set("a", "1")
    assert.isFalse(answerOf(step, makeExchange()).headers.has("a"))
  })

  it("has no body where its status allows none", () => {
    for (const status of [204, 205, 304]) {
      assert.strictEqual(answerOf(direct({ status, body: text("x") }), makeExchange()).body._tag, "Empty")
    }
  })

  it("refuses where its status ends no exchange", () => {
    for (const status of [100, 101, 199, 600]) {
      assert.strictEqual(verdict(direct({ status }), makeExchange())._tag, "FilterFailed")
    }
  })

  it("by expression is a defect, never a wrong answer", () => {
    const expression = "1" as Expression
    for (const policy of [
      { body: { _tag: "Computed", expression } as const },
      { headers: [{ name: "a", expression }] },
    ]) {
      assert.isTrue(Exit.hasDies(Effect.runSyncExit(direct(policy).run(makeExchange()))))
    }
  })
})
