/** What the gateway asks authorization servers for, as a client of theirs: tokens, registration, revocation. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import type { ClientAuth } from "../../../../ir/policy/TokenEndpoint.ts"
import { scopesOf } from "../../../../protocols/oauth/challenge.ts"
import type { ServerMetadata } from "../../../../protocols/oauth/metadata.ts"
import { parseRegistered, type Registered, registrationBody } from "../../../../protocols/oauth/registration.ts"
import type { Ask, Heard } from "../../../5-policy/ask.ts"
import { type Asker, type Field, grantedOf, proofOf } from "../../../5-policy/credentials/tokenEndpoint.ts"
import type { Client, Grant } from "../../../ports/Grants.ts"
import { reachable } from "./reachable.ts"

const REPLY_BYTES_MAX = 65_536
export const TOKEN_MILLIS = 10_000

export interface TokenPorts extends Asker {
  readonly ask: Ask
}

/** Why no token came: nobody can use what was shown, the client is not known, or it may go better another time. */
export interface NoToken {
  readonly why: "refused" | "unknownClient" | "failed"
  readonly detail: string
}

export interface Tokens {
  readonly accessToken: string
  readonly expiresInMillis: number | undefined
  readonly refreshToken: string | undefined
  /** Absent: those that were asked for. */
  readonly scopes: ReadonlyArray<string> | undefined
}

const failed = (detail: string): NoToken => ({ why: "failed", detail })

const posted = (
  { ask }: TokenPorts,
  url: string,
  oauth: McpOauth,
  headers: ReadonlyArray<string>,
  body: string,
): Effect.Effect<Heard, string> => {
  const may = reachable(url, oauth)
  return typeof may === "string"
    ? Effect.fail(`${url} is not asked: ${may}`)
    : ask({
        method: "POST",
        url,
        headers: ["accept", "application/json", ...headers],
        body,
        bytesMax: REPLY_BYTES_MAX,
        timeoutMillis: TOKEN_MILLIS,
        publicOnly: may.publicOnly,
      })
}

/** How a client proves who it is at one server; a key that is configured signs for nobody but that server. */
const authOf = ({ clientId, clientSecret, method }: Client, oauth: McpOauth, issuer: string): ClientAuth => {
  const signing = oauth.client?.signingKey
  if (signing !== undefined && oauth.client?.clientId === clientId) {
    const { algorithm, pem } = signing
    return { _tag: "PrivateKeyJwt", clientId, signingKeyPem: pem, algorithm, assertionAudience: issuer }
  }
  if (clientSecret === undefined || method === "none") return { _tag: "ClientSecretPost", clientId }
  const secret = { clientId, clientSecret: Redacted.make(clientSecret) }
  return method === "client_secret_post"
    ? { _tag: "ClientSecretPost", ...secret }
    : { _tag: "ClientSecretBasic", ...secret }
}

export interface At {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly client: Client
}

const errorIn = (text: string): { readonly code: string; readonly document: unknown } => {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return { code: "", document: undefined }
  }
  const code: unknown = Reflect.get(Object(document), "error")
  return { code: typeof code === "string" && /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(code) ? code : "", document }
}

const tokensOf = ({ status, text }: Heard): Tokens | NoToken => {
  const { code, document } = errorIn(text)
  if (status < 200 || status > 299) {
    const detail = `status ${status}${code === "" ? "" : `, ${code}`}`
    if (code === "invalid_client" || code === "unauthorized_client") return { why: "unknownClient", detail }
    return { why: code === "invalid_grant" || code === "invalid_scope" ? "refused" : "failed", detail }
  }
  if (typeof document !== "object" || document === null) return failed("the answer is not JSON")
  const granted = grantedOf(document)
  if (typeof granted === "string") return failed(granted)
  if (granted.tokenType.toLowerCase() !== "bearer") return failed("the token it gave is no bearer token")
  const refreshToken: unknown = Reflect.get(document, "refresh_token")
  const scope: unknown = Reflect.get(document, "scope")
  return {
    accessToken: Redacted.value(granted.accessToken),
    expiresInMillis: granted.expiresInMillis,
    refreshToken: typeof refreshToken === "string" && refreshToken !== "" ? refreshToken : undefined,
    scopes: typeof scope === "string" && scope !== "" ? scopesOf(scope) : undefined,
  }
}

