import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Claims } from "../../../stages/Identity.ts"
import { endedBy, LOGOUT_EVENT, LOGOUT_SECONDS_MAX } from "../../../stages/5-policy/oidc/logoutToken.ts"

const NOW = 1_700_000_000

const junk = fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom(null, true, 0, Number.NaN, "", [], {}), fc.double())
const events = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ [LOGOUT_EVENT]: {} }) },
  fc.constant([LOGOUT_EVENT]),
  fc.constant(JSON.parse('{"__proto__":{"http://schemas.openid.net/event/backchannel-logout":{}}}') as object),
  junk,
)
const claims = fc.record(
  {
    events,
    iat: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: NOW - 400, max: NOW + 100 }) }, junk),
    jti: fc.oneof({ weight: 3, arbitrary: fc.constant("j1") }, junk),
    nonce: junk,
    sid: fc.oneof(fc.constant("s1"), junk),
    sub: fc.oneof(fc.constant("ann"), junk),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Claims>

const isText = (value: unknown): boolean => typeof value === "string" && value !== ""

it("a token ends sessions exactly when each rule of the standard, taken by itself, says so", () => {
  fc.assert(
    fc.property(claims, (said) => {
      const { events: about, iat, jti } = said
      const rules = [
        !("nonce" in said) || said["nonce"] === undefined,
        typeof about === "object" && about !== null && Object.keys(about).includes(LOGOUT_EVENT),
        isText(jti),
        typeof iat === "number" && iat >= NOW - LOGOUT_SECONDS_MAX && iat <= NOW + 60,
        isText(said["sid"]) || isText(said["sub"]),
      ]
      const ended = endedBy(said, NOW)
      assert.strictEqual(typeof ended !== "string", rules.every(Boolean), JSON.stringify(ended))
      if (typeof ended === "string") return
      assert.strictEqual(ended.session, isText(said["sid"]) ? said["sid"] : undefined)
      assert.strictEqual(ended.subject, isText(said["sub"]) ? said["sub"] : undefined)
      assert.strictEqual(ended.atSeconds, iat)
    }),
    { numRuns: 5000 },
  )
})
