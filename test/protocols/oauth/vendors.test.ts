import { assert, describe, it } from "@effect/vitest"
import {
  adapt,
  keysUrl,
  metadataUrl,
  registrationUrl,
  scopesIn,
  type Vendor,
} from "../../../protocols/oauth/vendors.ts"

describe("where vendors keep things", () => {
  it.each([
    [
      undefined,
      "https://a.example/t",
      "https://a.example/t/.well-known/jwks.json",
      "https://a.example/.well-known/oauth-authorization-server/t",
      "https://a.example/t/clients-registrations/openid-connect",
    ],
    [
      "auth0",
      "https://t.auth0.com/",
      "https://t.auth0.com/.well-known/jwks.json",
      "https://t.auth0.com/.well-known/oauth-authorization-server",
      undefined,
    ],
    [
      "okta",
      "https://d.okta.com/oauth2/default",
      "https://d.okta.com/oauth2/default/v1/keys",
      "https://d.okta.com/oauth2/default/.well-known/openid-configuration",
      "https://d.okta.com/oauth2/v1/clients",
    ],
    [
      "keycloak",
      "https://k.example/realms/r",
      "https://k.example/realms/r/protocol/openid-connect/certs",
      "https://k.example/realms/r/.well-known/openid-configuration",
      "https://k.example/realms/r/clients-registrations/openid-connect",
    ],
    [
      "authentik",
      "https://a.example/application/o/app/",
      "https://a.example/application/o/app/jwks/",
      "https://a.example/application/o/app/.well-known/openid-configuration",
      undefined,
    ],
    [
      "descope",
      "https://api.descope.com/v1/apps/agentic/P1/S1",
      "https://api.descope.com/P1/.well-known/jwks.json",
      "https://api.descope.com/v1/apps/agentic/P1/S1/.well-known/openid-configuration",
      "https://api.descope.com/v1/mgmt/mcp/client/P1/S1/register",
    ],
    [
      "entra",
      "https://login.microsoftonline.com/T/v2.0",
      "https://login.microsoftonline.com/T/discovery/v2.0/keys",
      "https://login.microsoftonline.com/T/v2.0/.well-known/openid-configuration",
      undefined,
    ],
    [
      "entra",
      "https://sts.windows.net/T/",
      "https://login.microsoftonline.com/T/discovery/v2.0/keys",
      "https://login.microsoftonline.com/T/v2.0/.well-known/openid-configuration",
      undefined,
    ],
  ] satisfies ReadonlyArray<readonly [Vendor | undefined, string, string, string, string | undefined]>)(
    "%s %s",
    (vendor, issuer, keys, metadata, registration) => {
      assert.strictEqual(keysUrl(issuer, vendor), keys)
      assert.strictEqual(metadataUrl(issuer, vendor), metadata)
      assert.strictEqual(registrationUrl(issuer, vendor), registration)
    },
  )
})

describe("metadata in the gateway's name", () => {
  const here = "https://gw.example/.well-known/oauth-authorization-server/mcp"
  const facade = { here, issuer: "https://gw.example/mcp", audience: "api", relays: false }
  const of = (vendor: Vendor | undefined, more: Record<string, unknown> = {}) =>
    adapt(
      {
        issuer: "https://as.example",
        authorization_endpoint: "https://as.example/a?x=1",
        token_endpoint: "https://as.example/t",
        unknown: { kept: 1 },
        authorization_response_iss_parameter_supported: true,
        ...more,
      },
      vendor,
      facade,
    )

  it("of Keycloak leads through the gateway where that has a client of its own", () => {
    const metadata = { authorization_endpoint: "https://as.example/a", token_endpoint: "https://as.example/t" }
    assert.strictEqual(adapt(metadata, "keycloak", facade), "the server does not register clients")
    assert.deepInclude(adapt(metadata, "keycloak", { ...facade, relays: true }), {
      authorization_endpoint: `${here}/authorize`,
      token_endpoint: `${here}/token`,
      registration_endpoint: `${here}/client-registration`,
    })
  })

  it("is untouched without a vendor", () => assert.propertyVal(of(undefined), "issuer", "https://as.example"))
  it("keeps what nobody knows, and names the gateway", () => {
    for (const vendor of ["auth0", "okta", "descope", "authentik", "entra"] as const) {
      assert.deepInclude(of(vendor), {
        issuer: "https://gw.example/mcp",
        unknown: { kept: 1 },
        authorization_response_iss_parameter_supported: false,
      })
    }
  })
  it("asks for the audience where scopes alone do not say it", () => {
    for (const vendor of ["auth0", "okta"] as const)
      assert.propertyVal(of(vendor), "authorization_endpoint", "https://as.example/a?x=1&audience=api")
  })
  it("has clients registered here", () => {
    for (const vendor of ["okta", "descope", "authentik", "entra"] as const)
      assert.propertyVal(of(vendor), "registration_endpoint", `${here}/client-registration`)
    assert.isString(of("keycloak"))
    assert.propertyVal(
      of("keycloak", { registration_endpoint: "https://as.example/r" }),
      "registration_endpoint",
      `${here}/client-registration`,
    )
  })
  it("of Entra leads here with everything", () => {
    assert.deepInclude(of("entra"), {
      authorization_endpoint: `${here}/authorize`,
      token_endpoint: `${here}/token`,
      code_challenge_methods_supported: ["S256"],
    })
    assert.deepInclude(of("entra", { code_challenge_methods_supported: ["plain", "S256"] }), {
      code_challenge_methods_supported: ["plain", "S256"],
    })
  })
})

it("scopes are found however they are written", () => {
  assert.deepStrictEqual([...scopesIn({ scope: "a b", scp: ["c", 1, ""] })], ["a", "b", "c"])
  assert.deepStrictEqual([...scopesIn({ scp: "a  b" })], ["a", "b"])
  assert.deepStrictEqual([...scopesIn({ scope: { a: 1 } })], [])
})
