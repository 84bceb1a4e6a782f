/** What fixed edits of headers mean, told on a list of pairs. */
import * as fc from "fast-check"
import type { HeaderEdits } from "../../../ir/policy/HeaderEdits.ts"

export type Pairs = ReadonlyArray<readonly [string, string]>

export const name = fc.constantFrom("a", "b", "c", "x-long-name")
export const value = fc.stringMatching(/^[ -~]{0,4}$/)
export const pairs: fc.Arbitrary<Pairs> = fc.array(fc.tuple(name, value), { maxLength: 8 })

const list = fc.array(fc.record({ name, value }), { maxLength: 4 })
export const edits: fc.Arbitrary<HeaderEdits> = fc.record({
  add: list,
  set: list,
  remove: fc.array(name, { maxLength: 3 }),
})

/** Any text where a name and a value should be. */
export const wildEdits: fc.Arbitrary<HeaderEdits> = fc
  .array(
    fc.record({
      name: fc.oneof(
        fc.constantFrom(":method", ":path", ":authority", ":scheme", ":status", "host", "content-length", "a"),
        fc.string({ unit: "binary" }),
      ),
      value: fc.oneof(
        fc.constantFrom("GET", "CONNECT", "/", "/?", "a:1", "http", "204", "1"),
        fc.string({ unit: "binary" }),
      ),
    }),
    { maxLength: 3 },
  )
  .map((set) => ({ add: [], set, remove: [] }))

export const applied = (fields: Pairs, { add, remove, set }: HeaderEdits): Pairs => {
  let model: Pairs = [...fields, ...add.map(({ name, value }) => [name, value] as const)]
  for (const { name, value } of set) {
    const first = model.findIndex(([other]) => other === name)
    model =
      first < 0
        ? [...model, [name, value]]
        : model.flatMap((pair, i) => (i === first ? [[name, value] as const] : pair[0] === name ? [] : [pair]))
  }
  return model.filter(([name]) => !remove.includes(name))
}
