import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Fields } from "../../../protocols/mcp/json.ts"
import { matches } from "../../../protocols/mcp/pattern.ts"
import { settle, ToolNames } from "../../../protocols/mcp/shaping.ts"

const name = fc.constantFrom("a", "b", "c", "ab", "bc")
const pattern = fc.constantFrom("a", "a*", "*b", "*", "b*c")

const selection = fc.record({
  include: fc.array(pattern, { maxLength: 2 }),
  exclude: fc.array(pattern, { maxLength: 1 }),
  shapes: fc
    .uniqueArray(fc.record({ tool: name, name: fc.option(name, { nil: undefined }), hidden: fc.boolean() }), {
      selector: ({ tool }) => tool,
    })
    .filter((shapes) => {
      const given = shapes.flatMap((shape) => (shape.name === undefined ? [] : [shape.name]))
      return new Set(given).size === given.length
    }),
})

const all = ["a", "b", "c", "ab", "bc"]

describe("names", () => {
  it("lead back to the tool that is shown under them, and no two tools share one", () => {
    fc.assert(
      fc.property(selection, (given) => {
        const names = new ToolNames(given)
        const shown = all.flatMap((tool) => {
          const one = names.shown(tool)
          return one === undefined ? [] : [{ tool, one }]
        })
        expect(new Set(shown.map(({ one }) => one)).size).toBe(shown.length)
        for (const { one, tool } of shown) expect(names.native(one)).toBe(tool)
      }),
    )
  })
  it("that nothing is shown under lead nowhere", () => {
    fc.assert(
      fc.property(selection, name, (given, one) => {
        const names = new ToolNames(given)
        const tool = names.native(one)
        if (tool !== undefined) expect(names.shown(tool)).toBe(one)
      }),
    )
  })
})

describe("a pattern", () => {
  it("matches what the regular expression with the same meaning matches", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "."), maxLength: 8 })
    fc.assert(
      fc.property(letters, letters, (text, against) => {
        const source = text
          .split("*")
          .map((part) => part.replaceAll(".", "\\."))
          .join(".*")
        expect(matches(text, against)).toBe(new RegExp(`^${source}$`).test(against))
      }),
    )
  })
})

describe("a locked argument", () => {
  it("has its value, whatever the caller says, and the others keep theirs", () => {
    const keys = fc.constantFrom("a", "b", "/a/b", "/b/a/c")
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("a", "b", "c"), fc.jsonValue({ maxDepth: 3 })), keys, (given, key) => {
        const before = Fields.parse(JSON.stringify(given)) ?? Fields.empty
        const after = JSON.parse(settle(before, key, '"locked"', false).toJson()) as Record<string, unknown>
        const path = key.startsWith("/") ? key.slice(1).split("/") : [key]
        const found = path.reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], after)
        expect(found).toBe("locked")
        for (const other of Object.keys(given)) {
          if (other !== path[0]) expect(after[other]).toEqual(JSON.parse(JSON.stringify(given[other])))
        }
      }),
    )
  })
})
