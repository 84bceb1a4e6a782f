import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { layer } from "../../../stages/5-policy/layer.ts"
import { settle } from "../../../stages/5-policy/settle.ts"
import { answer, pass, promise, type Step } from "../../../stages/5-policy/Step.ts"
import type { Routed } from "../../../stages/Exchange.ts"
import { type Refusal, toReply } from "../../../stages/Refusal.ts"
import { makeExchange, makeReply } from "../../../test/stages/exchange.ts"

const action = fc.record({
  does: fc.oneof(
    { weight: 6, arbitrary: fc.constant("pass" as const) },
    { weight: 2, arbitrary: fc.constant("wait" as const) },
    { weight: 1, arbitrary: fc.constantFrom("answer" as const, "refuse" as const) },
  ),
  /** The slot of a promised edit, and whether that edit has to wait. */
  promises: fc.option(fc.tuple(fc.nat({ max: 8 }), fc.boolean()), { nil: undefined }),
})

const refusal: Refusal = { _tag: "MethodNotAllowed" }

it("steps run in order up to the first that ends it; every promise made is kept once, in reply order, over any reply", () =>
  fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 8 }), async (actions) => {
      const ran: Array<string> = []
      const edited: Array<string> = []
      const steps = actions.map(({ does, promises }, index): Step<Routed> => ({
        kind: String(index),
        run: (x) => {
          ran.push(String(index))
          if (promises !== undefined) {
            const [slot, waits] = promises
            promise(x.exchange, slot, () => {
              if (waits)
                return Effect.andThen(
                  Effect.yieldNow,
                  Effect.sync(() => edited.push(`${slot} ${index}`)),
                )
              edited.push(`${slot} ${index}`)
              return undefined
            })
          }
          if (does === "wait") return Effect.andThen(Effect.yieldNow, pass)
          if (does === "answer") return answer(makeReply({ status: 201 }))
          return does === "refuse" ? Effect.fail(refusal) : pass
        },
      }))
      const exchange = makeExchange()
      const service = layer(steps, () => {
        ran.push("inner")
        return Effect.succeed(makeReply({ status: 202 }))
      })
      const result = await Effect.runPromise(Effect.result(service(exchange)))
      const end = actions.findIndex(({ does }) => does === "answer" || does === "refuse")
      const reached = end < 0 ? actions : actions.slice(0, end + 1)
      assert.deepStrictEqual(ran, [...reached.keys().map(String), ...(end < 0 ? ["inner"] : [])])
      const status = Result.isFailure(result) ? 405 : result.success.status
      assert.strictEqual(status, end < 0 ? 202 : actions[end]?.does === "answer" ? 201 : 405)

      const reply = Result.isFailure(result) ? toReply(result.failure, false) : result.success
      const waiting = settle(exchange, reply)
      if (waiting !== undefined) await Effect.runPromise(waiting)
      const last = new Map<number, number>()
      for (const [index, { promises }] of reached.entries()) if (promises !== undefined) last.set(promises[0], index)
      assert.deepStrictEqual(
        edited,
        [...last].sort(([a], [b]) => a - b).map(([slot, index]) => `${slot} ${index}`),
      )
      assert.isUndefined(settle(exchange, reply))
    }),
    { numRuns: 300 },
  ))
