/** `mcpAuthentication`: bearer tokens of MCP clients, and where those get them. */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { bearer, defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { McpAuthentication as IrMcpAuthentication } from "../../../../ir/policy/McpAuthentication.ts"
import { locate } from "../../../../protocols/http/locate.ts"
import type { Path } from "../../ConfigIssue.ts"
import { FileInlineOrRemote, FileOrInline, secret } from "../FileOrInline.ts"
import { Cel, exactlyOne, Nothing, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { AuthenticationMode } from "./authenticationMode.ts"
import { Location, location } from "./CredentialLocation.ts"
import { validation } from "./JwtAuth.ts"
import { keySet } from "./keySet.ts"

const providerName = ["auth0", "keycloak", "okta", "descope", "authentik", "entra"] as const
const mcpAuthenticationShape = Schema.Struct({
  issuer: Schema.NonEmptyString,
  audiences: Texts,
  provider: opt(
    exactlyOne(
      Schema.Struct({
        auth0: opt(Nothing),
        keycloak: opt(Nothing),
        okta: opt(Nothing),
        descope: opt(Nothing),
        authentik: opt(Nothing),
        entra: opt(Nothing),
      }),
      providerName,
    ),
  ),
  resourceMetadata: Schema.Record(Schema.String, Schema.Json),
  jwks: opt(FileInlineOrRemote),
  mode: opt(AuthenticationMode),
  authorizationLocation: opt(Location),
  jwtValidationOptions: validation,
  clientId: opt(Schema.NonEmptyString),
  clientSecret: opt(FileOrInline),
  relaySigningKey: opt(
    FileOrInline,
    "For `entra` or `keycloak` with a `clientId`: one redirect URI, `…/callback` of the stand-in, for all clients. 32 bytes in hexadecimal.",
  ),
  relayRedirectUris: opt(
    Texts,
    "With `relaySigningKey`: redirect URIs of clients that are not on the person's own machine.",
  ),
  scopes: opt(Texts, "What every token must have been granted."),
  stepUp: opt(
    Schema.Array(Schema.Struct({ condition: Cel, scopes: Texts })),
    "Further scopes that are needed for requests of which an expression is true.",
  ),
}).annotate({ identifier: "McpAuthentication" })
export interface McpAuthenticationSchema extends Named<typeof mcpAuthenticationShape> {}
export const McpAuthentication: McpAuthenticationSchema = mcpAuthenticationShape
export type McpAuthentication = typeof McpAuthentication.Type

export const mcpAuthentication = (
  policy: McpAuthentication,
  path: Path,
  to: Mapping,
): IrMcpAuthentication | undefined => {
  const provider = Object.keys(policy.provider ?? {})[0] as IrMcpAuthentication["provider"]
  const relayKey =
    policy.relaySigningKey === undefined ? undefined : secret(policy.relaySigningKey, [...path, "relaySigningKey"], to)
  if (relayKey !== undefined && !/^[0-9a-f]{64}$/i.test(Redacted.value(relayKey))) {
    to.fail([...path, "relaySigningKey"], "expected 32 bytes in hexadecimal", "Make one with `openssl rand -hex 32`.")
  }
  const hasClient = (provider === "entra" || provider === "keycloak") && policy.clientId !== undefined
  if (policy.relaySigningKey !== undefined && !hasClient) {
    to.fail([...path, "relaySigningKey"], "only `entra` and `keycloak` with a `clientId` are relayed to")
  }
  for (const [i, uri] of (policy.relayRedirectUris ?? []).entries()) {
    if (!uri.startsWith("https://") || locate(uri) === undefined || uri.includes("#")) {
      to.fail([...path, "relayRedirectUris", i], "expected an https URL without user or fragment")
    }
  }
  if (policy.relayRedirectUris !== undefined && policy.relaySigningKey === undefined) {
    to.fail([...path, "relayRedirectUris"], "`relayRedirectUris` goes with `relaySigningKey`")
  }
  const issuer = locate(policy.issuer)
  if (issuer === undefined) to.fail([...path, "issuer"], "expected an http or https URL without user information")
  if (policy.audiences.length === 0) {
    to.warn([...path, "audiences"], "tokens for any other service of the issuer are accepted", "Name the gateway.")
  }
  if (policy.clientSecret !== undefined && !hasClient) {
    to.fail([...path, "clientSecret"], "only `entra` and `keycloak` with a `clientId` take a client secret")
  }
  if (provider === "authentik" && policy.clientId === undefined) {
    to.fail([...path, "clientId"], "authentik registers no clients", "Register one there, and name it here.")
  }
  const resource = policy.resourceMetadata["resource"]
  if (resource !== undefined && (typeof resource !== "string" || locate(resource) === undefined)) {
    to.fail([...path, "resourceMetadata", "resource"], "expected the URL by which clients know the gateway")
  }
  const scopes = (policy.scopes ?? []).filter((scope) => scope !== "")
  for (const one of [...scopes, ...(policy.stepUp ?? []).flatMap((step) => step.scopes)]) {
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(one)) to.fail(path, `${JSON.stringify(one)} is not a scope`)
  }
  const at = policy.authorizationLocation
  return {
    _tag: "McpAuthentication",
    issuer: policy.issuer,
    audiences: policy.audiences,
    resourceMetadata: policy.resourceMetadata,
    mode: policy.mode ?? defaults.mcpAuthenticationMode,
    scopes,
    stepUp: policy.stepUp ?? [],
    location: at === undefined ? bearer : location(at, [...path, "authorizationLocation"], to),
    requiredClaims: policy.jwtValidationOptions?.requiredClaims ?? defaults.requiredClaims,
    ...present({
      provider,
      jwks: policy.jwks === undefined ? undefined : keySet(policy.jwks, [...path, "jwks"], to),
      clientId: policy.clientId,
      relay: relayKey === undefined ? undefined : { key: relayKey, redirectUris: policy.relayRedirectUris ?? [] },
      clientSecret:
        policy.clientSecret === undefined ? undefined : secret(policy.clientSecret, [...path, "clientSecret"], to),
    }),
  }
}
