import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { UpstreamFailure } from "../../../stages/ports/Upstream.ts"
import { isIdempotent } from "../../../protocols/http/methods.ts"
import { mayRepeat } from "../../../stages/6-dispatch/retry.ts"
import { Replay } from "../../../stages/6-dispatch/Replay.ts"
import { table } from "../../../test/ir/snapshots.ts"
import { host, routing, toBackend, world } from "../../../test/stages/6-dispatch/world.ts"
import { drain, flowOf, makeReply } from "../../../test/stages/exchange.ts"

const Failure = Schema.Union([
  Schema.TaggedStruct("ResolutionFailed", { message: Schema.Literal("") }),
  Schema.TaggedStruct("ConnectFailed", { message: Schema.Literal("") }),
  Schema.TaggedStruct("Reset", { message: Schema.Literal(""), sent: Schema.Boolean }),
  Schema.TaggedStruct("ReplyTimeout", { message: Schema.Literal("") }),
  Schema.TaggedStruct("MalformedReply", { message: Schema.Literal("") }),
  Schema.TaggedStruct("RequestAborted", { message: Schema.Literal("") }),
])
const Status = Schema.Struct({ status: Schema.Literals([200, 429, 500, 502, 503]) })
const Outcome = Schema.Union([Failure, Status])
const Method = Schema.Literals(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "PURGE"])

const isSafe = (outcome: typeof Outcome.Type, method: string, codes: ReadonlyArray<number>): boolean => {
  if ("status" in outcome) return codes.includes(outcome.status)
  switch (outcome._tag) {
    case "ResolutionFailed":
    case "ConnectFailed":
      return true
    case "Reset":
      return !outcome.sent || isIdempotent(method)
    case "RequestAborted":
      return false
    default:
      return isIdempotent(method)
  }
}

describe("attempts", () => {
  it.prop(
    "are no more than the policy allows, go on only while that is safe, and only after what asks for another",
    {
      outcomes: Schema.NonEmptyArray(Outcome),
      method: Method,
      attempts: Schema.Literals([0, 1, 2, 5]),
      codes: Schema.Array(Schema.Literals([429, 500, 502, 503])),
    },
    ({ attempts, codes, method, outcomes }) => {
      const w = world(
        routing([toBackend("a.test")], [{ _tag: "Retry", attempts, codes }], { backends: table(host("a.test")) }),
      )
      const at = (index: number) => outcomes[index % outcomes.length] as typeof Outcome.Type
      w.answer = (_, index) => {
        const outcome = at(index)
        return "status" in outcome ? makeReply({ status: outcome.status }) : (outcome as UpstreamFailure)
      }
      const answer = w.ask({ method })
      const made = w.calls.length
      assert.isAtMost(made, attempts + 1)
      for (let i = 0; i < made - 1; i++) assert.isTrue(isSafe(at(i), method, codes), `attempt ${i} was repeated`)
      const last = at(made - 1)
      if (made < attempts + 1) assert.isFalse(isSafe(last, method, codes), "another attempt was due")
      if ("status" in last) assert.deepInclude(answer, { status: last.status })
      else assert.isTrue("_tag" in answer)
    },
    { arbitrary: { runs: 1000, size: 10 } },
  )

  it.prop(
    "repeat nothing unsafe that an upstream may have seen",
    { failure: Failure, method: Method },
    ({ failure, method }) => {
      const isSeen =
        failure._tag === "Reset" ? failure.sent : !["ResolutionFailed", "ConnectFailed"].includes(failure._tag)
      if (isSeen && !isIdempotent(method)) assert.isFalse(mayRepeat(failure as UpstreamFailure, method))
    },
  )
})

describe("a body that can be sent again", () => {
  const chunks = Schema.Array(Schema.Literals(["", "a", "bc", "def", "x".repeat(50)]))

  it.effect.prop(
    "is the same for every reader, however far the one before it read",
    { chunks, stops: Schema.Array(Schema.Literals([0, 1, 2, 3, 100])) },
    ({ chunks, stops }) =>
      Effect.gen(function* () {
        const replay = new Replay(flowOf(chunks), 1 << 20)
        for (const stop of stops) {
          let left: number = stop
          yield* Effect.callback<void>((resume) => {
            const source = replay.open({
              write: () => {
                if (left-- > 0) return true
                queueMicrotask(() => {
                  source.cancel()
                  resume(Effect.void)
                })
                return false
              },
              end: () => resume(Effect.void),
              fail: () => resume(Effect.void),
            })
          })
          assert.isTrue(replay.isWhole)
        }
        const { failure, text } = yield* drain(replay)
        assert.isUndefined(failure)
        assert.strictEqual(text, chunks.join(""))
      }),
    { arbitrary: { runs: 500, size: 12 } },
  )

  it.effect.prop(
    "is never given in part: beyond the limit it is given once",
    { chunks, limit: Schema.Literals([0, 3, 10, 60]) },
    ({ chunks, limit }) =>
      Effect.gen(function* () {
        const whole = chunks.join("")
        const replay = new Replay(flowOf(chunks), limit)
        assert.strictEqual((yield* drain(replay)).text, whole)
        assert.strictEqual(replay.isWhole, whole.length <= limit)
        const again = yield* drain(replay)
        if (replay.isWhole) assert.strictEqual(again.text, whole)
        else assert.isDefined(again.failure)
      }),
    { arbitrary: { runs: 500, size: 12 } },
  )
})
