/** Making a client known to an authorization server: by registering it (RFC 7591), or by a document that it fetches. */
import { isLoopback } from "../http/authority.ts"
import { objectIn } from "../json/object.ts"
import type { ServerMetadata } from "./metadata.ts"

export type ClientAuthMethod = "none" | "client_secret_basic" | "client_secret_post"

export interface Registered {
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly method: ClientAuthMethod
  /** Seconds since 1970; absent: it does not end. */
  readonly expiresSeconds: number | undefined
}

const metadata = (name: string, redirectUri: string, method: string): Readonly<Record<string, unknown>> => ({
  client_name: name,
  redirect_uris: [redirectUri],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: method,
  application_type: isLoopback(URL.parse(redirectUri)?.hostname ?? "") ? "native" : "web",
})

const known: ReadonlyArray<ClientAuthMethod> = ["client_secret_basic", "client_secret_post", "none"]

/** How a client with a secret, or one without, proves itself where the server takes these. */
export const methodFor = (
  { tokenEndpointAuthMethods: taken }: Pick<ServerMetadata, "tokenEndpointAuthMethods">,
  hasSecret: boolean,
): ClientAuthMethod => {
  const usable = known.filter((one) => (one === "none") !== hasSecret)
  return usable.find((one) => taken.includes(one)) ?? (usable[0] as ClientAuthMethod)
}

/** What is sent to register; a gateway can keep a secret, so it asks for one where that is possible. */
export const registrationBody = (
  name: string,
  redirectUri: string,
  { tokenEndpointAuthMethods: taken }: Pick<ServerMetadata, "tokenEndpointAuthMethods">,
  scopes: ReadonlyArray<string>,
): string => {
  const method = taken.length === 0 ? "client_secret_basic" : (known.find((one) => taken.includes(one)) ?? "none")
  const scope = scopes.length === 0 ? {} : { scope: scopes.join(" ") }
  return JSON.stringify({ ...metadata(name, redirectUri, method), ...scope })
}

/** The document that a client is known by where its address is its name. */
export const clientDocument = (clientId: string, name: string, redirectUri: string): string =>
  JSON.stringify({ client_id: clientId, ...metadata(name, redirectUri, "none") })

/** A text says why it is no registration. */
export const parseRegistered = (
  text: string,
  server: Pick<ServerMetadata, "tokenEndpointAuthMethods">,
): Registered | string => {
  const fields = objectIn(text)
  if (typeof fields === "string") return fields
  const clientId = fields["client_id"]
  const secret = fields["client_secret"]
  const method = fields["token_endpoint_auth_method"]
  const expires = fields["client_secret_expires_at"]
  if (typeof clientId !== "string" || clientId === "") return "it names no client"
  const clientSecret = typeof secret === "string" && secret !== "" ? secret : undefined
  const said = known.find((one) => one === method)
  if (typeof method === "string" && said === undefined)
    return `clients prove themselves by ${method.slice(0, 64)} there`
  return {
    clientId,
    clientSecret,
    // A secret that is there is used, whatever was said of it; without one there is nothing to prove.
    method:
      clientSecret === undefined ? "none" : said === undefined || said === "none" ? methodFor(server, true) : said,
    expiresSeconds: typeof expires === "number" && expires > 0 ? expires : undefined,
  }
}
