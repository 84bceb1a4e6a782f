/** Many tasks are looked up in one go, and a storage that is away keeps nobody waiting for the others. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Whereabouts } from "../../../../stages/6-dispatch/a2a/Whereabouts.ts"
import type { Places } from "../../../../stages/ports/Places.ts"

const clock = { nowMillis: () => 0, wallMillis: () => 0 }

const storage = () => {
  const kept = new Map<string, string>()
  const asked: Array<ReadonlyArray<string>> = []
  let isAway = false
  const places: Places = {
    find: (names) =>
      Effect.suspend(() => {
        asked.push(names)
        return isAway
          ? Effect.fail({ _tag: "PlacesFailure" as const, message: "away" })
          : Effect.succeed(new Map(names.flatMap((name) => (kept.has(name) ? [[name, kept.get(name) ?? ""]] : []))))
      }),
    note: (noted) => Effect.sync(() => noted.forEach((place, name) => kept.set(name, place))),
    sweep: () => Effect.void,
  }
  return { asked, places, goAway: () => void (isAway = true) }
}

describe("the places of a list of tasks", () => {
  it.effect("are found with one question, and remembered", () =>
    Effect.gen(function* () {
      const { asked, places } = storage()
      const elsewhere = new Whereabouts({ places, clock })
      const ids = Array.from({ length: 100 }, (_, i) => `t${i}`)
      for (const id of ids) yield* elsewhere.note("g", `place of ${id}`, id, undefined) ?? Effect.void
      const here = new Whereabouts({ places, clock })
      yield* here.note("g", "mine", "t0", undefined) ?? Effect.void
      const found = yield* here.tasks("g", [...ids, "nobody's", "t5"])
      assert.strictEqual(asked.length, 1)
      assert.strictEqual(asked[0]?.length, 100)
      assert.strictEqual(found.size, 100)
      assert.strictEqual(found.get("t0"), "mine")
      assert.strictEqual(found.get("t99"), "place of t99")
      assert.isFalse(found.has("nobody's"))
      yield* here.tasks("g", ids)
      assert.strictEqual(asked.length, 1)
    }),
  )

  it.effect("are those of other groups for nobody", () =>
    Effect.gen(function* () {
      const { places } = storage()
      const whereabouts = new Whereabouts({ places, clock })
      yield* whereabouts.note("one", "place", "t", undefined) ?? Effect.void
      assert.strictEqual((yield* whereabouts.tasks("other", ["t"])).size, 0)
    }),
  )

  it.live("are what is known here where the storage is away", () =>
    Effect.gen(function* () {
      const { goAway, places } = storage()
      const whereabouts = new Whereabouts({ places, clock })
      yield* whereabouts.note("g", "mine", "known", undefined) ?? Effect.void
      goAway()
      const found = yield* whereabouts.tasks("g", ["known", "other"])
      assert.deepStrictEqual([...found], [["known", "mine"]])
      // Whoever decides by the answer says what no answer means.
      const decided = yield* whereabouts.tasks("g", ["known", "other"], "nobody's")
      assert.deepStrictEqual(
        [...decided],
        [
          ["known", "mine"],
          ["other", "nobody's"],
        ],
      )
      assert.strictEqual(
        yield* whereabouts.seek("g", "other", undefined, "nobody's") ?? Effect.succeed(undefined),
        "nobody's",
      )
      assert.isUndefined(yield* whereabouts.seek("g", "other", undefined) ?? Effect.succeed(undefined))
    }),
  )
})
