import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { grantedOf, jsonOf } from "../../../stages/5-policy/credentials/tokenEndpoint.ts"
import { mayAct } from "../../../stages/5-policy/credentials/tokenExchange.ts"
import { makeReply } from "../../../test/stages/exchange.ts"
import { unsigned } from "../../../test/stages/5-policy/tokens.ts"

const junk = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.double(),
  fc.constantFrom(null, true, "", 3600, "3600", -1, 1e300),
)
const document = fc.oneof(
  fc.jsonValue(),
  fc.record(
    { access_token: junk, token_type: junk, issued_token_type: junk, expires_in: junk, error: junk },
    { requiredKeys: [] },
  ),
)

describe("what a token endpoint answers", () => {
  it("is a token, or a reason why it is none; how long it lasts is a time or is not known", () => {
    fc.assert(
      fc.property(document, (said) => {
        const granted = grantedOf(said)
        const token: unknown =
          typeof said === "object" && said !== null && Object.hasOwn(said, "access_token")
            ? Reflect.get(said, "access_token")
            : undefined
        assert.strictEqual(typeof granted !== "string", typeof token === "string" && token !== "")
        if (typeof granted === "string") return
        assert.strictEqual(Redacted.value(granted.accessToken), token)
        const { expiresInMillis: millis } = granted
        assert.isTrue(millis === undefined || (millis >= 0 && Number.isFinite(millis)))
      }),
      { numRuns: 3000 },
    )
  })

  it("is read, whatever bytes it is made of and however many", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.jsonValue(), fc.nat(64), (bytes, value, bytesMax) => {
        for (const body of [bytes, new TextEncoder().encode(JSON.stringify(value))]) {
          const read = Effect.runSync(Effect.result(jsonOf(makeReply({ body }), bytesMax)))
          if (body.byteLength > bytesMax) assert.strictEqual(read._tag, "Failure")
        }
      }),
      { numRuns: 1000 },
    )
  })
})

const small = fc.constantFrom<unknown>("a", "b", 1, true, null, ["a"], ["a", "b"], { x: 1 }, [{ x: 1 }])
const some = fc.dictionary(fc.constantFrom("sub", "iss", "toString", "x"), small, { maxKeys: 3 })

describe("whoever acts for somebody else", () => {
  it("is one of those that the subject names, by every one of their claims", () => {
    const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)
    fc.assert(
      fc.property(fc.oneof(some, small), some, (allowed, actor) => {
        const named =
          typeof allowed === "object" && allowed !== null && !Array.isArray(allowed) ? Object.entries(allowed) : []
        const expected =
          named.length > 0 &&
          named.every(([name, wanted]) => {
            if (!Object.keys(actor).includes(name)) return false
            const claimed = actor[name]
            return Array.isArray(claimed) ? claimed.some((one) => same(one, wanted)) : same(claimed, wanted)
          })
        const token = (claims: unknown) => unsigned({ alg: "none" }, claims, "x")
        assert.strictEqual(mayAct(token({ may_act: allowed }), token(actor)), expected)
      }),
      { numRuns: 3000 },
    )
  })

  it("is nobody where a token cannot be read", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (subject, actor) => assert.isFalse(mayAct(subject, actor))))
  })
})
