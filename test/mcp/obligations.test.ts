import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { lessons, obligations } from "./obligations.ts"

const root = path.join(import.meta.dirname, "../..")

/** The words of the tests of a file that are run always. */
const testsIn = (file: string): ReadonlySet<string> => {
  const text = fs.readFileSync(path.join(root, file), "utf8")
  const found = new Set<string>()
  for (const [, quote = "", name = ""] of text.matchAll(
    /^\s*(?:it|test)(?:\.each\([\s\S]*?\))?(?:<[^>]*>)?\(\s*(["`])(.*?)\1\s*,/gm,
  )) {
    found.add(quote === '"' ? (JSON.parse(`"${name}"`) as string) : name)
  }
  return found
}

describe.each([
  ["what the protocol demands", obligations],
  ["what people complain about", lessons],
] as const)("%s", (_what, all) => {
  it.each(all.map(({ demands, tests }) => [demands, tests] as const))("%s: is tested", (_demands, tests) => {
    const missing = tests.filter(([file, name]) => !testsIn(file).has(name))
    expect(missing).toEqual([])
    expect(tests.length).toBeGreaterThan(0)
  })
})
