/** OAuth as MCP clients expect it: token checks, resource metadata and a stand-in for the authorization server. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Secret } from "../Secret.ts"
import { CredentialLocation } from "./CredentialLocation.ts"
import { Document } from "./Document.ts"
import { AuthenticationMode } from "./JwtAuth.ts"

const scopes = Schema.Array(Schema.NonEmptyString)

export const McpAuthentication = Schema.TaggedStruct("McpAuthentication", {
  issuer: Schema.NonEmptyString,
  audiences: Schema.Array(Schema.NonEmptyString),
  provider: Schema.optionalKey(Schema.Literals(["auth0", "keycloak", "okta", "descope", "authentik", "entra"])),
  resourceMetadata: Schema.Record(Schema.String, Schema.Json),
  /** Absent: derived from the issuer in the way of its provider. */
  jwks: Schema.optionalKey(Document),
  mode: AuthenticationMode,
  location: CredentialLocation,
  requiredClaims: Schema.Array(Schema.NonEmptyString),
  /** What every token must have been granted. */
  scopes,
  /** What it must have been granted beside, for requests of which an expression is true. */
  stepUp: Schema.Array(Schema.Struct({ condition: Expression, scopes })),
  clientId: Schema.optionalKey(Schema.NonEmptyString),
  clientSecret: Schema.optionalKey(Secret),
  /** Present: the server knows one address, that of the gateway, which passes what comes there on to clients. */
  relay: Schema.optionalKey(
    Schema.Struct({
      /** 32 bytes in hexadecimal. */
      key: Secret,
      /** Where clients may have codes sent beside this machine of theirs. */
      redirectUris: Schema.Array(Schema.NonEmptyString),
    }),
  ),
})
export type McpAuthentication = typeof McpAuthentication.Type
