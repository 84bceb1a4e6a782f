/** What well-known providers publish, in the shape in which they publish it; the keys are made anew for every run. */
import { ec, rsa, type Signer } from "../stages/5-policy/tokens.ts"

export interface Published {
  readonly name: string
  readonly issuer: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly keys: { readonly keys: ReadonlyArray<Readonly<Record<string, unknown>>> }
  /** One of the keys, with what the headers of its tokens say. */
  readonly signer: Signer
  readonly algorithm: string
  readonly header: Readonly<Record<string, unknown>>
  /** Claims beside the usual ones. */
  readonly claims: Readonly<Record<string, unknown>>
}

const thumbprint = "dTdqQmZQbUNzQ0JzQmZQbUNzQ0JzQmZQbUM"
const chain = ["MIIClzCCAX8CBgF2OkNhbTANBgkqhkiG9w0BAQsFADAPMQ0wCwYDVQQDDARkZW1vMB4XDTI2"]

const keycloak = (): Published => {
  const issuer = "https://sso.example.com/realms/demo"
  const at = `${issuer}/protocol/openid-connect`
  const signer = rsa("FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE")
  const forEncryption = rsa("kcEnc")
  return {
    name: "Keycloak",
    issuer,
    metadata: {
      issuer,
      authorization_endpoint: `${at}/auth`,
      token_endpoint: `${at}/token`,
      introspection_endpoint: `${at}/token/introspect`,
      userinfo_endpoint: `${at}/userinfo`,
      end_session_endpoint: `${at}/logout`,
      frontchannel_logout_session_supported: true,
      frontchannel_logout_supported: true,
      jwks_uri: `${at}/certs`,
      check_session_iframe: `${at}/login-status-iframe.html`,
      grant_types_supported: ["authorization_code", "client_credentials", "refresh_token"],
      response_types_supported: ["code", "none", "id_token", "token", "id_token token"],
      subject_types_supported: ["public", "pairwise"],
      id_token_signing_alg_values_supported: ["PS384", "RS384", "EdDSA", "ES384", "HS256", "HS512", "ES256", "RS256"],
      id_token_encryption_alg_values_supported: ["ECDH-ES", "RSA-OAEP", "RSA-OAEP-256", "RSA1_5"],
      acr_values_supported: ["0", "1"],
      response_modes_supported: ["query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"],
      claim_types_supported: ["normal"],
      claims_supported: ["iss", "sub", "aud", "exp", "iat", "auth_time", "name", "preferred_username", "email", "acr"],
      claims_parameter_supported: true,
      request_parameter_supported: true,
      request_uri_parameter_supported: true,
      require_request_uri_registration: true,
      revocation_endpoint: `${at}/revoke`,
      device_authorization_endpoint: `${at}/auth/device`,
      backchannel_authentication_endpoint: `${at}/ext/ciba/auth`,
      pushed_authorization_request_endpoint: `${at}/ext/par/request`,
      require_pushed_authorization_requests: false,
      tls_client_certificate_bound_access_tokens: true,
      registration_endpoint: `${issuer}/clients-registrations/openid-connect`,
      token_endpoint_auth_methods_supported: [
        "private_key_jwt",
        "client_secret_basic",
        "client_secret_post",
        "tls_client_auth",
        "client_secret_jwt",
      ],
      code_challenge_methods_supported: ["plain", "S256"],
      scopes_supported: ["openid", "email", "profile", "offline_access"],
      authorization_response_iss_parameter_supported: true,
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      mtls_endpoint_aliases: { token_endpoint: `${at}/token` },
    },
    keys: {
      keys: [
        {
          ...forEncryption.jwk,
          kid: "kcEnc",
          use: "enc",
          alg: "RSA-OAEP",
          x5c: chain,
          x5t: thumbprint,
          "x5t#S256": thumbprint,
        },
        { ...signer.jwk, alg: "RS256", x5c: chain, x5t: thumbprint, "x5t#S256": thumbprint },
      ],
    },
    signer,
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: {
      azp: "gateway",
      typ: "ID",
      sid: "b2d6",
      acr: "1",
      preferred_username: "ann",
      realm_access: { roles: ["user"] },
    },
  }
}

const auth0 = (): Published => {
  const issuer = "https://tenant.eu.auth0.com/"
  const signer = rsa("NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg")
  return {
    name: "Auth0",
    issuer,
    metadata: {
      issuer,
      authorization_endpoint: `${issuer}authorize`,
      token_endpoint: `${issuer}oauth/token`,
      device_authorization_endpoint: `${issuer}oauth/device/code`,
      userinfo_endpoint: `${issuer}userinfo`,
      mfa_challenge_endpoint: `${issuer}mfa/challenge`,
      jwks_uri: `${issuer}.well-known/jwks.json`,
      registration_endpoint: `${issuer}oidc/register`,
      revocation_endpoint: `${issuer}oauth/revoke`,
      scopes_supported: ["openid", "profile", "offline_access", "name", "email"],
      response_types_supported: ["code", "token", "id_token", "code token", "code id_token"],
      code_challenge_methods_supported: ["S256", "plain"],
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
      id_token_signing_alg_values_supported: ["HS256", "RS256", "PS256"],
      end_session_endpoint: `${issuer}oidc/logout`,
      request_uri_parameter_supported: false,
    },
    keys: { keys: [{ ...signer.jwk, alg: "RS256", x5c: chain, x5t: thumbprint }] },
    signer,
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: { sid: "x", "https://example.com/roles": ["admin"] },
  }
}

