import { assert, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import type { IssuedKey } from "../../../ir/policy/ApiKey.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { compileKeys, decide } from "../../../stages/5-policy/apiKey.ts"

const secret = fc.oneof(fc.constantFrom("a", "b", "ab", "", "__proto__"), fc.string({ unit: "binary", maxLength: 6 }))
const { sha256 } = cryptography

it("whoever has a key that was given out and is still good is known, and nobody else", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: secret, expiresMillis: fc.integer({ min: 0, max: 4 }), isHashed: fc.boolean() }), {
        maxLength: 5,
      }),
      fc.option(secret, { nil: undefined }),
      fc.constantFrom("strict" as const, "optional" as const, "permissive" as const),
      fc.integer({ min: 0, max: 4 }),
      (given, came, mode, now) => {
        const keys = given.map(({ expiresMillis, isHashed, key }): IssuedKey => ({
          value: isHashed ? { _tag: "Hashed", sha256: sha256(key) } : { _tag: "Plain", key: Redacted.make(key) },
          expiresMillis,
        }))
        const decision = decide(compileKeys(keys, sha256), mode, came === undefined ? undefined : sha256(came), now)
        const first = given.find(({ key }) => key === came)
        if (came === undefined) assert.strictEqual(decision._tag, mode === "strict" ? "Refused" : "Anonymous")
        else if (first !== undefined && now < first.expiresMillis) {
          assert.strictEqual(decision._tag === "Known" && decision.key.issued, keys[given.indexOf(first)])
        } else assert.strictEqual(decision._tag, mode === "permissive" ? "Anonymous" : "Refused")
      },
    ),
    { numRuns: 1000 },
  )
})
