import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { type Case, cases } from "./golden/cases.ts"

const all = cases()
const pairs = [...new Set(all.map(({ from, to }) => `${from}-${to}`))]
const expectedOf = (pair: string): Record<string, Record<string, unknown>> =>
  JSON.parse(fs.readFileSync(path.join(import.meta.dirname, "golden", "expected", `${pair}.json`), "utf8"))
const same = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe.each(pairs)("the corpus of %s", (pair) => {
  const expected = expectedOf(pair)
  const mine = all.filter(({ from, to }) => `${from}-${to}` === pair)

  it.each(mine.map((one): [string, Case] => [`${one.kind}: ${one.name}`, one]))("%s", (_, { kind, name, outcome }) => {
    expect(same(outcome)).toEqual(expected[kind]?.[name])
  })

  it("holds nothing that is not asked", () => {
    const listed = Object.entries(expected).flatMap(([kind, named]) =>
      Object.keys(named).map((name) => `${kind}: ${name}`),
    )
    expect(listed.toSorted()).toEqual(mine.map(({ kind, name }) => `${kind}: ${name}`).toSorted())
  })
})
