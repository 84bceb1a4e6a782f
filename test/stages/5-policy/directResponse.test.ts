import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { DirectResponse } from "../../../ir/policy/DirectResponse.ts"
import { compile } from "../../../stages/5-policy/directResponse.ts"
import { cel, computing } from "./computing.ts"
import { answerOf, drain, makeExchange, verdict } from "../exchange.ts"

const direct = (policy: Partial<DirectResponse>) =>
  compile({ _tag: "DirectResponse", status: 200, headers: [], ...policy }, computing(), "route")

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

  it("computes its body, text as it is and all else as JSON", () => {
    const body = (source: string) => {
      const reply = answerOf(direct({ body: { _tag: "Computed", expression: cel(source) } }), makeExchange())
      return reply.body._tag === "Bytes" ? new TextDecoder().decode(reply.body.bytes) : reply.body._tag
    }
    assert.strictEqual(body('"hello " + request.host'), "hello example.com")
    assert.strictEqual(body('{"path": request.path}'), '{"path":"/"}')
  })

  it("refuses where its body cannot be computed", () => {
    const step = direct({ body: { _tag: "Computed", expression: cel("request.headers.nope") } })
    assert.strictEqual(verdict(step, makeExchange())._tag, "FilterFailed")
  })

  it("leaves a header out that cannot be computed", () => {
    const named = (name: string, source: string) => ({ name: name as never, expression: cel(source) })
    const step = direct({ headers: [named("a", "request.method"), named("b", "request.headers.nope")] })
    assert.deepStrictEqual(answerOf(step, makeExchange()).headers.flat, ["a", "GET"])
  })
})
