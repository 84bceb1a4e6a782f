/** Logs browsers in with an OpenID provider and keeps the session in sealed cookies. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"
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
  /** What cookies are sealed with: 32 bytes in hexadecimal. */
  cookieKey: Secret,
  /** How long a session can be renewed before somebody has to log in again. */
  sessionMillis: Schema.optionalKey(Millis),
  logout: Schema.optionalKey(
    Schema.Struct({
      path: Schema.NonEmptyString,
      redirectUri: Schema.optionalKey(Schema.NonEmptyString),
      /** Where the provider says that it has ended sessions by itself. */
      backChannelPath: Schema.optionalKey(Schema.NonEmptyString),
    }),
  ),
})
export type Oidc = typeof Oidc.Type
