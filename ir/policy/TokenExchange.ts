/** Trades the caller's token for one that the backend accepts. */
import * as Schema from "effect/Schema"
import { NamedExpression } from "../Expression.ts"
import { Millis } from "../Millis.ts"
import { CredentialLocation } from "./CredentialLocation.ts"
import { TokenEndpoint } from "./TokenEndpoint.ts"

/** Token types are URNs or other absolute URIs. */
export const SubjectToken = Schema.Struct({ source: CredentialLocation, tokenType: Schema.NonEmptyString })
export type SubjectToken = typeof SubjectToken.Type

export const ActorToken = Schema.Struct({ ...SubjectToken.fields, enforceMayAct: Schema.Boolean })
export type ActorToken = typeof ActorToken.Type

export const TokenCache = Schema.Struct({ maxEntries: Schema.Natural, defaultLifetimeMillis: Millis })
export type TokenCache = typeof TokenCache.Type

const strings = Schema.Array(Schema.NonEmptyString)

export const OauthTokenExchange = Schema.TaggedStruct("OauthTokenExchange", {
  endpoint: TokenEndpoint,
  grantType: Schema.Literals(["tokenExchange", "jwtBearer"]),
  subjectToken: SubjectToken,
  actorToken: Schema.optionalKey(ActorToken),
  audiences: strings,
  scopes: strings,
  resources: strings,
  requestedTokenType: Schema.optionalKey(Schema.NonEmptyString),
  additionalParams: Schema.Array(NamedExpression),
  location: CredentialLocation,
  cache: TokenCache,
})
export type OauthTokenExchange = typeof OauthTokenExchange.Type

export const CrossAppAccess = Schema.TaggedStruct("CrossAppAccess", {
  identityProvider: TokenEndpoint,
  resourceAuthorizationServer: TokenEndpoint,
  audience: Schema.NonEmptyString,
  resources: strings,
  scopes: strings,
  /** Absent: as `scopes`; empty: none are asked for. */
  accessTokenScopes: Schema.optionalKey(strings),
  subjectToken: SubjectToken,
  location: CredentialLocation,
  cache: TokenCache,
})
export type CrossAppAccess = typeof CrossAppAccess.Type

/** A token for the gateway itself, whoever the client is. */
export const OauthClientCredentials = Schema.TaggedStruct("OauthClientCredentials", {
  endpoint: TokenEndpoint,
  audiences: strings,
  scopes: strings,
  resources: strings,
  location: CredentialLocation,
  cache: TokenCache,
})
export type OauthClientCredentials = typeof OauthClientCredentials.Type
