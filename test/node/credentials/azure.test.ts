/** Microsoft's library behind the port, with servers of our own in place of Microsoft's. */
import * as Redacted from "effect/Redacted"
import { afterEach, describe, expect, it } from "vitest"
import { make } from "../../../src/node/credentials/azure.ts"
import { localServer, withEnvironment } from "./local.ts"

const cleanup: Array<() => unknown> = []
afterEach(async () => {
  for (const one of cleanup.splice(0).toReversed()) await one()
})
const scope = "https://cognitiveservices.azure.com/.default"

describe("a token of Azure", () => {
  it("comes for the managed identity of a machine's service, the one that is named", async () => {
    const server = await localServer(({ headers, url }) => {
      const asked = new URL(url, "http://x").searchParams
      if (headers["x-identity-header"] !== "secret") return { status: 401, body: {} }
      return {
        body: {
          access_token: `az-${asked.get("client_id") ?? "system"}`,
          expires_on: String(Math.floor(Date.now() / 1000) + 3600),
          resource: asked.get("resource"),
          token_type: "Bearer",
        },
      }
    })
    cleanup.push(server.close)
    cleanup.push(withEnvironment({ IDENTITY_ENDPOINT: `${server.url}/msi/token`, IDENTITY_HEADER: "secret" }))
    const azure = make()
    const token = await azure({ _tag: "ManagedIdentity" }, scope)
    expect(Redacted.value(token.value)).toBe("az-system")
    expect(token.expiresMillis).toBeGreaterThan(Date.now() + 3_000_000)
    const named = await azure({ _tag: "ManagedIdentity", userAssigned: { by: "clientId", id: "abc" } }, scope)
    expect(Redacted.value(named.value)).toBe("az-abc")
    expect(new URL(server.requests[0]?.url ?? "", "http://x").searchParams.get("resource")).toBe(
      "https://cognitiveservices.azure.com",
    )
  })

  it("that nobody gives is an error in words", async () => {
    const server = await localServer(() => ({ status: 400, body: { error: "invalid_request" } }))
    cleanup.push(server.close)
    cleanup.push(withEnvironment({ IDENTITY_ENDPOINT: `${server.url}/msi/token`, IDENTITY_HEADER: "secret" }))
    // The library remembers tokens by the identity, so this is one that nobody has asked for yet.
    const unknown = { _tag: "ManagedIdentity", userAssigned: { by: "clientId", id: "nobody" } } as const
    await expect(make()(unknown, scope)).rejects.toThrow(/ManagedIdentity/)
    // The library asks again for some seconds before it believes a refusal.
  }, 60_000)

  it("of a workload needs its file", async () => {
    cleanup.push(withEnvironment({}))
    await expect(make()({ _tag: "WorkloadIdentity" }, scope)).rejects.toThrow(/[Ww]orkload/)
  })
})
