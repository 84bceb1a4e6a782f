import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { compile } from "../../../stages/5-policy/directResponse.ts"
import { drain, FakeClock, makeExchange, verdict } from "../../../test/stages/exchange.ts"

it("a direct response says what was written, or refuses where its status ends no exchange", () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), fc.string({ unit: "grapheme" }), (status, text) => {
      const step = compile(
        { _tag: "DirectResponse", status, headers: [], body: { _tag: "Text", text } },
        { clock: new FakeClock(), maxBufferBytes: 0 },
        "route",
      )
      const said = verdict(step, makeExchange())
      if (said._tag !== "Answer") {
        assert.strictEqual(said._tag, "FilterFailed")
        assert.isTrue(status < 200 || status > 599)
        return
      }
      assert.strictEqual(said.reply.status, status)
      const isBodiless = [204, 205, 304].includes(status)
      assert.strictEqual(Effect.runSync(drain(said.reply.body)).text, isBodiless ? "" : text)
      assert.deepStrictEqual(said.reply.headers.flat, [])
    }),
  )
})
