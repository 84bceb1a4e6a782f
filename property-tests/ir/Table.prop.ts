import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { seal } from "../../ir/transfer.ts"
import * as Table from "../../ir/Table.ts"

const key = Arbitrary.schema(Schema.Literals(["a", "b", "c", "d", "e", "f"]))
const value = Arbitrary.schema(Schema.Literals([0, 0, 1, 2, 3])).pipe(
  Arbitrary.map((value): { readonly value: number } | undefined => (value === 0 ? undefined : { value })),
)
const edits = Arbitrary.array(Arbitrary.all({ key, value }), { maxLength: 4 })
const steps = Arbitrary.array(edits, { maxLength: 12 })

interface Held {
  readonly value: number
}

/** What the table says by every way of asking. */
const told = (table: ReadonlyMap<string, Held>) => {
  const byEach: Array<readonly [string, Held]> = []
  table.forEach((one, key) => byEach.push([key, one]))
  return {
    byEach,
    entries: [...table.entries()],
    iterated: [...table],
    keys: [...table.keys()],
    values: [...table.values()],
    size: table.size,
    got: ["a", "b", "c", "d", "e", "f"].map((key) => [table.get(key), table.has(key)]),
  }
}

const versions = (steps: ReadonlyArray<ReadonlyArray<{ readonly key: string; readonly value: Held | undefined }>>) => {
  const all: Array<readonly [ReadonlyMap<string, Held>, ReadonlyMap<string, Held>]> = [
    [new Map([["a", { value: 9 }]]), new Map([["a", { value: 9 }]])],
  ]
  for (const step of steps) {
    const [table, plain] = all.at(-1) as (typeof all)[number]
    const wanted = new Map(step.map(({ key, value }) => [key, value]))
    const next = new Map(plain)
    for (const [key, value] of wanted) {
      if (value === undefined) next.delete(key)
      else next.set(key, value)
    }
    all.push([Table.edited(table, wanted), next])
  }
  return all
}

it.prop(
  "an edited table says what a copy that was written to would say, in the same order, and so does every one before it",
  { steps },
  ({ steps }) => {
    for (const [table, plain] of versions(steps)) {
      assert.deepStrictEqual(told(table), told(plain))
      assert.deepStrictEqual([...new Map(table)], [...plain])
      assert.deepStrictEqual(structuredClone(seal(table)), plain)
    }
  },
  { arbitrary: { runs: 500, size: 20 } },
)

it.prop(
  "whatever differs between two tables of one line is among the suspects",
  { steps },
  ({ steps }) => {
    const all = versions(steps)
    for (const [a] of all)
      for (const [b] of all) {
        const suspects = Table.suspects(a, b)
        if (suspects === undefined) continue
        const named = new Set(suspects)
        for (const key of ["a", "b", "c", "d", "e", "f"])
          if (a.get(key) !== b.get(key)) assert.isTrue(named.has(key), key)
      }
  },
  { arbitrary: { runs: 200, size: 20 } },
)

it("a table that was edited a thousand times answers from few edits", () => {
  let table: ReadonlyMap<number, number> = new Map(Array.from({ length: 500 }, (_, i) => [i, i]))
  const plain = new Map(table)
  for (let i = 0; i < 1_000; i++) {
    const at = (i * 7) % 600
    table = Table.edited(table, new Map([[at, -i]]))
    plain.set(at, -i)
    const known = (table as { readonly edits?: ReadonlyMap<number, number> }).edits
    assert.isAtMost(known?.size ?? 0, Table.editsMax)
  }
  assert.deepStrictEqual([...table], [...plain])
})

it("nobody writes to an edited table", () => {
  const table = Table.edited(new Map([["a", 1]]), new Map([["b", 2]])) as Map<string, number>
  assert.throws(() => table.set("c", 3), /make another/u)
  assert.throws(() => table.delete("a"), /make another/u)
  assert.throws(() => table.clear(), /make another/u)
})
