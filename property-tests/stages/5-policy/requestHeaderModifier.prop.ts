import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { applyEdits, compile, compileEdits } from "../../../stages/5-policy/requestHeaderModifier.ts"
import { makeExchange, makeRequest, verdict } from "../../../test/stages/exchange.ts"
import { applied, edits, pairs, wildEdits } from "./headerModel.ts"
import { facts } from "./worlds.ts"

it("request headers become what adding, setting and removing makes of them, and nothing else changes", () => {
  fc.assert(
    fc.property(pairs, edits, (fields, policy) => {
      const request = makeRequest({ headers: fields, body: "x", method: "POST", url: "http://a:1/b?c" })
      const before = facts(request)
      const compiled = compileEdits(policy)
      if (typeof compiled === "string") throw new Error(compiled)
      applyEdits(compiled, request)
      assert.deepStrictEqual(facts(request), { ...before, headers: applied(fields, policy).flat() })
    }),
  )
})

it("edits pass or refuse, whatever text they are made of, and leave a request that can be sent", () => {
  fc.assert(
    fc.property(pairs, wildEdits, (fields, policy) => {
      const exchange = makeExchange({ headers: fields })
      const step = compile(policy)
      if (step === undefined) return
      const said = verdict(step, exchange)
      const { request } = exchange
      if (said._tag !== "Pass") assert.strictEqual(said._tag, "FilterFailed")
      assert.match(request.method, /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/)
      assert.match(request.target, /^\/[!-~]*$/)
      assert.match(request.authority, /^[!-~]+$/)
      assert.isTrue(request.authority.startsWith(request.host))
      for (const [name, value] of request.headers) {
        assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/)
        assert.match(value, /^[\t\x20-\x7e\x80-\xff]*$/)
        assert.notInclude(["content-length", "connection", "transfer-encoding", "upgrade", "host"], name)
      }
    }),
    { numRuns: 500 },
  )
})
