import { assert, describe, it } from "@effect/vitest"
import { compile } from "../../../stages/5-policy/ipAccessControl.ts"
import { makeExchange, verdict } from "../exchange.ts"

const policy = (more: object) => ({
  _tag: "IpAccessControl" as const,
  allow: [],
  deny: [],
  skipsPrivate: false,
  isWholeChain: false,
  chainLengthMax: 30,
  ...more,
})

const from = (chain: string, ...policies: ReadonlyArray<object>): string =>
  verdict(compile(policies.map(policy)), makeExchange({ headers: { "x-forwarded-for": chain } }))._tag

describe("lists of addresses", () => {
  it("of every level hold together", () => {
    const hops = { trustedHops: 1 }
    const levels = [
      { ...hops, deny: ["203.0.113.128/25"] },
      { ...hops, allow: ["203.0.113.0/24"] },
    ]
    assert.strictEqual(from("203.0.113.1", ...levels), "Pass")
    assert.strictEqual(from("203.0.113.200", ...levels), "AuthorizationFailed")
    assert.strictEqual(from("192.0.2.1", ...levels), "AuthorizationFailed")
  })

  it("let nobody pass when one of them cannot be read", () => {
    assert.notStrictEqual(from("203.0.113.1", { allow: ["nonsense"], trustedHops: 1 }), "Pass")
  })
})