const entra = (): Published => {
  const tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
  const host = "https://login.microsoftonline.com"
  const issuer = `${host}/${tenant}/v2.0`
  const signer = rsa("-KI3Q9nNR7bRofxmeZoXqbHZGew")
  const { use: _, ...jwk } = signer.jwk
  return {
    name: "Entra",
    issuer,
    metadata: {
      token_endpoint: `${host}/${tenant}/oauth2/v2.0/token`,
      token_endpoint_auth_methods_supported: [
        "client_secret_post",
        "private_key_jwt",
        "client_secret_basic",
        "self_signed_tls_client_auth",
      ],
      jwks_uri: `${host}/${tenant}/discovery/v2.0/keys`,
      response_modes_supported: ["query", "fragment", "form_post"],
      subject_types_supported: ["pairwise"],
      id_token_signing_alg_values_supported: ["RS256"],
      response_types_supported: ["code", "id_token", "code id_token", "id_token token"],
      scopes_supported: ["openid", "profile", "email", "offline_access"],
      issuer,
      request_uri_parameter_supported: false,
      userinfo_endpoint: "https://graph.microsoft.com/oidc/userinfo",
      authorization_endpoint: `${host}/${tenant}/oauth2/v2.0/authorize`,
      device_authorization_endpoint: `${host}/${tenant}/oauth2/v2.0/devicecode`,
      http_logout_supported: true,
      frontchannel_logout_supported: true,
      end_session_endpoint: `${host}/${tenant}/oauth2/v2.0/logout`,
      claims_supported: ["sub", "iss", "cloud_instance_name", "aud", "exp", "iat", "nonce", "tid", "ver", "email"],
      kerberos_endpoint: `${host}/${tenant}/kerberos`,
      tenant_region_scope: "WW",
      cloud_instance_name: "microsoftonline.com",
      cloud_graph_host_name: "graph.windows.net",
      msgraph_host: "graph.microsoft.com",
      rbac_url: "https://pas.windows.net",
    },
    // No algorithm, and an issuer that is a pattern for all tenants.
    keys: {
      keys: [
        {
          ...jwk,
          use: "sig",
          x5t: signer.kid,
          x5c: chain,
          cloud_instance_name: "microsoftonline.com",
          issuer: `${host}/{tenantid}/v2.0`,
        },
      ],
    },
    signer,
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: { tid: tenant, oid: "0000", ver: "2.0", rh: "0.AX", uti: "a", aio: "b" },
  }
}

const okta = (): Published => {
  const issuer = "https://dev-1234.okta.com/oauth2/default"
  const signer = rsa("XGsMFsC5d8oE4hN5YGZ1g0QfPxY")
  return {
    name: "Okta",
    issuer,
    metadata: {
      issuer,
      authorization_endpoint: `${issuer}/v1/authorize`,
      token_endpoint: `${issuer}/v1/token`,
      userinfo_endpoint: `${issuer}/v1/userinfo`,
      registration_endpoint: "https://dev-1234.okta.com/oauth2/v1/clients",
      jwks_uri: `${issuer}/v1/keys`,
      response_types_supported: ["code", "id_token", "code id_token"],
      grant_types_supported: ["authorization_code", "implicit", "refresh_token", "password"],
      scopes_supported: ["openid", "profile", "email", "address", "phone", "offline_access", "device_sso"],
      token_endpoint_auth_methods_supported: [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "private_key_jwt",
        "none",
      ],
      code_challenge_methods_supported: ["S256"],
      end_session_endpoint: `${issuer}/v1/logout`,
      dpop_signing_alg_values_supported: ["RS256", "ES256"],
    },
    keys: { keys: [{ ...signer.jwk, alg: "RS256" }] },
    signer,
    algorithm: "RS256",
    header: {},
    claims: { ver: 1, jti: "ID.x", amr: ["pwd"], idp: "00o", auth_time: 1 },
  }
}

const cognito = (): Published => {
  const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"
  const domain = "https://demo.auth.eu-west-1.amazoncognito.com"
  const signer = rsa("abcdefghijklmnopqrsexample=")
  const other = rsa("fgjhlkhjlkhjlkhjlkexample=")
  return {
    name: "Cognito",
    issuer,
    metadata: {
      authorization_endpoint: `${domain}/oauth2/authorize`,
      end_session_endpoint: `${domain}/logout`,
      id_token_signing_alg_values_supported: ["RS256"],
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ["code", "token"],
      revocation_endpoint: `${domain}/oauth2/revoke`,
      scopes_supported: ["openid", "email", "phone", "profile"],
      subject_types_supported: ["public"],
      token_endpoint: `${domain}/oauth2/token`,
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
      userinfo_endpoint: `${domain}/oauth2/userInfo`,
    },
    keys: {
      keys: [
        { ...other.jwk, alg: "RS256" },
        { ...signer.jwk, alg: "RS256" },
      ],
    },
    signer,
    algorithm: "RS256",
    header: {},
    claims: { token_use: "id", "cognito:username": "ann", event_id: "e", origin_jti: "o" },
  }
}

/** Beside its good key one publishes what nobody here can use. */
const mixed = (): Published => {
  const base = okta()
  const signer = ec("es-1")
  return {
    ...base,
    name: "a mixed set",
    keys: {
      keys: [
        { kty: "oct", kid: "secret", k: "AAAA", use: "sig" },
        { kty: "EC", crv: "secp256k1", kid: "k1", x: "AAAA", y: "AAAA" },
        { kty: "AKP", alg: "ML-DSA-65", kid: "pq", pub: "AAAA" },
        { ...signer.jwk, alg: "ES256" },
      ],
    },
    signer,
    algorithm: "ES256",
  }
}

export const published = (): ReadonlyArray<Published> => [keycloak(), auth0(), entra(), okta(), cognito(), mixed()]
