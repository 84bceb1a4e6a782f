/** OAuth as MCP clients expect it: token checks, resource metadata and a stand-in for the authorization server. */
import * as Schema from "effect/Schema"
import { Secret } from "../Secret.ts"
import { CredentialLocation } from "./CredentialLocation.ts"
import { Document } from "./Document.ts"
import { AuthenticationMode } from "./JwtAuth.ts"

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
  clientId: Schema.optionalKey(Schema.NonEmptyString),
  clientSecret: Schema.optionalKey(Secret),
})
export type McpAuthentication = typeof McpAuthentication.Type
