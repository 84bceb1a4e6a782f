import * as fc from "fast-check"
import { describe, it } from "vitest"
import { asString, depthOf, Fields, isDeeperThan, itemsOf, rewriteAt } from "../../../protocols/mcp/json.ts"

const json = fc.json({ maxDepth: 4 })

/** The same value in other white space. */
const spaced = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.integer({ min: 0, max: 3 }))
  .map(([value, indent]) => JSON.stringify(value, null, indent))

describe("an object cut into its members", () => {
  it("means what it meant, put together again", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.integer({ min: 0, max: 3 }), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        const again: unknown = JSON.parse(Fields.parse(text)?.toJson() ?? "null")
        return JSON.stringify(again) === JSON.stringify(JSON.parse(text))
      }),
    )
  })

  it("has each member in the very characters it was written in", () => {
    fc.assert(
      fc.property(fc.string(), spaced, fc.jsonValue(), (name, member, other) => {
        const key = `a${name}`
        const text = `{ ${JSON.stringify(key)} : ${member} , "b": ${JSON.stringify(other)} }`
        return Fields.parse(text)?.get(key) === member
      }),
    )
  })

  it("gives another one when a member is set, and stays as it was", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), json, (value, name, member) => {
        const fields = Fields.parse(JSON.stringify(value)) as Fields
        const before = fields.toJson()
        return fields.with(name, member).get(name) === member && fields.toJson() === before
      }),
    )
  })
})

describe("an array cut into its elements", () => {
  it("has each in the very characters it was written in", () => {
    fc.assert(
      fc.property(fc.array(spaced), (items) => {
        const found = itemsOf(`[ ${items.join(" , ")} ]`) ?? []
        return found.length === items.length && found.every((item, i) => item === items[i])
      }),
    )
  })
})

describe("a text", () => {
  it("is read as it was meant, whatever is escaped in it", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        (text) => asString(JSON.stringify(text)) === JSON.parse(JSON.stringify(text)),
      ),
    )
  })

  it("is as deep as its deepest value", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        (depth) => depthOf(`${"[".repeat(depth)}"[{"${"]".repeat(depth)}`) === depth,
      ),
    )
  })
})

describe("whether a text is deeper than a limit", () => {
  it("is told by its depth, however many values it opens side by side", () => {
    const nested = fc
      .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }), fc.string())
      .map(([depth, beside, text]) => {
        const deep = `${'{"a":['.repeat(depth)}${JSON.stringify(text)}${"]}".repeat(depth)}`
        return `[${[...Array.from({ length: beside }, () => '{"b":"{["}'), deep].join(", ")}]`
      })
    fc.assert(
      fc.property(
        nested,
        fc.integer({ min: 0, max: 90 }),
        (text, max) => isDeeperThan(text, max) === depthOf(text) > max,
      ),
    )
  })
})

describe("rewriting", () => {
  it("that changes nothing gives back the same text", () => {
    fc.assert(fc.property(spaced, (text) => rewriteAt(text, ["a", "*", "b"], () => undefined) === text))
  })
})
