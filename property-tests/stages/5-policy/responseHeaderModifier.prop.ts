import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Headers } from "../../../protocols/http/headers.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import { applyEdits, compile, compileEdits } from "../../../stages/5-policy/responseHeaderModifier.ts"
import { FakeClock, makeExchange, makeReply, settled, verdict } from "../../../test/stages/exchange.ts"
import { applied, edits, pairs, wildEdits } from "./headerModel.ts"

const ports = { clock: new FakeClock(), maxBufferBytes: 0 }

it("reply headers become what adding, setting and removing makes of them, and nothing else changes", () => {
  fc.assert(
    fc.property(pairs, edits, fc.integer({ min: 200, max: 599 }), (fields, policy, status) => {
      const reply: Reply = { ...makeReply({ status, body: "x" }), headers: new Headers(fields.flat()) }
      const { body } = reply
      const compiled = compileEdits(policy)
      if (typeof compiled === "string") throw new Error(compiled)
      applyEdits(compiled, reply)
      assert.deepStrictEqual([...reply.headers], [...applied(fields, policy)] as Array<[string, string]>)
      assert.strictEqual(reply.status, status)
      assert.strictEqual(reply.body, body)
    }),
  )
})

it("edits pass or refuse, whatever text they are made of, and leave a reply that can be sent", () => {
  fc.assert(
    fc.property(wildEdits, (policy) => {
      const exchange = makeExchange()
      const step = compile(policy, ports, "route")
      if (step === undefined) return
      const said = verdict(step, exchange)
      if (said._tag !== "Pass") assert.strictEqual(said._tag, "FilterFailed")
      const reply = settled(exchange, makeReply())
      assert.isTrue(reply.status >= 200 && reply.status <= 599)
      for (const [name, value] of reply.headers) {
        assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/)
        assert.match(value, /^[\t\x20-\x7e\x80-\xff]*$/)
      }
    }),
    { numRuns: 500 },
  )
})
