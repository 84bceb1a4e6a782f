/** Logs browsers in with an OpenID provider and keeps the session in a sealed cookie. */
import * as Schema from "effect/Schema"
import { Secret } from "../Secret.ts"
import { Document } from "./Document.ts"

export const OidcProvider = Schema.TaggedUnion({
  /** Absent document: the well-known one of the issuer. */
  Discovered: { document: Schema.optionalKey(Document) },
  Explicit: {
    authorizationEndpoint: Schema.NonEmptyString,
    tokenEndpoint: Schema.NonEmptyString,
    tokenEndpointAuth: Schema.Literals(["clientSecretBasic", "clientSecretPost"]),
    jwks: Document,
  },
})
export type OidcProvider = typeof OidcProvider.Type

export const Oidc = Schema.TaggedStruct("Oidc", {
  /** Names the cookies, so that two policies never read each other's: `route/<key>` or `policy/<key>`. */
  id: Schema.NonEmptyString,
  issuer: Schema.NonEmptyString,
  provider: OidcProvider,
  clientId: Schema.NonEmptyString,
  clientSecret: Secret,
  redirectUri: Schema.NonEmptyString,
  /** Besides `openid`, which is always asked for. */
  scopes: Schema.Array(Schema.NonEmptyString),
})
export type Oidc = typeof Oidc.Type
