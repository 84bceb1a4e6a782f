/** Sending a person to an authorization server, and what comes back (OAuth 2.1 §4.1, RFC 8707, RFC 9207). */
import type { ServerMetadata } from "./metadata.ts"

export interface Authorization {
  readonly clientId: string
  readonly redirectUri: string
  readonly state: string
  /** S256 of the verifier. */
  readonly challenge: string
  readonly scopes: ReadonlyArray<string>
  /** Absent: the server takes no resource indicators. */
  readonly resource: string | undefined
}

export const authorizationUrl = (endpoint: string, one: Authorization): string => {
  const url = new URL(endpoint)
  const { searchParams } = url
  searchParams.set("response_type", "code")
  searchParams.set("client_id", one.clientId)
  searchParams.set("redirect_uri", one.redirectUri)
  searchParams.set("state", one.state)
  searchParams.set("code_challenge", one.challenge)
  searchParams.set("code_challenge_method", "S256")
  if (one.scopes.length > 0) searchParams.set("scope", one.scopes.join(" "))
  if (one.resource !== undefined) searchParams.set("resource", one.resource)
  // Without being asked, some servers give no refresh token to a client that they know.
  if (one.scopes.includes("offline_access")) searchParams.set("prompt", "consent")
  return url.href
}

/** Why an answer may be that of another server than the person was sent to; texts are compared as they are. */
export const issuerProblem = (
  iss: string | null,
  { issuer, namesItself }: Pick<ServerMetadata, "issuer" | "namesItself">,
): string | undefined => {
  if (iss === null) return namesItself ? "the answer does not say which server it is from" : undefined
  return iss === issuer ? undefined : "the answer is from another server"
}

/** What to ask for: what is needed now, with what was granted before, so that a step up is no step down. */
export const wantedScopes = (
  { scopes: supported, grantTypes }: Pick<ServerMetadata, "scopes" | "grantTypes">,
  needed: ReadonlyArray<string> | undefined,
  described: ReadonlyArray<string> | undefined,
  configured: ReadonlyArray<string>,
  granted: ReadonlyArray<string>,
): ReadonlyArray<string> => {
  const base = needed ?? (configured.length > 0 ? [] : (described ?? []))
  const wanted = new Set([...granted, ...configured, ...base])
  const renews = grantTypes.length === 0 || grantTypes.includes("refresh_token")
  if (renews && supported.includes("offline_access")) wanted.add("offline_access")
  return [...wanted]
}
