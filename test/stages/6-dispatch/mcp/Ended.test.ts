import { expect, it } from "vitest"
import { Ended } from "../../../../stages/6-dispatch/mcp/Ended.ts"

it("knows the last forty thousand names, forgets those long before, and takes none for another", () => {
  const ended = new Ended()
  expect(ended.has("a")).toBe(false)
  const name = (i: number): string => `name-${i.toString(36)}`
  const count = 200_000
  for (let i = 0; i < count; i++) {
    ended.add(name(i))
    if (i % 1_000 === 0) expect([ended.has(name(i)), ended.has(name(i + 1))]).toEqual([true, false])
  }
  for (let i = count - 40_000; i < count; i++) expect(ended.has(name(i))).toBe(true)
  for (let i = 0; i < count - 80_000; i++) expect(ended.has(name(i))).toBe(false)
  // The same one again is no other one.
  for (let i = 0; i < 100_000; i++) ended.add("again")
  expect(ended.has(name(count - 1))).toBe(true)
})
