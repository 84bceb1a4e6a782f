import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { counted } from "../../../stages/5-policy/bodyLimit.ts"
import { drain, flowOf } from "../../../test/stages/exchange.ts"

it("a body passes whole if it is not longer than it may be, and else as whole chunks that are not", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ minLength: 1, maxLength: 6, unit: "grapheme-ascii" }), { maxLength: 8 }),
      fc.nat(24),
      // What is declared need not be true.
      fc.option(fc.nat(24), { nil: undefined }),
      async (chunks, bytesMax, declared) => {
        const text = chunks.join("")
        let exceeded = 0
        const body = counted(flowOf(chunks, declared), bytesMax, () => exceeded++)
        assert.strictEqual(body === undefined, declared !== undefined && declared > bytesMax)
        if (body === undefined) return
        const drained = await Effect.runPromise(drain(body))
        const fits = text.length <= bytesMax
        assert.strictEqual(drained.failure?.reason, fits ? undefined : "tooLarge")
        assert.strictEqual(exceeded, fits ? 0 : 1)
        assert.isTrue(text.startsWith(drained.text))
        assert.isAtMost(drained.text.length, bytesMax)
        if (fits) assert.strictEqual(drained.text, text)
      },
    ),
    { numRuns: 800 },
  )
})
