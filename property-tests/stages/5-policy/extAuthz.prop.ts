import { create } from "@bufbuild/protobuf"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { CheckResponseSchema } from "../../../protocols/grpc/generated/envoy_auth_pb.ts"
import { decisionOf } from "../../../stages/5-policy/external/checkGrpc.ts"
import { allow, changeQuery, replyOf } from "../../../stages/5-policy/external/Decision.ts"
import { Kept } from "../../../stages/5-policy/external/Kept.ts"
import { makeExchange, makeReply, settled } from "../../../test/stages/exchange.ts"
import { slot } from "../../../stages/5-policy/order.ts"

const nastyName = fc.oneof(
  fc.constantFrom("x-a", "X-B", "host", ":path", ":method", ":status", "content-length", "transfer-encoding", ":x", ""),
  fc.string({ unit: "binary", maxLength: 6 }),
)
const nastyValue = fc.oneof(
  fc.constantFrom("v", "/p?q", "CONNECT", "a\r\nb", "200", "é"),
  fc.string({ unit: "binary", maxLength: 8 }),
)
const option = fc.record({
  header: fc.option(fc.record({ key: nastyName, value: nastyValue, rawValue: fc.uint8Array({ maxLength: 4 }) }), {
    nil: undefined,
  }),
  append: fc.option(fc.boolean(), { nil: undefined }),
  appendAction: fc.integer({ min: 0, max: 5 }),
})
const options = fc.array(option, { maxLength: 5 })

const response = fc.record({
  status: fc.option(fc.record({ code: fc.integer({ min: -2, max: 20 }) }), { nil: undefined }),
  httpResponse: fc.oneof(
    fc.constant({ case: undefined }),
    fc.record({
      case: fc.constant("okResponse" as const),
      value: fc.record({
        headers: options,
        headersToRemove: fc.array(nastyName, { maxLength: 4 }),
        responseHeadersToAdd: options,
        queryParametersToSet: fc.array(fc.record({ key: fc.string(), value: fc.string() }), { maxLength: 3 }),
        queryParametersToRemove: fc.array(fc.string(), { maxLength: 3 }),
      }),
    }),
    fc.record({
      case: fc.constant("deniedResponse" as const),
      value: fc.record({
        status: fc.record({ code: fc.integer({ min: -1, max: 1000 }) }),
        headers: options,
        body: fc.string(),
      }),
    }),
  ),
})

const framing = ["content-length", "transfer-encoding", "connection", "upgrade"]

describe("what an external service decides", () => {
  it("is always a decision or a reason, and a code other than 0 never lets pass", () => {
    fc.assert(
      fc.property(response, (said) => {
        const decision = decisionOf(create(CheckResponseSchema, said as never))
        if ((said.status?.code ?? 0) === 0) assert.isTrue(typeof decision === "string" || decision._tag === "Allowed")
        else assert.isTrue(typeof decision !== "string" && decision._tag === "Denied")
      }),
      { numRuns: 1000 },
    )
  })

  it("can be carried out: the request and both replies stay such as can be written", () => {
    const carried = (flat: ReadonlyArray<string>): void => {
      for (let i = 0; i < flat.length; i += 2) {
        assert.match(flat[i] as string, /^[!#$%&'*+.^_`|~0-9a-z-]+$/)
        assert.match(flat[i + 1] as string, /^[\t\x20-\x7e\x80-\xff]*$/)
        assert.notInclude(framing, flat[i])
      }
    }
    fc.assert(
      fc.property(response, (said) => {
        const decision = decisionOf(create(CheckResponseSchema, said as never))
        if (typeof decision === "string") return
        const exchange = makeExchange({ url: "http://a.test/p?a=b&c", headers: { "x-a": "1" } })
        if (decision._tag === "Denied") {
          const reply = replyOf(decision, exchange.request)
          carried(reply.headers.flat)
          assert.isTrue(reply.status >= 200 && reply.status <= 599)
          return
        }
        allow(decision, exchange, slot("ExtAuthz", "route"))
        carried(exchange.request.headers.flat)
        assert.match(exchange.request.path, /^\//)
        assert.match(exchange.request.query ?? "", /^[\x21-\x7e]*$/)
        const reply = settled(exchange, makeReply())
        carried(reply.headers.flat)
        assert.isTrue(reply.status >= 200 && reply.status <= 599)
      }),
      { numRuns: 1000 },
    )
  })
})

describe("a query", () => {
  const parameter = fc.tuple(fc.constantFrom("a", "b", "c", "a b", "é"), fc.constantFrom("", "1", "x y", "&="))
  it("has afterwards what was set, not what was removed, and all else as before", () => {
    fc.assert(
      fc.property(
        fc.array(parameter),
        fc.array(parameter, { maxLength: 2 }),
        fc.array(fc.constantFrom("a", "b", "é")),
        (before, set, remove) => {
          const text = new URLSearchParams(before as Array<[string, string]>).toString()
          const changed = changeQuery(text === "" ? undefined : text, { remove, set })
          const replaced = new Set([...remove, ...set.map(([name]) => name)])
          const expected = [...before.filter(([name]) => !replaced.has(name)), ...set]
          assert.deepStrictEqual([...new URLSearchParams(changed ?? "")], expected)
          if (expected.length === 0) assert.isUndefined(changed)
        },
      ),
    )
  })
})

describe("kept decisions", () => {
  it("are never given out after their time, never more than there is room for, and asked anew by one at a time", () => {
    const decision = { _tag: "Denied", status: 403, reply: { remove: [], set: [] }, notes: undefined } as never
    const event = fc.record({
      key: fc.constantFrom("a", "b", "c", "d"),
      after: fc.integer({ min: 0, max: 40 }),
      life: fc.integer({ min: -5, max: 100 }),
      isAnswered: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(event), fc.integer({ min: 0, max: 5 }), (events, room) => {
        const kept = new Kept(room)
        const until = new Map<string, number>()
        const asking = new Set<string>()
        let now = 0
        for (const { after, isAnswered, key, life } of events) {
          now += after
          const found = kept.get(key, now)
          if (found !== undefined) {
            assert.isBelow(now, until.get(key) ?? -1)
            continue
          }
          // With room for every key, the first who asks is the only one until there is an answer.
          if (room >= 4) assert.isFalse(now < (until.get(key) ?? -1) && asking.has(key))
          asking.add(key)
          if (!isAnswered) continue
          kept.put(key, decision, now, now + life)
          asking.delete(key)
          until.set(key, now + life)
          assert.isAtMost(kept.size, room)
        }
      }),
      { numRuns: 500 },
    )
  })
})
