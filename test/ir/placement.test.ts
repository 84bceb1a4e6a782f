import { assert, it } from "@effect/vitest"
import { placement, spelled } from "../../ir/placement.ts"
import { BackendPolicy, ConditionalPolicy, FrontendPolicy, TrafficPolicy } from "../../ir/Policy.ts"

const rows = Object.entries(placement)
const kinds = (of: (row: (typeof rows)[number][1]) => boolean) =>
  rows.filter(([, row]) => of(row)).map(([kind]) => kind)
const tags = (union: { readonly cases: object }) => Object.keys(union.cases).filter((tag) => tag !== "Conditional")

it("a kind stands in the families whose unions name it", () => {
  assert.sameMembers(
    kinds((row) => row.frontend !== undefined),
    tags(FrontendPolicy),
  )
  assert.sameMembers(
    kinds((row) => row.phases.length > 0),
    tags(TrafficPolicy),
  )
  assert.sameMembers(
    kinds((row) => row.backend),
    tags(BackendPolicy),
  )
  assert.sameMembers(
    kinds((row) => row.conditional.length > 0),
    tags(ConditionalPolicy),
  )
})

it("within a family no two kinds are spelled alike, and each is found by its spelling and its aliases", () => {
  for (const [family, union] of [
    ["frontend", FrontendPolicy],
    ["traffic", TrafficPolicy],
    ["backend", BackendPolicy],
  ] as const) {
    const names = rows
      .filter(([kind]) => tags(union).includes(kind))
      .flatMap(([kind, { aliases, spelling }]) => [spelling, ...aliases].map((name) => [name, kind] as const))
    assert.strictEqual(new Set(names.map(([name]) => name)).size, names.length)
    for (const [name, kind] of names) assert.strictEqual(spelled(family, name), kind)
  }
  assert.strictEqual(spelled("traffic", "backendTLS"), undefined)
  assert.strictEqual(spelled("frontend", "http"), "Http")
  assert.strictEqual(spelled("backend", "http"), "BackendHttp")
})
