import { hash } from "node:crypto"
import { describe, expect, it } from "vitest"
import type { Exchange } from "../../../../stages/Exchange.ts"
import type { Identity } from "../../../../stages/Identity.ts"
import type { ClientIdentity } from "../../../../stages/ports/Network.ts"
import { principalOf } from "../../../../stages/6-dispatch/mcp/callers.ts"

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
