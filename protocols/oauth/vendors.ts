/**
 * Authorization servers as MCP clients meet them through a gateway: where each well-known product keeps what the
 * standards put elsewhere, and what of its metadata has to be changed.
 */
import { discoveryUrl, serverMetadataUrl } from "./metadata.ts"

export type Vendor = "auth0" | "keycloak" | "okta" | "descope" | "authentik" | "entra"

const trimmed = (text: string): string => text.replace(/\/+$/, "")
const originOf = (issuer: string): string => URL.parse(issuer)?.origin ?? ""
const segments = (issuer: string): ReadonlyArray<string> =>
  (URL.parse(issuer)?.pathname ?? "").split("/").filter((part) => part !== "")

interface Entra {
  readonly host: string
  readonly tenant: string
}

/** Tokens of version 1 name another issuer than those of version 2. */
const entraOf = (issuer: string): Entra => {
  const origin = originOf(issuer)
  const host = origin === "https://sts.windows.net" ? "https://login.microsoftonline.com" : origin
  return { host, tenant: segments(issuer)[0] ?? "common" }
}

interface Agentic {
  readonly project: string
  readonly server: string
}

/** `…/agentic/<project>/<server>` */
const agenticOf = (issuer: string): Agentic | undefined => {
  const parts = segments(issuer)
  const at = parts.indexOf("agentic")
  const [project, server] = at < 0 ? [] : parts.slice(at + 1)
  return project === undefined || server === undefined ? undefined : { project, server }
}

export const keysUrl = (issuer: string, vendor: Vendor | undefined): string => {
  switch (vendor) {
    case "keycloak":
      return `${trimmed(issuer)}/protocol/openid-connect/certs`
    case "authentik":
      return `${trimmed(issuer)}/jwks/`
    case "entra": {
      const { host, tenant } = entraOf(issuer)
      return `${host}/${tenant}/discovery/v2.0/keys`
    }
    case "descope": {
      const agentic = agenticOf(issuer)
      return agentic === undefined
        ? `${trimmed(issuer)}/.well-known/jwks.json`
        : `${originOf(issuer)}/${agentic.project}/.well-known/jwks.json`
    }
    case "okta":
      return segments(issuer).length === 0 ? `${trimmed(issuer)}/oauth2/v1/keys` : `${trimmed(issuer)}/v1/keys`
    case "auth0":
    case undefined:
      return `${trimmed(issuer)}/.well-known/jwks.json`
  }
}

export const metadataUrl = (issuer: string, vendor: Vendor | undefined): string => {
  switch (vendor) {
    case undefined:
    case "auth0":
      return serverMetadataUrl(issuer)
    case "entra": {
      const { host, tenant } = entraOf(issuer)
      return `${host}/${tenant}/v2.0/.well-known/openid-configuration`
    }
    default:
      return discoveryUrl(issuer)
  }
}

/** Where clients are registered; undefined where nobody can be. */
export const registrationUrl = (issuer: string, vendor: Vendor | undefined): string | undefined => {
  switch (vendor) {
    case undefined:
    case "keycloak":
      return `${trimmed(issuer)}/clients-registrations/openid-connect`
    case "okta":
      return `${originOf(issuer)}/oauth2/v1/clients`
    case "descope": {
      const agentic = agenticOf(issuer)
      return agentic === undefined
        ? undefined
        : `${originOf(issuer)}/v1/mgmt/mcp/client/${agentic.project}/${agentic.server}/register`
    }
    default:
      return undefined
  }
}

/** Those whose logins can pass through the gateway. */
export type Relayable = Extract<Vendor, "entra" | "keycloak">

/** Where what passes through the gateway goes on to. */
export const endpointOf = (issuer: string, vendor: Relayable, name: "authorize" | "token"): string => {
  if (vendor === "keycloak") {
    return `${trimmed(issuer)}/protocol/openid-connect/${name === "authorize" ? "auth" : "token"}`
  }
  const { host, tenant } = entraOf(issuer)
  return `${host}/${tenant}/oauth2/v2.0/${name}`
}

export type Metadata = Readonly<Record<string, unknown>>

export interface Facade {
  /** The URL under which clients find this metadata, and the issuer that they find it for. */
  readonly here: string
  readonly issuer: string
  readonly audience: string | undefined
  /** Whether clients log in through the gateway, with the client that it has there. */
  readonly relays: boolean
}

const withAudience = (endpoint: unknown, audience: string | undefined): unknown => {
  if (typeof endpoint !== "string" || audience === undefined) return endpoint
  const url = URL.parse(endpoint)
  if (url === null) return endpoint
  url.searchParams.set("audience", audience)
  return url.href
}

/** A text says why the server cannot be stood in for. */
export const adapt = (
  metadata: Metadata,
  vendor: Vendor | undefined,
  { audience, here, issuer, relays }: Facade,
): Metadata | string => {
  if (vendor === undefined) return metadata
  const registration = `${here}/client-registration`
  // What names the server's own issuer would contradict the one that it has here.
  const common = { ...metadata, issuer, authorization_response_iss_parameter_supported: false }
  switch (vendor) {
    case "auth0":
      return { ...common, authorization_endpoint: withAudience(metadata["authorization_endpoint"], audience) }
    case "okta":
      return {
        ...common,
        authorization_endpoint: withAudience(metadata["authorization_endpoint"], audience),
        registration_endpoint: registration,
      }
    case "keycloak":
      if (relays) {
        return {
          ...common,
          authorization_endpoint: `${here}/authorize`,
          token_endpoint: `${here}/token`,
          registration_endpoint: registration,
        }
      }
      return metadata["registration_endpoint"] === undefined
        ? "the server does not register clients"
        : { ...common, registration_endpoint: registration }
    case "descope":
    case "authentik":
      return { ...common, registration_endpoint: registration }
    case "entra":
      return {
        ...common,
        authorization_endpoint: `${here}/authorize`,
        token_endpoint: `${here}/token`,
        registration_endpoint: registration,
        code_challenge_methods_supported: metadata["code_challenge_methods_supported"] ?? ["S256"],
      }
  }
}

/** `resourceName` is `resource_name` in the documents. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What a token was granted; some say it as a list, and some under another name. */
export const scopesIn = (claims: Readonly<Record<string, unknown>>): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const name of ["scope", "scp"]) {
    const value = claims[name]
    const list = typeof value === "string" ? value.split(" ") : Array.isArray(value) ? value : []
    for (const one of list) if (typeof one === "string" && one !== "") found.add(one)
  }
  return found
}
