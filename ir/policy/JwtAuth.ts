/** Checks bearer tokens and makes their claims known. */
import * as Schema from "effect/Schema"
import { CredentialLocation } from "./CredentialLocation.ts"
import { Document } from "./Document.ts"

/** `optional` judges a credential only when there is one; `permissive` never refuses. */
export const AuthenticationMode = Schema.Literals(["strict", "optional", "permissive"])
export type AuthenticationMode = typeof AuthenticationMode.Type

export const JwtProvider = Schema.Struct({
  issuer: Schema.NonEmptyString,
  /** Empty: the audience is not looked at. */
  audiences: Schema.Array(Schema.NonEmptyString),
  jwks: Document,
  requiredClaims: Schema.Array(Schema.NonEmptyString),
})
export type JwtProvider = typeof JwtProvider.Type

export const JwtAuth = Schema.TaggedStruct("JwtAuth", {
  mode: AuthenticationMode,
  location: CredentialLocation,
  providers: Schema.Array(JwtProvider),
})
export type JwtAuth = typeof JwtAuth.Type
