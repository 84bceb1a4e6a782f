import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { complaintOf, changeReply, changeRequest, type Mutation } from "../../../stages/5-policy/external/mutation.ts"
import { complaintAbout, isCarried, isName } from "../../../stages/5-policy/headerEdits.ts"
import { aSocket, makeReply, makeRequest } from "../../../test/stages/exchange.ts"

const name = fc.oneof(
  fc.constantFrom(
    "x-a",
    "x-b",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
  ),
  fc.constantFrom(":path", ":method", ":scheme", ":authority", ":status", ":x", "", "a b", "é"),
)
const value = fc.oneof(
  fc.constantFrom("v", "w", "/p?q", "CONNECT", "https", "a.test:1", "200", "101", "600", "a\r\nb", "\0", "é", "€"),
  fc.string({ unit: "binary", maxLength: 6 }),
)
const change = fc.record({
  name,
  value,
  action: fc.constantFrom("append" as const, "addIfAbsent" as const, "set" as const, "setIfPresent" as const),
})
const mutation: fc.Arbitrary<Mutation> = fc.record({
  remove: fc.array(name, { maxLength: 4 }),
  set: fc.array(change, { maxLength: 6 }),
})

const framing = { host: "a.test", connection: "keep-alive", "content-length": "3", "transfer-encoding": "chunked" }
const isFraming = (one: string): boolean => complaintAbout(one) !== undefined

const wellFormed = (flat: ReadonlyArray<string>): void => {
  for (let i = 0; i < flat.length; i += 2) {
    assert.isTrue(isName(flat[i] ?? ""), JSON.stringify(flat[i]))
    assert.isTrue(isCarried(flat[i + 1] ?? ""), JSON.stringify(flat[i + 1]))
  }
}

it("whatever a processor asks for, what frames a message stays as it was, and what goes out can be written", () => {
  fc.assert(
    fc.property(mutation, (asked) => {
      // What cannot be carried out is a failure of the processor, and nothing is carried out of it.
      if (complaintOf(asked) !== undefined) return
      const request = makeRequest({ headers: { ...framing, "x-a": "1" } })
      const reply = makeReply({ headers: { ...framing, "x-a": "1" } })
      changeRequest(request, asked)
      changeReply(reply, asked)
      for (const { headers } of [request, reply]) {
        wellFormed(headers.flat)
        for (const [field, was] of Object.entries(framing)) {
          if (isFraming(field)) assert.deepStrictEqual(headers.all(field), [was], field)
        }
        assert.isFalse(headers.flat.some((part, i) => i % 2 === 0 && part.startsWith(":")))
      }
      assert.isTrue(request.path.startsWith("/") || request.path === "*" || request.path === "")
      assert.isTrue(reply.status >= 200 && reply.status < 600)
    }),
    { numRuns: 1500 },
  )
})

it("each action does as it is called, in the order in which they come", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          name: fc.constantFrom("x-a", "x-b", "x-c"),
          value: fc.constantFrom("1", "2", "3"),
          action: fc.constantFrom("append" as const, "addIfAbsent" as const, "set" as const, "setIfPresent" as const),
        }),
        { maxLength: 8 },
      ),
      fc.array(fc.constantFrom("x-a", "x-b", "x-c"), { maxLength: 2 }),
      (set, remove) => {
        const reply = makeReply({ headers: { "x-a": "0", "x-b": "0" } })
        const naive = new Map<string, Array<string>>([
          ["x-a", ["0"]],
          ["x-b", ["0"]],
        ])
        changeReply(reply, { remove, set })
        for (const one of remove) naive.delete(one)
        for (const { action, name: field, value: written } of set) {
          const has = naive.has(field)
          if (action === "append") naive.set(field, [...(naive.get(field) ?? []), written])
          else if (action === "addIfAbsent" ? !has : action === "set" || has) naive.set(field, [written])
        }
        for (const field of ["x-a", "x-b", "x-c"]) {
          assert.deepStrictEqual(reply.headers.all(field), naive.get(field) ?? [], field)
        }
      },
    ),
    { numRuns: 1000 },
  )
})

it("the status of a tunnel is never another", () => {
  const reply = makeReply({ status: 101, tunnel: aSocket() })
  changeReply(reply, { remove: [], set: [{ name: ":status", value: "500", action: "set" }] })
  assert.strictEqual(reply.status, 101)
})
