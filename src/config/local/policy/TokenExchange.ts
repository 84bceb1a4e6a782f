/** Tokens that are got for others: exchanged, across applications, or for the gateway itself. */
import * as Schema from "effect/Schema"
import { bearer, defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type {
  CrossAppAccess as IrCrossAppAccess,
  OauthClientCredentials as IrOauthClientCredentials,
  OauthTokenExchange as IrOauthTokenExchange,
  SubjectToken,
} from "../../../../ir/policy/TokenExchange.ts"
import type { Path } from "../../ConfigIssue.ts"
import { refFields } from "../BackendRef.ts"
import { anyCase, CelMap, Count, expressions, Millis, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { insertable, Location, location } from "./CredentialLocation.ts"
import {
  ClientAuth,
  TokenEndpoint,
  tokenEndpoint,
  tokenEndpointFields,
  tokenEndpointPolicies,
} from "./TokenEndpoint.ts"

const subjectToken = Schema.Struct({ source: opt(Location), tokenType: opt(Schema.NonEmptyString) })
const tokenCache = Schema.Struct({ maxEntries: opt(Count), defaultTtl: opt(Millis) })

const exchange = {
  grantType: opt(anyCase(["tokenExchange", "jwtBearer"])),
  subjectToken: opt(subjectToken),
  actorToken: opt(
    Schema.Struct({ source: Location, tokenType: opt(Schema.NonEmptyString), enforceMayAct: opt(Schema.Boolean) }),
  ),
  audiences: opt(Texts),
  scopes: opt(Texts),
  resources: opt(Texts),
  requestedTokenType: opt(Schema.NonEmptyString),
  additionalParams: opt(CelMap),
  authorizationLocation: opt(Location),
  cache: opt(tokenCache),
}
const oauthTokenExchangeShape = Schema.Struct({ ...tokenEndpointFields, ...exchange }).annotate({
  identifier: "OauthTokenExchange",
})
export interface OauthTokenExchangeSchema extends Named<typeof oauthTokenExchangeShape> {}
export const OauthTokenExchange: OauthTokenExchangeSchema = oauthTokenExchangeShape
export type OauthTokenExchange = typeof OauthTokenExchange.Type

/** The same, with the endpoint in a field of its own. */
export const oauthShape = Schema.Struct({
  tokenEndpoint: Schema.Struct(refFields),
  tokenEndpointPath: opt(Schema.NonEmptyString),
  policies: opt(tokenEndpointPolicies),
  clientAuth: opt(ClientAuth),
  ...exchange,
})
export type Oauth = typeof oauthShape.Type

const crossAppFields = {
  audience: Schema.NonEmptyString,
  resources: opt(Texts),
  scopes: opt(Texts),
  accessTokenScopes: opt(Texts),
  subjectToken: opt(subjectToken),
  authorizationLocation: opt(Location),
  cache: opt(tokenCache),
}
const crossAppAccessShape = Schema.Struct({
  identityProvider: TokenEndpoint,
  resourceAuthorizationServer: TokenEndpoint,
  ...crossAppFields,
}).annotate({ identifier: "CrossAppAccess" })
export interface CrossAppAccessSchema extends Named<typeof crossAppAccessShape> {}
export const CrossAppAccess: CrossAppAccessSchema = crossAppAccessShape
export type CrossAppAccess = typeof CrossAppAccess.Type

export const xaaShape = Schema.Struct({ idp: TokenEndpoint, resourceAs: TokenEndpoint, ...crossAppFields })
export type Xaa = typeof xaaShape.Type

const oauthClientCredentialsShape = Schema.Struct({
  ...tokenEndpointFields,
  audiences: opt(Texts),
  scopes: opt(Texts),
  resources: opt(Texts),
  authorizationLocation: opt(Location),
  cache: opt(tokenCache),
}).annotate({ identifier: "OauthClientCredentials" })
export interface OauthClientCredentialsSchema extends Named<typeof oauthClientCredentialsShape> {}
export const OauthClientCredentials: OauthClientCredentialsSchema = oauthClientCredentialsShape
export type OauthClientCredentials = typeof OauthClientCredentials.Type

const tokenTypes = "urn:ietf:params:oauth:token-type:"

const subject = (
  one: { readonly source?: Location; readonly tokenType?: string } | undefined,
  type: string,
  path: Path,
  to: Mapping,
): SubjectToken => ({
  source: one?.source === undefined ? bearer : location(one.source, [...path, "source"], to),
  tokenType: one?.tokenType ?? `${tokenTypes}${type}`,
})

const cache = (one: OauthTokenExchange["cache"]) => ({
  maxEntries: one?.maxEntries ?? defaults.tokenCacheEntriesMax,
  defaultLifetimeMillis: one?.defaultTtl ?? defaults.tokenCacheMillis,
})

const reservedParameters = new Set([
  "grant_type",
  "subject_token",
  "subject_token_type",
  "actor_token",
  "actor_token_type",
  "requested_token_type",
  "audience",
  "resource",
  "scope",
  "assertion",
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
])

const isTokenType = (text: string): boolean => URL.canParse(text) && !text.includes("#")

const checkExchange = (one: Omit<OauthTokenExchange, keyof TokenEndpoint>, path: Path, to: Mapping): void => {
  for (const name of Object.keys(one.additionalParams ?? {})) {
    if (reservedParameters.has(name)) to.fail([...path, "additionalParams", name], `\`${name}\` is set by the gateway`)
  }
  for (const side of ["subjectToken", "actorToken"] as const) {
    const type = one[side]?.tokenType
    if (type !== undefined && !isTokenType(type)) {
      to.fail([...path, side, "tokenType"], "expected an absolute URI without a fragment")
    }
  }
  const requested = one.requestedTokenType
  const known = ["access_token", "jwt", "id_token"].map((name) => `${tokenTypes}${name}`)
  if (requested !== undefined && !known.includes(requested)) {
    to.fail([...path, "requestedTokenType"], `expected one of ${known.join(", ")}`)
  }
}

export const tokenExchange = (
  one: Omit<OauthTokenExchange, keyof TokenEndpoint>,
  endpoint: ReturnType<typeof tokenEndpoint>,
  path: Path,
  to: Mapping,
): IrOauthTokenExchange | undefined => {
  checkExchange(one, path, to)
  const grantType = one.grantType ?? "tokenExchange"
  if (grantType === "jwtBearer") {
    for (const key of ["requestedTokenType", "actorToken"] as const) {
      if (one[key] !== undefined) to.fail([...path, key], `\`${key}\` cannot be combined with \`jwtBearer\``)
    }
  }
  const actor = one.actorToken
  if (actor?.enforceMayAct === true && actor.tokenType !== `${tokenTypes}jwt`) {
    to.fail([...path, "actorToken", "enforceMayAct"], "`enforceMayAct` needs an actor token of type jwt")
  }
  return endpoint === undefined
    ? undefined
    : {
        _tag: "OauthTokenExchange",
        endpoint,
        grantType,
        subjectToken: subject(one.subjectToken, "access_token", [...path, "subjectToken"], to),
        ...present({
          actorToken:
            actor === undefined
              ? undefined
              : {
                  ...subject(actor, "access_token", [...path, "actorToken"], to),
                  enforceMayAct: actor.enforceMayAct ?? false,
                },
          requestedTokenType: one.requestedTokenType,
        }),
        audiences: one.audiences ?? [],
        scopes: one.scopes ?? [],
        resources: one.resources ?? [],
        additionalParams: expressions(one.additionalParams),
        location: insertable(one.authorizationLocation, [...path, "authorizationLocation"], to),
        cache: cache(one.cache),
      }
}

export const crossApp = (
  one: Omit<CrossAppAccess, "identityProvider" | "resourceAuthorizationServer">,
  identityProvider: ReturnType<typeof tokenEndpoint>,
  server: ReturnType<typeof tokenEndpoint>,
  path: Path,
  to: Mapping,
): IrCrossAppAccess | undefined => {
  return identityProvider === undefined || server === undefined
    ? undefined
    : {
        _tag: "CrossAppAccess",
        identityProvider,
        resourceAuthorizationServer: server,
        audience: one.audience,
        resources: one.resources ?? [],
        scopes: one.scopes ?? [],
        ...present({ accessTokenScopes: one.accessTokenScopes }),
        subjectToken: subject(one.subjectToken, "id_token", [...path, "subjectToken"], to),
        location: insertable(one.authorizationLocation, [...path, "authorizationLocation"], to),
        cache: cache(one.cache),
      }
}

export const clientCredentials = (
  one: OauthClientCredentials,
  path: Path,
  to: Mapping,
): IrOauthClientCredentials | undefined => {
  const endpoint = tokenEndpoint(one, path, to)
  if (one.clientAuth === undefined) {
    return to.fail(path, "`clientAuth` is required", "A token for the gateway itself needs a proof of who it is.")
  }
  return endpoint === undefined
    ? undefined
    : {
        _tag: "OauthClientCredentials",
        endpoint,
        audiences: one.audiences ?? [],
        scopes: one.scopes ?? [],
        resources: one.resources ?? [],
        location: insertable(one.authorizationLocation, [...path, "authorizationLocation"], to),
        cache: cache(one.cache),
      }
}
