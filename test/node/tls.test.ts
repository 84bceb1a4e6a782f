import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { makeContexts } from "../../src/node/tls.ts"
import { pem, serverTls } from "../e2e/harness.ts"

const own = { rootsPem: pem("ca.pem"), required: true }

describe("contexts of certificates", () => {
  it("are the same for equal settings, and others for others", () => {
    const contextOf = makeContexts()
    const made = (...args: Parameters<typeof serverTls>) => Effect.runSync(contextOf(serverTls(...args)))
    const first = made("server")
    expect(made("server")).toBe(first)
    expect(made("wildcard")).not.toBe(first)
    expect(made("server", { clientCertificates: own })).not.toBe(first)
    expect(made("server", { minVersion: "TLSv1.3" })).not.toBe(first)
    expect(made("server", { cipherSuites: ["TLS_AES_128_GCM_SHA256"] })).not.toBe(first)
  })

  it("never show the key", () => {
    const context = Effect.runSync(makeContexts()(serverTls("server")))
    expect(JSON.stringify(context.source)).not.toContain("PRIVATE KEY")
  })

  const server = { certificatePem: pem("server.pem"), keyPem: Redacted.make(pem("server.key")) }
  it.each([
    [
      "the key of another certificate",
      { identity: { ...server, keyPem: Redacted.make(pem("wildcard.key")) } },
      "the private key does not belong to the certificate",
    ],
    ["no key", { identity: { ...server, keyPem: Redacted.make("") } }, /^the private key cannot be read/],
    ["no certificate", { identity: { ...server, certificatePem: "x" } }, /^the certificate cannot be read/],
    [
      "authorities that are none",
      { clientCertificates: { rootsPem: "x", required: true } },
      "there is no certificate among the client authorities",
    ],
    ["suites nobody knows", { cipherSuites: ["TLS_NOTHING"] }, /^unusable TLS settings/],
    ["groups nobody knows", { keyExchangeGroups: ["P-0"] }, /^unusable TLS settings/],
    ["leaves to be minted", { mintsLeaves: true }, /not built/],
  ])("cannot be made from %s, and say so", (_what, more, message) => {
    const failure = Effect.runSync(Effect.flip(makeContexts()(serverTls("server", more))))
    expect(failure._tag).toBe("TlsContextInvalid")
    expect(failure.message).toMatch(message)
    expect(failure.message).not.toContain("PRIVATE KEY")
  })
})
