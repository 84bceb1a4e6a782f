import { hash } from "node:crypto"
import { describe, expect, it } from "vitest"
import type { Exchange } from "../../../../stages/Exchange.ts"
import type { Claims, Identity } from "../../../../stages/Identity.ts"
import type { ClientIdentity } from "../../../../stages/ports/Network.ts"
import { areSame, covers, powersOf, principalOf } from "../../../../stages/6-dispatch/mcp/callers.ts"

const sealer = { digest: (text: string) => hash("sha256", text) }

const certificate = (subject: string, issuer = "CN=ca"): ClientIdentity => ({
  subject,
  subjectCn: subject,
  issuer,
  subjectAltNames: [],
  certificatePem: `of the day of ${Math.ceil(performance.now())}`,
})

const by = (identity: Identity | undefined, client: ClientIdentity | undefined): string =>
  principalOf({ identity, bound: { secured: { tls: { client } } } } as Pick<Exchange, "bound" | "identity">, sealer)

const ann: Identity = { jwt: { iss: "https://id.test", sub: "ann" } }
const bob: Identity = { jwt: { iss: "https://id.test", sub: "bob" } }

describe("who a request comes from", () => {
  it("is told apart by token, by certificate, and by both together", () => {
    const all = [
      by(undefined, undefined),
      by(ann, undefined),
      by(bob, undefined),
      by(undefined, certificate("CN=ann")),
      by(undefined, certificate("CN=bob")),
      by(undefined, certificate("CN=ann", "CN=other")),
      by(ann, certificate("CN=ann")),
      by(ann, certificate("CN=bob")),
      by(bob, certificate("CN=ann")),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  it("is the same with a new token, a new certificate, or another connection", () => {
    expect(by({ jwt: { ...ann.jwt, exp: 1 } }, undefined)).toBe(by(ann, undefined))
    expect(by(undefined, certificate("CN=ann"))).toBe(by(undefined, certificate("CN=ann")))
    expect(by(undefined, undefined)).toBe("anonymous")
  })
})

describe("what a token is good for", () => {
  const of = (claims: Claims) => powersOf({ identity: { jwt: { ...ann.jwt, ...claims } } })
  const plain = of({ scope: "read write", jti: "1" })

  it("is the same after it was renewed", () => {
    const renewed = of({ scope: "read write", jti: "2", exp: 9 })
    expect([areSame(plain, renewed), renewed.shown === plain.shown]).toEqual([true, true])
  })

  it("is told apart by any claim for streams, by scopes for lists, and by missing scopes for tasks", () => {
    const promoted = of({ scope: "write read", groups: ["admins"] })
    expect([areSame(plain, promoted), promoted.shown === plain.shown, covers(promoted, plain.scopes)]).toEqual([
      false,
      true,
      true,
    ])
    const more = of({ scope: "read write delete" })
    expect([areSame(plain, more), more.shown === plain.shown]).toEqual([false, false])
    expect([covers(more, plain.scopes), covers(plain, more.scopes)]).toEqual([true, false])
  })

  it("is not shared with others by a token that is no person's", () => {
    const [one, other] = ["1", "2"].map((jti) => powersOf({ identity: { jwt: { client_id: "robot", jti } } }).shown)
    expect(one).not.toBe(other)
  })
})
