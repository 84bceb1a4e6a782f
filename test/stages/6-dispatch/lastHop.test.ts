import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { lastHop } from "../../../stages/6-dispatch/lastHop.ts"
import { makeExchange } from "../exchange.ts"

const asked = (method: string, left?: string) =>
  makeExchange({ method, headers: left === undefined ? {} : { "max-forwards": left } }).request

describe("a question that says how far it goes", () => {
  it("goes on with one less", () => {
    for (const method of ["OPTIONS", "TRACE"]) {
      const request = asked(method, "5")
      assert.isUndefined(lastHop(request))
      assert.strictEqual(request.headers.get("max-forwards"), "4")
    }
  })

  it("is answered where it may go no further", () => {
    const answer = lastHop(asked("OPTIONS", "0"))
    if (answer === undefined) throw new Error("it went on")
    assert.strictEqual(Effect.runSync(answer).status, 200)
    const refusal = lastHop(asked("TRACE", "0"))
    if (refusal === undefined) throw new Error("it went on")
    assert.deepStrictEqual(Effect.runSync(Effect.flip(refusal)), { _tag: "MethodNotAllowed" })
  })

  it("is left alone where it says nothing, nothing sensible, or is no such question", () => {
    for (const [method, left] of [
      ["OPTIONS", undefined],
      ["OPTIONS", "-1"],
      ["TRACE", "1e3"],
      ["GET", "0"],
      ["CONNECT", "0"],
    ] as const) {
      const request = asked(method, left)
      assert.isUndefined(lastHop(request))
      assert.strictEqual(request.headers.get("max-forwards"), left)
    }
  })
})
