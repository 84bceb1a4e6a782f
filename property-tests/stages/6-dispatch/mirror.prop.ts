import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Body } from "../../../stages/Body.ts"
import { Copy, type Room, Tee } from "../../../stages/6-dispatch/Tee.ts"
import { type Drained, drain, flowOf, ScriptedFlow } from "../../../test/stages/exchange.ts"

const chunks = Schema.Array(Schema.Literals(["", "a", "bc", "def", "x".repeat(40)]))

class Limited implements Room {
  private left: number
  readonly most: number
  constructor(most: number) {
    this.most = most
    this.left = most
  }
  readonly take = (bytes: number): boolean => {
    if (bytes > this.left) return false
    this.left -= bytes
    return true
  }
  readonly give = (bytes: number): void => {
    this.left += bytes
  }
  get taken(): number {
    return this.most - this.left
  }
}

/** Reads to the end, but holds the source back after each of these chunks until a later turn. */
const haltingDrain = (body: Body, holds: ReadonlyArray<boolean>): Effect.Effect<Drained> => {
  if (body._tag !== "Flow") return drain(body)
  return Effect.callback((resume) => {
    let text = ""
    let count = 0
    const source = body.open({
      write: (chunk) => {
        text += new TextDecoder().decode(chunk)
        if (holds.length === 0 || holds[count++ % holds.length] !== true) return true
        setTimeout(() => source.resume(), 0)
        return false
      },
      end: (trailers) => resume(Effect.succeed({ text, trailers, failure: undefined })),
      fail: (failure) => resume(Effect.succeed({ text, trailers: undefined, failure })),
    })
  })
}

describe("a copied body", () => {
  it.live.prop(
    "reaches the original whole; a copy has the same or breaks off, and nothing stays behind",
    {
      chunks,
      room: Schema.Literals([0, 3, 50, 1000]),
      mainHolds: Schema.Array(Schema.Boolean),
      copyHolds: Schema.Array(Schema.Boolean),
    },
    ({ chunks, copyHolds, mainHolds, room }) =>
      Effect.gen(function* () {
        const limited = new Limited(room)
        const copy = new Copy(undefined, limited)
        const tee = new Tee(flowOf(chunks), [copy])
        const [main, copied] = yield* Effect.all([haltingDrain(tee, mainHolds), haltingDrain(copy, copyHolds)], {
          concurrency: "unbounded",
        })
        const whole = chunks.join("")
        assert.strictEqual(main.text, whole)
        assert.isUndefined(main.failure)
        assert.isTrue(whole.startsWith(copied.text))
        if (copied.failure === undefined) assert.strictEqual(copied.text, whole)
        else assert.isBelow(room, whole.length)
        assert.strictEqual(limited.taken, 0)
      }),
    { arbitrary: { runs: 200, size: 12 } },
  )

  it.prop(
    "is given up with the original, and keeps no more than its room while nobody reads it",
    { chunks, room: Schema.Literals([0, 3, 50]) },
    ({ chunks, room }) => {
      const limited = new Limited(room)
      const copy = new Copy(undefined, limited)
      const flow = new ScriptedFlow()
      const source = new Tee(flow, [copy]).open({ write: () => true, end: () => {}, fail: () => {} })
      for (const chunk of chunks) {
        flow.write(chunk)
        assert.isAtMost(limited.taken, room)
      }
      source.cancel()
      assert.isTrue(flow.isCancelled)
      assert.strictEqual(limited.taken, 0)
      let reason: string | undefined
      copy.open({
        write: () => assert.fail("a broken copy gave bytes"),
        end: () => assert.fail("a broken copy ended well"),
        fail: (failure) => {
          reason = failure.reason
        },
      })
      assert.strictEqual(reason, "cancelled")
    },
    { arbitrary: { runs: 300 } },
  )
})
