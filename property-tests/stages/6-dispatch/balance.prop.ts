import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { choose, makeSet, type Member } from "../../../stages/6-dispatch/balance.ts"
import { chooser } from "../../../stages/6-dispatch/choose.ts"
import { Vitals } from "../../../stages/6-dispatch/health.ts"

const Described = Schema.Struct({
  bucket: Schema.Literals([0, 1, 2]),
  weight: Schema.Literals([0, 1, 1, 3]),
  isEvicted: Schema.Boolean,
  isTried: Schema.Boolean,
  health: Schema.Literals([0, 0.2, 0.5, 1]),
})

const unit = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999_999 }))
const draws = Schema.NonEmptyArray(unit)

interface Placed {
  readonly member: Member
  readonly described: typeof Described.Type
}

const placed = (all: ReadonlyArray<typeof Described.Type>): ReadonlyArray<Placed> =>
  all.map((described, i) => {
    const vitals = new Vitals()
    vitals.health = described.health
    if (described.isEvicted) vitals.evictedUntilMillis = 1000
    return {
      described,
      member: { id: String(i), target: { _tag: "Host", host: String(i), port: 80 }, weight: described.weight, vitals },
    }
  })

const setOf = (all: ReadonlyArray<Placed>) =>
  makeSet(
    [0, 1, 2].map((bucket) => all.filter(({ described }) => described.bucket === bucket).map(({ member }) => member)),
  )

const drawing = (numbers: ReadonlyArray<number>): (() => number) => {
  let next = 0
  return () => numbers[next++ % numbers.length] as number
}

const options = { arbitrary: { runs: 2000, size: 20 } }

describe("the choice of an endpoint", () => {
  it.prop(
    "is an active one of the first bucket that has one; only without any is one taken that was put aside",
    { members: Schema.Array(Described), draws },
    ({ draws, members }) => {
      const all = placed(members)
      const usable = all.filter(({ described }) => described.weight > 0)
      const found = choose(setOf(all), 0, drawing(draws), undefined)
      const chosen = usable.find(({ member }) => member === found)
      assert.strictEqual(chosen === undefined, usable.length === 0)
      if (chosen === undefined) return
      const active = usable.filter(({ described }) => !described.isEvicted)
      if (active.length === 0) {
        const best = Math.max(...usable.map(({ member }) => member.vitals.score))
        assert.strictEqual(chosen.member.vitals.score, best)
      } else {
        assert.isFalse(chosen.described.isEvicted)
        assert.strictEqual(chosen.described.bucket, Math.min(...active.map(({ described }) => described.bucket)))
      }
    },
    options,
  )

  it.prop(
    "avoids those that were tried as long as there is another active one, wherever it is",
    { members: Schema.Array(Described), draws },
    ({ draws, members }) => {
      const all = placed(members)
      const tried = all.filter(({ described }) => described.isTried).map(({ member }) => member)
      const found = choose(setOf(all), 0, drawing(draws), tried)
      const fresh = all.filter(({ described }) => described.weight > 0 && !described.isTried && !described.isEvicted)
      if (found !== undefined && fresh.length > 0) assert.isFalse(tried.includes(found))
      const plain = choose(setOf(all), 0, drawing(draws), undefined)
      assert.strictEqual(found === undefined, plain === undefined)
    },
    options,
  )

  it("is in proportion to capacity among equals", () => {
    const all = [1, 2, 5].map((weight, i): Member => ({
      id: String(i),
      target: { _tag: "Host", host: "h", port: 80 },
      weight,
      vitals: new Vitals(),
    }))
    const set = makeSet([all])
    const runs = 40_000
    const counts = new Map<Member | undefined, number>()
    let seed = 7
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
    for (let i = 0; i < runs; i++) {
      const found = choose(set, 0, random, undefined)
      counts.set(found, (counts.get(found) ?? 0) + 1)
    }
    for (const member of all) {
      const share = member.weight / 8
      assert.closeTo(counts.get(member) ?? 0, runs * share, 5 * Math.sqrt(runs * share * (1 - share)))
    }
  })
})

describe("the choice of a backend", () => {
  it.prop(
    "gives each number of the unit interval to the backend whose share of it contains that number",
    { weights: Schema.Array(Schema.Literals([0, 1, 2, 7])), drawn: unit },
    ({ drawn, weights }) => {
      const total = weights.reduce<number>((sum, weight) => sum + weight, 0)
      const choose = chooser(
        weights.map((weight, value) => ({ weight, value })),
        () => drawn,
      )
      assert.strictEqual(choose === undefined, total === 0)
      if (choose === undefined) return
      const value = choose()
      const below = weights.slice(0, value).reduce<number>((sum, weight) => sum + weight, 0)
      assert.isAbove(weights[value] as number, 0)
      assert.isAtMost(below - 1e-9, drawn * total)
      assert.isAbove(below + (weights[value] as number) + 1e-9, drawn * total)
    },
    options,
  )
})
