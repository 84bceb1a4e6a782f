/** The stand-in in front of what the well-known authorization servers really say of themselves, read by a strict client. */
import { OAuthMetadataSchema, OpenIdProviderDiscoveryMetadataSchema } from "@modelcontextprotocol/sdk/shared/auth.js"
import { describe, expect, it } from "vitest"
import { parse } from "../../../protocols/oauth/metadata.ts"
import { adapt, keysUrl, type Vendor } from "../../../protocols/oauth/vendors.ts"

type Json = Record<string, unknown>

/** As they are served, shortened by what no client of ours reads. */
const published: Readonly<Record<Vendor, Json>> = {
  keycloak: {
    issuer: "https://sso.example.com/realms/agents",
    authorization_endpoint: "https://sso.example.com/realms/agents/protocol/openid-connect/auth",
    token_endpoint: "https://sso.example.com/realms/agents/protocol/openid-connect/token",
    introspection_endpoint: "https://sso.example.com/realms/agents/protocol/openid-connect/token/introspect",
    userinfo_endpoint: "https://sso.example.com/realms/agents/protocol/openid-connect/userinfo",
    end_session_endpoint: "https://sso.example.com/realms/agents/protocol/openid-connect/logout",
    frontchannel_logout_session_supported: true,
    jwks_uri: "https://sso.example.com/realms/agents/protocol/openid-connect/certs",
    registration_endpoint: "https://sso.example.com/realms/agents/clients-registrations/openid-connect",
    revocation_endpoint: "https://sso.example.com/realms/agents/protocol/openid-connect/revoke",
    grant_types_supported: ["authorization_code", "client_credentials", "implicit", "password", "refresh_token"],
    response_types_supported: ["code", "none", "id_token", "token", "id_token token", "code id_token"],
    subject_types_supported: ["public", "pairwise"],
    id_token_signing_alg_values_supported: ["PS384", "RS384", "EdDSA", "ES384", "HS256", "RS256"],
    token_endpoint_auth_methods_supported: [
      "private_key_jwt",
      "client_secret_basic",
      "client_secret_post",
      "tls_client_auth",
    ],
    scopes_supported: ["openid", "acr", "profile", "offline_access", "roles", "email"],
    code_challenge_methods_supported: ["plain", "S256"],
    authorization_response_iss_parameter_supported: true,
    mtls_endpoint_aliases: { token_endpoint: "https://sso.example.com/realms/agents/protocol/openid-connect/token" },
  },
  auth0: {
    issuer: "https://tenant.eu.auth0.com/",
    authorization_endpoint: "https://tenant.eu.auth0.com/authorize",
    token_endpoint: "https://tenant.eu.auth0.com/oauth/token",
    device_authorization_endpoint: "https://tenant.eu.auth0.com/oauth/device/code",
    userinfo_endpoint: "https://tenant.eu.auth0.com/userinfo",
    mfa_challenge_endpoint: "https://tenant.eu.auth0.com/mfa/challenge",
    jwks_uri: "https://tenant.eu.auth0.com/.well-known/jwks.json",
    registration_endpoint: "https://tenant.eu.auth0.com/oidc/register",
    revocation_endpoint: "https://tenant.eu.auth0.com/oauth/revoke",
    scopes_supported: ["openid", "profile", "offline_access", "name", "email"],
    response_types_supported: ["code", "token", "id_token", "code token", "code id_token"],
    code_challenge_methods_supported: ["S256", "plain"],
    response_modes_supported: ["query", "fragment", "form_post"],
    subject_types_supported: ["public"],
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
    id_token_signing_alg_values_supported: ["HS256", "RS256", "PS256"],
    request_uri_parameter_supported: false,
  },
  okta: {
    issuer: "https://dev-1.okta.com/oauth2/default",
    authorization_endpoint: "https://dev-1.okta.com/oauth2/default/v1/authorize",
    token_endpoint: "https://dev-1.okta.com/oauth2/default/v1/token",
    userinfo_endpoint: "https://dev-1.okta.com/oauth2/default/v1/userinfo",
    registration_endpoint: "https://dev-1.okta.com/oauth2/v1/clients",
    jwks_uri: "https://dev-1.okta.com/oauth2/default/v1/keys",
    revocation_endpoint: "https://dev-1.okta.com/oauth2/default/v1/revoke",
    response_types_supported: ["code", "id_token", "code id_token", "code token", "id_token token"],
    grant_types_supported: ["authorization_code", "implicit", "refresh_token", "password", "client_credentials"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    scopes_supported: ["openid", "profile", "email", "address", "phone", "offline_access", "device_sso"],
    token_endpoint_auth_methods_supported: [
      "client_secret_basic",
      "client_secret_post",
      "client_secret_jwt",
      "private_key_jwt",
      "none",
    ],
    code_challenge_methods_supported: ["S256"],
    request_parameter_supported: true,
  },
  entra: {
    token_endpoint: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token",
    token_endpoint_auth_methods_supported: ["client_secret_post", "private_key_jwt", "client_secret_basic"],
    jwks_uri: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/discovery/v2.0/keys",
    response_modes_supported: ["query", "fragment", "form_post"],
    subject_types_supported: ["pairwise"],
    id_token_signing_alg_values_supported: ["RS256"],
    response_types_supported: ["code", "id_token", "code id_token", "id_token token"],
    scopes_supported: ["openid", "profile", "email", "offline_access"],
    issuer: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
    request_uri_parameter_supported: false,
    userinfo_endpoint: "https://graph.microsoft.com/oidc/userinfo",
    authorization_endpoint:
      "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/authorize",
    http_logout_supported: true,
    tenant_region_scope: "EU",
    cloud_instance_name: "microsoftonline.com",
  },
  descope: {
    issuer: "https://api.descope.com/v1/apps/agentic/P2abc/MS3def",
    jwks_uri: "https://api.descope.com/P2abc/.well-known/jwks.json",
    authorization_endpoint: "https://api.descope.com/oauth2/v1/apps/agentic/P2abc/MS3def/authorize",
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    code_challenge_methods_supported: ["S256"],
    token_endpoint: "https://api.descope.com/oauth2/v1/apps/agentic/P2abc/MS3def/token",
    scopes_supported: ["openid", "profile", "email"],
    revocation_endpoint: "https://api.descope.com/oauth2/v1/apps/agentic/P2abc/MS3def/revoke",
    registration_endpoint: "https://api.descope.com/v1/mgmt/mcp/client/P2abc/MS3def/register",
    grant_types_supported: ["authorization_code", "refresh_token"],
    token_endpoint_auth_methods_supported: ["client_secret_post", "none"],
  },
  authentik: {
    issuer: "https://id.example.com/application/o/agents/",
    authorization_endpoint: "https://id.example.com/application/o/authorize/",
    token_endpoint: "https://id.example.com/application/o/token/",
    userinfo_endpoint: "https://id.example.com/application/o/userinfo/",
    end_session_endpoint: "https://id.example.com/application/o/agents/end-session/",
    introspection_endpoint: "https://id.example.com/application/o/introspect/",
    revocation_endpoint: "https://id.example.com/application/o/revoke/",
    device_authorization_endpoint: "https://id.example.com/application/o/device/",
    jwks_uri: "https://id.example.com/application/o/agents/jwks/",
    response_types_supported: ["code", "id_token", "id_token token", "code token"],
    response_modes_supported: ["query", "fragment", "form_post"],
    grant_types_supported: ["authorization_code", "refresh_token", "implicit", "client_credentials"],
    id_token_signing_alg_values_supported: ["RS256"],
    subject_types_supported: ["public"],
    token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic"],
    scopes_supported: ["openid", "email", "profile"],
    code_challenge_methods_supported: ["plain", "S256"],
    request_parameter_supported: false,
  },
}

const here = "https://tools.example.com/.well-known/oauth-authorization-server/mcp"
const issuer = "https://tools.example.com/mcp"

describe.each(Object.entries(published) as ReadonlyArray<readonly [Vendor, Json]>)("%s", (vendor, document) => {
  const adapted = adapt(document, vendor, {
    here,
    issuer,
    audience: "https://tools.example.com/mcp",
    relays: vendor === "entra",
  })
  if (typeof adapted === "string") throw new Error(adapted)

  it("is read by clients as the gateway, with everything they need to get a token", () => {
    const found = parse(JSON.stringify(adapted), issuer)
    if (typeof found === "string") throw new Error(found)
    expect(found.authorizationEndpoint).toBeDefined()
    expect(found.tokenEndpoint).toBeDefined()
    expect(found.registrationEndpoint).toBeDefined()
    expect(found.codeChallengeMethods).toContain("S256")
    // Its answers name another one than the gateway.
    expect(found.namesItself).toBe(false)
    expect(OAuthMetadataSchema.safeParse(adapted).success).toBe(true)
    expect(OpenIdProviderDiscoveryMetadataSchema.safeParse(adapted).success).toBe(true)
  })

  it("keeps everything else as it is", () => {
    const ours = new Set([
      "issuer",
      "authorization_endpoint",
      "token_endpoint",
      "registration_endpoint",
      "authorization_response_iss_parameter_supported",
    ])
    for (const [name, value] of Object.entries(document))
      if (!ours.has(name)) expect(adapted[name], name).toEqual(value)
  })

  it("has its keys where they are looked for", () => {
    expect(keysUrl(document["issuer"] as string, vendor)).toBe(document["jwks_uri"])
  })
})
