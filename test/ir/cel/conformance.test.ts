/**
 * The public conformance cases of the language. Every case passes except those listed in conformanceExceptions.json, grouped by
 * the reason; a listed case that begins to pass fails the test, so the list stays true.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { type Case, cases, run } from "./conformanceData.ts"

const exceptions = JSON.parse(
  readFileSync(new URL("./conformanceExceptions.json", import.meta.url), "utf8"),
) as Readonly<Record<string, Readonly<Record<string, ReadonlyArray<string>>>>>

const excepted = new Set(
  Object.values(exceptions).flatMap((sections) =>
    Object.entries(sections).flatMap(([section, names]) => names.map((name) => `${section}/${name}`)),
  ),
)

const suites = new Map<string, Array<Case>>()
for (const one of cases()) {
  const [suite = ""] = one.name.split("/")
  const known = suites.get(suite)
  if (known === undefined) suites.set(suite, [one])
  else known.push(one)
}

describe("the conformance cases of CEL", () => {
  it("has not lost cases", () => {
    expect(cases().length).toBeGreaterThan(2300)
    expect(excepted.size).toBe(656)
  })

  for (const [suite, list] of suites)
    it(`${suite}: ${list.length} cases`, () => {
      const wrong: Array<string> = []
      for (const one of list) {
        const problem = run(one)
        if (excepted.has(one.name) && problem === undefined) wrong.push(`${one.name} passes now: take it off the list`)
        if (!excepted.has(one.name) && problem !== undefined) wrong.push(`${one.name}: ${one.expr} → ${problem}`)
      }
      expect(wrong).toEqual([])
    })

  it("lists no case that does not exist", () => {
    const names = new Set(cases().map((one) => one.name))
    expect([...excepted].filter((one) => !names.has(one))).toEqual([])
  })
})
