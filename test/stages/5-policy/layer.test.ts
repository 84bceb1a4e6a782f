import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Reply } from "../../../stages/Exchange.ts"
import { layer } from "../../../stages/5-policy/layer.ts"
import { settle } from "../../../stages/5-policy/settle.ts"
import { answer, pass, promise, type Step } from "../../../stages/5-policy/Step.ts"
import type { Routed } from "../../../stages/Exchange.ts"
import type { Refusal } from "../../../stages/Refusal.ts"
import { toReply } from "../../../stages/Refusal.ts"
import { makeExchange, makeReply } from "../exchange.ts"

const step = (kind: string, run: Step<Routed>["run"]): Step<Routed> => ({ kind, run })
const refusal: Refusal = { _tag: "RouteNotFound" }

describe("a layer", () => {
  it("without steps is the service itself", () => {
    const inner = () => Effect.succeed(makeReply())
    assert.strictEqual(layer([], inner), inner)
  })

  it.effect("runs its steps in order, those that wait included, and then the service", () => {
    const seen: Array<string> = []
    const noted = (name: string, waits: boolean) =>
      step(name, () => {
        seen.push(name)
        return waits ? Effect.andThen(Effect.yieldNow, pass) : pass
      })
    const service = layer([noted("a", false), noted("b", true), noted("c", false)], () => {
      seen.push("inner")
      return Effect.succeed(makeReply({ status: 299 }))
    })
    return Effect.map(service(makeExchange()), (reply) => {
      assert.strictEqual(reply.status, 299)
      assert.deepStrictEqual(seen, ["a", "b", "c", "inner"])
    })
  })

  it.effect("stops at an answer and at a refusal", () => {
    const never = step("never", () => Effect.die(new Error("reached")))
    const inner = () => Effect.die(new Error("reached"))
    const reply: Reply = makeReply({ status: 204 })
    return Effect.gen(function* () {
      assert.strictEqual(yield* layer([step("a", () => answer(reply)), never], inner)(makeExchange()), reply)
      const refused = layer([step("r", () => Effect.fail(refusal)), never], inner)(makeExchange())
      assert.strictEqual(yield* Effect.flip(refused), refusal)
    })
  })

  it.effect("lets promised edits run over a refusal too, in reply order and once", () => {
    const exchange = makeExchange()
    const marks: Array<number> = []
    const promising = (slot: number) =>
      step(`p${slot}`, (x) => {
        promise(x.exchange, slot, () => {
          marks.push(slot)
          return undefined
        })
        return pass
      })
    const service = layer([promising(7), promising(2), step("r", () => Effect.fail(refusal))], () =>
      Effect.die(new Error("reached")),
    )
    return Effect.gen(function* () {
      const reply = toReply(yield* Effect.flip(service(exchange)), false)
      assert.isUndefined(settle(exchange, reply))
      assert.isUndefined(settle(exchange, reply))
      assert.deepStrictEqual(marks, [2, 7])
    })
  })

  it.effect("waits for an edit that has to wait before it runs the next", () => {
    const exchange = makeExchange()
    const marks: Array<string> = []
    promise(exchange, 1, () =>
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => marks.push("slow")),
      ),
    )
    promise(exchange, 3, () => {
      marks.push("quick")
      return undefined
    })
    return Effect.map(settle(exchange, makeReply()) ?? Effect.die(new Error("nothing to wait for")), () => {
      assert.deepStrictEqual(marks, ["slow", "quick"])
    })
  })

  it("keeps one edit per slot: a later attempt replaces what an earlier one promised", () => {
    const exchange = makeExchange()
    const marks: Array<string> = []
    for (const name of ["first", "second"]) {
      promise(exchange, 4, () => {
        marks.push(name)
        return undefined
      })
    }
    settle(exchange, makeReply())
    assert.deepStrictEqual(marks, ["second"])
  })

  it("tells whoever asks what each step decided", () => {
    const notes: Array<string> = []
    const exchange = makeExchange()
    Object.defineProperty(exchange, "inquiry", {
      value: { note: ({ decision, stage }: { decision: string; stage: string }) => notes.push(`${stage} ${decision}`) },
    })
    const service = layer([step("a", () => pass), step("b", () => answer(makeReply()))], () => Effect.die("reached"))
    Effect.runSync(service(exchange))
    assert.deepStrictEqual(notes, ["a passed", "b answered 200"])
  })
})
