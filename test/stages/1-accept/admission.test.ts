import { assert, describe, it } from "@effect/vitest"
import { compile } from "../../../stages/1-accept/admission.ts"
import { cel, computing } from "../5-policy/computing.ts"
import { makeExchange } from "../exchange.ts"

const admission = (...rules: ReadonlyArray<string>) =>
  compile(
    [{ _tag: "NetworkAuthorization", rules: rules.map((one) => ({ effect: "allow" as const, expression: cel(one) })) }],
    computing(),
    () => undefined,
  )

const { secured } = makeExchange().bound

describe("admission", () => {
  it("of everybody needs no judge", () => {
    assert.isUndefined(compile(undefined, computing(), () => undefined))
    assert.isUndefined(admission())
  })

  it("by address is judged before a handshake", () => {
    assert.isTrue(admission('source.address == "127.0.0.1"')?.early(secured.accepted))
    assert.isFalse(admission('cidr("10.0.0.0/8").containsIP(source.address)')?.early(secured.accepted))
  })

  it("by identity waits for the handshake, and is refused where there is none", () => {
    const judge = admission('source.subjectCn == "ann"')
    assert.isUndefined(judge?.early(secured.accepted))
    assert.isFalse(judge?.final(secured))
  })

  it("by either is decided early where the address is enough", () => {
    const judge = admission('source.address == "127.0.0.1" || source.subjectCn == "ann"')
    assert.isTrue(judge?.early(secured.accepted))
    assert.isTrue(judge?.final(secured))
  })

  it("that asked for an identity in vain is not decided early", () => {
    assert.isUndefined(admission('source.subjectCn == "ann"', 'source.address == "127.0.0.1"')?.early(secured.accepted))
  })
})
