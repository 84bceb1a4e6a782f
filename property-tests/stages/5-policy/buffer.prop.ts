import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { Headers } from "../../../protocols/http/headers.ts"
import { compile, decide } from "../../../stages/5-policy/buffer.ts"
import { settle } from "../../../stages/5-policy/settle.ts"
import { pass } from "../../../stages/5-policy/Step.ts"
import { drain, FakeClock, flowOf, makeExchange, makeReply } from "../../../test/stages/exchange.ts"

const ports = { clock: new FakeClock(), maxBufferBytes: 6 }

const sent = fc.record({
  chunks: fc.array(fc.stringMatching(/^[a-z]{1,4}$/), { maxLength: 6 }),
  declares: fc.boolean(),
  trailers: fc.boolean(),
})
const limit = fc.record({
  failureMode: fc.constantFrom("failClosed" as const, "failOpen" as const),
  maxBytes: fc.nat({ max: 10 }),
})

const bodyOf = ({ chunks, declares, trailers }: { chunks: Array<string>; declares: boolean; trailers: boolean }) =>
  flowOf(chunks, declares ? chunks.join("").length : undefined, trailers ? Headers.from({ t: "1" }) : undefined)

it("a request body arrives byte for byte, trailers included, or is refused exactly when it is too large", () =>
  fc.assert(
    fc.asyncProperty(sent, limit, async (told, rule) => {
      const text = told.chunks.join("")
      const exchange = makeExchange({ body: bodyOf(told) })
      const step = compile({ _tag: "Buffer", request: rule }, ports, "route")
      const result = await Effect.runPromise(Effect.result(step?.run(exchange) ?? pass))
      const tooLarge = text.length > rule.maxBytes
      if (rule.failureMode === "failClosed" && tooLarge) {
        assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "passed", "RequestBodyTooLarge")
        return
      }
      assert.isTrue(Result.isSuccess(result))
      if (!tooLarge && !told.trailers) assert.notStrictEqual(exchange.request.body._tag, "Flow")
      const drained = await Effect.runPromise(drain(exchange.request.body))
      assert.strictEqual(drained.text, text)
      assert.strictEqual(drained.trailers?.get("t"), told.trailers ? "1" : undefined)
    }),
    { numRuns: 400 },
  ))

it("a reply body arrives byte for byte, trailers included, or becomes a refusal exactly when it is too large", () =>
  fc.assert(
    fc.asyncProperty(sent, limit, async (told, rule) => {
      const text = told.chunks.join("")
      const exchange = makeExchange()
      const step = compile({ _tag: "Buffer", response: rule }, ports, "route")
      assert.strictEqual(step?.run(exchange), pass)
      const reply = makeReply({ body: bodyOf(told), headers: { a: "1" } })
      const waiting = settle(exchange, reply)
      if (waiting !== undefined) await Effect.runPromise(waiting)
      const drained = await Effect.runPromise(drain(reply.body))
      if (rule.failureMode === "failClosed" && text.length > rule.maxBytes) {
        assert.strictEqual(reply.status, 502)
        assert.strictEqual(drained.text, "response body too large")
        return
      }
      assert.strictEqual(reply.status, 200)
      assert.deepStrictEqual(reply.headers.flat, ["a", "1"])
      assert.strictEqual(drained.text, text)
      assert.strictEqual(drained.trailers?.get("t"), told.trailers ? "1" : undefined)
    }),
    { numRuns: 400 },
  ))

it("no body is refused that may stream, and none is read whose length already decides", () => {
  fc.assert(
    fc.property(
      fc.option(fc.nat({ max: 20 }), { nil: undefined }),
      fc.nat({ max: 20 }),
      fc.boolean(),
      (length, bytesMax, isOpen) => {
        const decision = decide({ bytesMax, isOpen }, flowOf([], length))
        const fits = length === undefined || length <= bytesMax
        assert.strictEqual(decision, fits ? "read" : isOpen ? "pass" : "refuse")
      },
    ),
  )
})
