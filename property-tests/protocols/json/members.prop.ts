import * as fc from "fast-check"
import { expect, it } from "vitest"
import { membersOf, withMembers } from "../../../protocols/json/members.ts"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const objects = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 })
const printed = fc
  .tuple(objects, fc.constantFrom<string | number | undefined>(undefined, 1, "\t"), fc.constantFrom("", " ", "\n "))
  .map(([value, indent, around]) => `${around}${JSON.stringify(value, undefined, indent)}${around}`)

it("setting and removing members does to the text what it does to the value", () => {
  fc.assert(
    fc.property(
      printed,
      fc.dictionary(fc.string({ maxLength: 6 }), fc.option(fc.jsonValue({ maxDepth: 2 }), { nil: undefined }), {
        maxKeys: 4,
      }),
      fc.boolean(),
      (text, wanted, ofThose) => {
        const value = JSON.parse(text) as Record<string, unknown>
        const names = Object.keys(value)
        const edits = new Map(
          Object.entries(wanted).map(([name, to], i) => [
            ofThose && names.length > 0 ? (names[i % names.length] as string) : name,
            to === undefined ? undefined : JSON.stringify(to),
          ]),
        )
        const expected = new Map(Object.entries(value))
        for (const [name, to] of edits) {
          if (to === undefined) expected.delete(name)
          else expected.set(name, JSON.parse(to))
        }
        const made = JSON.parse(textOf(withMembers(bytesOf(text), edits))) as Record<string, unknown>
        expect(new Map(Object.entries(made))).toEqual(expected)
      },
    ),
  )
})

it("members that are not named keep their very bytes", () => {
  const text = '{ "a" : 12345678901234567890 ,\n"model":"x", "é\\u0022": [ 1 , {"model": 2} ] , "z": 1e400 }'
  expect(textOf(withMembers(bytesOf(text), new Map([["model", '"y"']])))).toBe(text.replace('"x"', '"y"'))
  expect(membersOf(bytesOf(text)).map(({ name }) => name)).toEqual(["a", "model", 'é"', "z"])
})
