import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Transformation } from "../../../ir/policy/Transformations.ts"
import { compile } from "../../../stages/5-policy/transformations.ts"
import { cel, computing } from "../../../test/stages/5-policy/computing.ts"
import { makeExchange, makeReply, settled, verdict } from "../../../test/stages/exchange.ts"

const name = fc.constantFrom("a", "b", "c", "x-long-name", "d")

const value = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 6 }))

/** An expression, and the text it gives; undefined where it gives none that a header can hold. */
const source: fc.Arbitrary<readonly [string, string | undefined]> = fc.oneof(
  fc.stringMatching(/^[ -~]{0,8}$/).map((text) => [JSON.stringify(text), text] as const),
  fc.constantFrom(
    ["request.method", "GET"] as const,
    ["request.headers.nope", undefined] as const,
    ["1", undefined] as const,
    ["'a\\nb'", undefined] as const,
    ["'\\u0001'", undefined] as const,
    ["jwt.sub", undefined] as const,
  ),
)

const edits = fc.record({
  add: fc.array(fc.tuple(name, source), { maxLength: 3 }),
  set: fc.array(fc.tuple(name, source), { maxLength: 3 }),
  remove: fc.array(name, { maxLength: 2 }),
})
type Edits = typeof edits extends fc.Arbitrary<infer A> ? A : never

const headers = fc.array(fc.tuple(name, fc.stringMatching(/^[!-~]{0,6}$/)), { maxLength: 6 })

const policyOf = ({ add, remove, set }: Edits): Transformation => ({
  metadata: [],
  add: add.map(([one, [text]]) => ({ name: one as never, expression: cel(text) })),
  set: set.map(([one, [text]]) => ({ name: one as never, expression: cel(text) })),
  remove: remove as never,
})

/** The fields of each name after the edits, with nothing said about how they are stored. */
const modelled = (before: ReadonlyArray<readonly [string, string]>, { add, remove, set }: Edits) => {
  let fields = [...before]
  for (const [one, [, text]] of add) {
    fields = text === undefined ? fields.filter(([other]) => other !== one) : [...fields, [one, text]]
  }
  for (const [one, [, text]] of set) {
    fields = fields.filter(([other]) => other !== one)
    if (text !== undefined) fields.push([one, text])
  }
  return fields.filter(([other]) => !(remove as ReadonlyArray<string>).includes(other))
}

const byName = (fields: Iterable<readonly [string, string]>) => {
  const found = new Map<string, Array<string>>()
  for (const [one, text] of fields) found.set(one, [...(found.get(one) ?? []), text])
  return found
}

it("headers are what the edits make of them, and nothing else of a request changes", () => {
  fc.assert(
    fc.property(headers, edits, (before, told) => {
      const ports = computing()
      const step = compile({ _tag: "Transformations", request: policyOf(told) }, ports, "route")
      const exchange = makeExchange({ headers: before, url: "http://a:1/p?q", body: "body" })
      const { authority, body, method, path, query, scheme } = exchange.request
      if (step !== undefined) assert.strictEqual(verdict(step, exchange)._tag, "Pass")
      assert.deepStrictEqual(byName(exchange.request.headers), byName(modelled(before, told)))
      const { request } = exchange
      assert.deepStrictEqual(
        [request.authority, request.body, request.method, request.path, request.query, request.scheme],
        [authority, body, method, path, query, scheme],
      )
      assert.isUndefined(exchange.notes)
    }),
  )
})

it("the same holds for replies", () => {
  fc.assert(
    fc.property(headers, edits, fc.integer({ min: 200, max: 599 }), (before, told, status) => {
      const step = compile({ _tag: "Transformations", response: policyOf(told) }, computing(), "backend")
      const exchange = makeExchange()
      const reply = makeReply({ status, body: "body" })
      reply.headers.flat.push(...before.flat())
      const { body } = reply
      if (step !== undefined) verdict(step, exchange)
      settled(exchange, reply)
      assert.deepStrictEqual(byName(reply.headers), byName(modelled(before, told)))
      assert.deepStrictEqual([reply.status, reply.body], [status, body])
    }),
  )
})

it("whatever a replacement gives, no field can end early and no field frames the message", () => {
  fc.assert(
    fc.property(
      fc.dictionary(value, fc.oneof(value, fc.integer(), fc.boolean(), fc.array(value)), { maxKeys: 4 }),
      (map) => {
        const replace = cel(JSON.stringify(map))
        const policy = { metadata: [], add: [], set: [], remove: [], replace }
        const exchange = makeExchange({ headers: { old: "1" } })
        const step = compile({ _tag: "Transformations", request: policy }, computing(), "gateway")
        assert.strictEqual(verdict(step, exchange)._tag, "Pass")
        for (const [one, text] of exchange.request.headers) {
          assert.match(one, /^[!#$%&'*+.^_`|~0-9a-z-]+$/)
          assert.match(text, /^[\t\x20-\x7e\x80-\xff]*$/)
          assert.isFalse(["content-length", "transfer-encoding", "connection", "host"].includes(one))
        }
      },
    ),
  )
})