export const tokens = (
  ports: TokenPorts,
  oauth: McpOauth,
  { client, issuer, tokenEndpoint }: At,
  fields: ReadonlyArray<Field>,
): Effect.Effect<Tokens, NoToken> =>
  Effect.tryPromise({
    try: () => proofOf(authOf(client, oauth, issuer), ports),
    catch: () => failed("the key of the client cannot be used"),
  }).pipe(
    Effect.flatMap((proof) => {
      const form = new URLSearchParams([...fields, ...proof.fields].map(([name, value]) => [name, value]))
      const authorization = proof.authorization === undefined ? [] : ["authorization", proof.authorization]
      return Effect.mapError(
        posted(
          ports,
          tokenEndpoint,
          oauth,
          ["content-type", "application/x-www-form-urlencoded", ...authorization],
          form.toString(),
        ),
        failed,
      )
    }),
    Effect.flatMap((heard): Effect.Effect<Tokens, NoToken> => {
      const found = tokensOf(heard)
      return "why" in found ? Effect.fail(found) : Effect.succeed(found)
    }),
  )

const resourceField = (resource: string | undefined): ReadonlyArray<Field> =>
  resource === undefined ? [] : [["resource", resource]]

const scopeField = (scopes: ReadonlyArray<string>): ReadonlyArray<Field> =>
  scopes.length === 0 ? [] : [["scope", scopes.join(" ")]]

export const codeFields = (
  code: string,
  verifier: string,
  redirectUri: string,
  resource: string | undefined,
): ReadonlyArray<Field> => [
  ["grant_type", "authorization_code"],
  ["code", code],
  ["code_verifier", verifier],
  ["redirect_uri", redirectUri],
  ...resourceField(resource),
]

export const refreshFields = (refreshToken: string, resource: string | undefined): ReadonlyArray<Field> => [
  ["grant_type", "refresh_token"],
  ["refresh_token", refreshToken],
  ...resourceField(resource),
]

export const ownFields = (scopes: ReadonlyArray<string>, resource: string | undefined): ReadonlyArray<Field> => [
  ["grant_type", "client_credentials"],
  ...scopeField(scopes),
  ...resourceField(resource),
]

/** Fails with a reason in words. */
export const register = (
  ports: TokenPorts,
  oauth: McpOauth,
  server: ServerMetadata,
  endpoint: string,
  redirectUri: string,
  scopes: ReadonlyArray<string>,
): Effect.Effect<Registered, string> =>
  Effect.flatMap(
    posted(
      ports,
      endpoint,
      oauth,
      ["content-type", "application/json"],
      registrationBody(oauth.connections.clientName, redirectUri, server, scopes),
    ),
    ({ status, text }) => {
      if (status !== 200 && status !== 201) return Effect.fail(`${server.issuer} does not register clients: ${status}`)
      const found = parseRegistered(text, server)
      return typeof found === "string"
        ? Effect.fail(`${server.issuer} registered nobody: ${found}`)
        : Effect.succeed(found)
    },
  )

/** Both tokens are given up (RFC 7009), as far as the server goes along. */
export const revoke = (ports: TokenPorts, oauth: McpOauth | undefined, grant: Grant): Effect.Effect<void> => {
  const { accessToken, client, issuer, refreshToken, revocationEndpoint } = grant
  if (revocationEndpoint === undefined || oauth === undefined) return Effect.void
  const one = (token: string, hint: string) =>
    Effect.flatMap(
      Effect.tryPromise(() => proofOf(authOf(client, oauth, issuer), ports)),
      (proof) =>
        posted(
          ports,
          revocationEndpoint,
          oauth,
          [
            "content-type",
            "application/x-www-form-urlencoded",
            ...(proof.authorization === undefined ? [] : ["authorization", proof.authorization]),
          ],
          new URLSearchParams([
            ["token", token],
            ["token_type_hint", hint],
            ...proof.fields.map(([name, value]) => [name, value]),
          ]).toString(),
        ),
    )
  return Effect.ignore(
    Effect.andThen(
      refreshToken === undefined ? Effect.void : Effect.ignore(one(refreshToken, "refresh_token")),
      one(accessToken, "access_token"),
    ),
  )
}
