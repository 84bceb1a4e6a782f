import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { CredentialLocation } from "../../../ir/policy/CredentialLocation.ts"
import { compile } from "../../../stages/5-policy/credential.ts"
import { FakeClock, makeExchange, type Told } from "../../../test/stages/exchange.ts"

const ports = { clock: new FakeClock(), maxBufferBytes: 0 }
const location: fc.Arbitrary<CredentialLocation> = fc.oneof(
  fc.record({
    _tag: fc.constant("Header" as const),
    name: fc.constantFrom("authorization", "x-key"),
    prefix: fc.constantFrom("", "Bearer ", "k="),
  }) as fc.Arbitrary<CredentialLocation>,
  fc.record({ _tag: fc.constant("Query" as const), name: fc.constantFrom("k", "a b", "é") }),
  fc.record({ _tag: fc.constant("Cookie" as const), name: fc.constantFrom("k", "s") }),
)

const word = fc.constantFrom("", "x", "Bearer x", "bearer y", "k=z", "k=1; s=2", "s=3;k=4; t=5", "a=b", "Basic q")
const headers = fc.array(fc.tuple(fc.constantFrom("authorization", "x-key", "cookie", "accept"), word), {
  maxLength: 5,
})
const query = fc.option(
  fc.array(fc.constantFrom("k=1", "k", "%6b=2", "a+b=3", "a%20b=4", "%C3%A9=5", "x=%2f", "", "=", "k=%ff", "kk=6"), {
    maxLength: 5,
  }),
  { nil: undefined },
)

const told = fc.record({ headers, query }).map(({ headers, query }): Told => ({
  headers,
  url: `http://h/p${query === undefined ? "" : `?${query.join("&")}`}`,
}))

const state = ({ request }: ReturnType<typeof makeExchange>) => ({
  flat: request.headers.flat.slice(),
  query: request.query,
  rest: [request.method, request.path, request.authority, request.body],
})

it("looking for a credential changes nothing, and what was removed is not found again", () => {
  fc.assert(
    fc.property(location, told, (where, told) => {
      const at = compile(where, ports, "route")
      const exchange = makeExchange(told)
      const before = state(exchange)
      at.extract(exchange)
      assert.deepStrictEqual(state(exchange), before)
      at.remove(exchange.request)
      assert.isUndefined(at.extract(exchange))
      const after = state(exchange)
      assert.deepStrictEqual(after.rest, before.rest)
      if (where._tag !== "Query") assert.strictEqual(after.query, before.query)
      if (where._tag === "Query") assert.deepStrictEqual(after.flat, before.flat)
      at.remove(exchange.request)
      assert.deepStrictEqual(state(exchange), after)
    }),
    { numRuns: 2000 },
  )
})

it("removing a parameter leaves the others as they were written", () => {
  fc.assert(
    fc.property(told, fc.constantFrom("k", "a b", "é"), (told, name) => {
      const exchange = makeExchange(told)
      const written = exchange.request.query?.split("&") ?? []
      compile({ _tag: "Query", name }, ports, "route").remove(exchange.request)
      const others = written.filter((pair) => new URLSearchParams(`${pair}&`).has(name) === false)
      assert.strictEqual(exchange.request.query ?? "", others.join("&"))
    }),
    { numRuns: 1000 },
  )
})

it("what is written is what is found", () => {
  fc.assert(
    fc.property(location, told, fc.string({ unit: "binary", maxLength: 8 }), (where, told, value) => {
      const at = compile(where, ports, "route")
      const exchange = makeExchange(told)
      const before = state(exchange)
      if (!at.insert(exchange.request, value)) assert.deepStrictEqual(state(exchange), before)
      else if (where._tag !== "Header" || value.trim() === value) assert.strictEqual(at.extract(exchange), value)
    }),
    { numRuns: 2000 },
  )
})
