import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type Choice, rendezvous } from "../../../stages/6-dispatch/affinity.ts"

const ids = Schema.Array(Schema.Struct({ id: Schema.String, weight: Schema.Literals([0, 1, 2, 5]) }))

const unique = (choices: ReadonlyArray<Choice>): ReadonlyArray<Choice> => [
  ...new Map(choices.map((choice) => [choice.id, choice])).values(),
]

const options = { arbitrary: { runs: 1000, size: 30 } }

const numbered = (count: number, weight: (i: number) => number): ReadonlyArray<Choice> =>
  Array.from({ length: count }, (_, i) => ({ id: `workload-${i} 10.0.0.${i} 8080`, weight: weight(i) }))

const keys = Array.from({ length: 20_000 }, (_, i) => `session-${i}`)

describe("rendezvous hashing", () => {
  it.prop(
    "chooses somebody whenever somebody may be chosen, and never one of no weight",
    { key: Schema.String, choices: ids },
    ({ choices, key }) => {
      const found = rendezvous(key, unique(choices))
      assert.strictEqual(found !== undefined, choices.length > 0 && unique(choices).some(({ weight }) => weight > 0))
      if (found !== undefined) assert.isAbove(found.weight, 0)
    },
    options,
  )

  it.prop(
    "does not depend on the order of endpoints",
    { key: Schema.String, choices: ids },
    ({ choices, key }) => {
      const kept = unique(choices)
      assert.strictEqual(rendezvous(key, kept.toReversed())?.id, rendezvous(key, kept)?.id)
    },
    options,
  )

  it.prop(
    "moves a key only off an endpoint that went, or onto one that came",
    { key: Schema.String, choices: ids, index: Schema.Natural },
    ({ choices, index, key }) => {
      const all = unique(choices)
      const gone = all[all.length === 0 ? 0 : index % all.length]
      const left = all.filter((choice) => choice !== gone)
      const before = rendezvous(key, all)
      if (before !== gone) assert.strictEqual(rendezvous(key, left), before)
    },
    options,
  )

  it("gives every endpoint its share, by weight", () => {
    const choices = numbered(5, (i) => i + 1)
    const counts = new Map<string, number>()
    for (const key of keys) {
      const id = rendezvous(key, choices)?.id ?? ""
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    for (const { id, weight } of choices) {
      const expected = (keys.length * weight) / 15
      // Five standard deviations of a binomial count.
      const tolerance = 5 * Math.sqrt(expected * (1 - weight / 15))
      assert.closeTo(counts.get(id) ?? 0, expected, tolerance, id)
    }
  })

  it("spreads the keys of an endpoint that went over all the others", () => {
    const all = numbered(10, () => 1)
    const left = all.slice(1)
    const moved = keys.filter((key) => rendezvous(key, all) === all[0])
    const counts = new Map<string, number>()
    for (const key of moved) {
      const id = rendezvous(key, left)?.id ?? ""
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    const expected = moved.length / 9
    for (const { id } of left) assert.closeTo(counts.get(id) ?? 0, expected, 5 * Math.sqrt(expected), id)
  })
})
