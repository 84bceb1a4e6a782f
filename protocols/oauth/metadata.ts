/** What an authorization server says of itself (RFC 8414, OpenID Connect Discovery), as far as a client needs it. */
import { objectIn } from "../json/object.ts"

export interface ServerMetadata {
  readonly issuer: string
  readonly authorizationEndpoint: string | undefined
  readonly tokenEndpoint: string | undefined
  readonly jwksUri: string | undefined
  readonly endSessionEndpoint: string | undefined
  readonly registrationEndpoint: string | undefined
  readonly revocationEndpoint: string | undefined
  /** Empty: it does not say. */
  readonly tokenEndpointAuthMethods: ReadonlyArray<string>
  readonly codeChallengeMethods: ReadonlyArray<string>
  readonly scopes: ReadonlyArray<string>
  /** Empty: it does not say. */
  readonly grantTypes: ReadonlyArray<string>
  /** RFC 9207: answers of its authorization endpoint name it. */
  readonly namesItself: boolean
  /** A client may be named by the URL of a document about it. */
  readonly takesClientDocuments: boolean
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

const textsOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []

/** An endpoint that can be asked; one that came by TLS does not send its clients to plaintext. */
const isEndpoint = (text: string, issuer: string): boolean => {
  const url = URL.parse(text)
  if (url === null || url.hash !== "" || url.username !== "" || url.password !== "") return false
  return url.protocol === "https:" || (url.protocol === "http:" && !issuer.startsWith("https:"))
}

/** A text says why it is no such document. */
export const parse = (text: string, issuer: string): ServerMetadata | string => {
  const fields = objectIn(text)
  if (typeof fields === "string") return fields
  if (fields["issuer"] !== issuer) return `its issuer is not ${JSON.stringify(issuer)}`
  const endpoints: Record<string, string | undefined> = {}
  for (const name of [
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "end_session_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
  ]) {
    const found = textOf(fields[name])
    if (found !== undefined && !isEndpoint(found, issuer)) return `its ${name} is not an address that can be asked`
    endpoints[name] = found
  }
  return {
    issuer,
    authorizationEndpoint: endpoints["authorization_endpoint"],
    tokenEndpoint: endpoints["token_endpoint"],
    jwksUri: endpoints["jwks_uri"],
    endSessionEndpoint: endpoints["end_session_endpoint"],
    registrationEndpoint: endpoints["registration_endpoint"],
    revocationEndpoint: endpoints["revocation_endpoint"],
    tokenEndpointAuthMethods: textsOf(fields["token_endpoint_auth_methods_supported"]),
    codeChallengeMethods: textsOf(fields["code_challenge_methods_supported"]),
    scopes: textsOf(fields["scopes_supported"]),
    grantTypes: textsOf(fields["grant_types_supported"]),
    namesItself: fields["authorization_response_iss_parameter_supported"] === true,
    takesClientDocuments: fields["client_id_metadata_document_supported"] === true,
  }
}

const trimmed = (issuer: string): string => issuer.replace(/\/$/, "")

/** Where OpenID Connect looks for the document of an issuer. */
export const discoveryUrl = (issuer: string): string => `${trimmed(issuer)}/.well-known/openid-configuration`

/** Where RFC 8414 looks for it: between host and path. */
export const serverMetadataUrl = (issuer: string): string => {
  const url = URL.parse(issuer)
  if (url === null) return issuer
  return `${url.origin}/.well-known/oauth-authorization-server${trimmed(url.pathname)}`
}

/** Everywhere it may be, in the order in which it is looked for. */
export const serverMetadataUrls = (issuer: string): ReadonlyArray<string> => {
  const url = URL.parse(issuer)
  if (url === null) return []
  const path = trimmed(url.pathname)
  const inserted = `${url.origin}/.well-known/openid-configuration${path}`
  return path === ""
    ? [serverMetadataUrl(issuer), inserted]
    : [serverMetadataUrl(issuer), inserted, discoveryUrl(issuer)]
}
