import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Key, parse as parseKeys } from "../../../protocols/jose/jwks.ts"
import { type JsonObject, LEEWAY_SECONDS, objection, parse, type Unverified } from "../../../protocols/jose/jwt.ts"
import { decide, KEYS_TRIED_MAX } from "../../../stages/5-policy/TokenCheck.ts"

const small = fc.constantFrom("a", "b", "c")
const time = fc.integer({ min: -200, max: 200 })
const junk = fc.oneof(fc.string({ maxLength: 3 }), fc.constant(null), fc.boolean(), fc.double())

const claims: fc.Arbitrary<JsonObject> = fc.record(
  {
    iss: fc.oneof({ weight: 4, arbitrary: small }, junk),
    aud: fc.oneof(small, fc.array(fc.oneof(small, junk), { maxLength: 3 }), junk),
    exp: fc.oneof({ weight: 4, arbitrary: time }, junk),
    nbf: fc.oneof({ weight: 4, arbitrary: time }, junk),
    sub: junk,
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>

const expected = fc.record({
  issuer: small,
  audiences: fc.array(small, { maxLength: 2 }),
  requiredClaims: fc.array(fc.constantFrom("exp", "nbf", "sub", "x"), { maxLength: 2 }),
})

it("claims are as expected exactly when each rule, taken by itself, says so", () => {
  fc.assert(
    fc.property(claims, expected, (claims, rules) => {
      const { aud, exp, iss, nbf } = claims
      const named: ReadonlyArray<unknown> = typeof aud === "string" ? [aud] : Array.isArray(aud) ? aud : []
      const holds = [
        iss === rules.issuer,
        rules.requiredClaims.every((name) => Object.keys(claims).includes(name)),
        rules.audiences.length === 0 || rules.audiences.some((one) => named.includes(one)),
        exp === undefined || (typeof exp === "number" && -LEEWAY_SECONDS < exp && exp < Infinity),
        nbf === undefined || (typeof nbf === "number" && nbf <= LEEWAY_SECONDS && nbf > -Infinity),
      ]
      assert.strictEqual(objection(claims, rules, 0) === undefined, holds.every(Boolean))
    }),
    { numRuns: 3000 },
  )
})

const algorithms = ["RS256", "PS256", "ES256"]
const key: fc.Arbitrary<Key> = fc.record({
  kid: fc.option(small, { nil: undefined }),
  algorithms: fc.subarray(algorithms, { minLength: 1 }),
  jwk: fc.constant({ kty: "RSA" }),
})
const unverified: fc.Arbitrary<Unverified> = fc.record({
  algorithm: fc.constantFrom(...algorithms, "none", "HS256", "__proto__"),
  kid: fc.option(fc.constantFrom("a", "b", "c", "d"), { nil: undefined }),
  claims,
})

it("a token is held against keys of its own issuer only, and never with an algorithm that they do not allow", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ expected, keys: fc.option(fc.array(key, { maxLength: 6 }), { nil: undefined }) }), {
        maxLength: 3,
      }),
      unverified,
      (given, token) => {
        const issuers = given.map((one) => ({
          expected: one.expected,
          keys: one.keys === undefined ? undefined : { keys: one.keys, ignored: [] },
        }))
        const decision = decide(issuers, token, 0)
        const own = given.filter((one) => objection(token.claims, one.expected, 0) === undefined)
        if (own.length === 0) assert.strictEqual(decision._tag, "Refused")
        if (decision._tag !== "Verify") return
        const theirs = new Set(own.flatMap(({ keys }) => keys ?? []))
        assert.isAbove(decision.keys.length, 0)
        assert.isAtMost(decision.keys.length, KEYS_TRIED_MAX)
        for (const one of decision.keys) {
          assert.isTrue(theirs.has(one))
          assert.isTrue(one.algorithms.includes(token.algorithm))
          assert.isTrue(token.kid === undefined || one.kid === undefined || one.kid === token.kid)
        }
      },
    ),
    { numRuns: 3000 },
  )
})

const part = fc.oneof(
  fc.json().map((text) => Buffer.from(text).toString("base64url")),
  fc.string({ unit: "binary", maxLength: 8 }),
)

it("whatever comes is read or is not, without a complaint", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part, { maxLength: 5 }).map((parts) => parts.join(".")),
      ),
      (text) => {
        const token = parse(text)
        if (token !== undefined) assert.strictEqual(text.split(".").length, 3)
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.array(fc.object(), { maxLength: 3 }).map((keys) => JSON.stringify({ keys })),
      ),
      (text) => {
        const keys = parseKeys(text)
        if (typeof keys !== "string") assert.isAbove(keys.keys.length, 0)
      },
    ),
    { numRuns: 1000 },
  )
})
