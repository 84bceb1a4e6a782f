/** A service that hands out tokens, and how the gateway proves who it is there. */
import * as Schema from "effect/Schema"
import type { Named } from "../Named.ts"
import { BackendRef } from "../BackendRef.ts"
import { Secret } from "../Secret.ts"
import { BackendHttp } from "./BackendHttp.ts"
import { BackendTcp } from "./BackendTcp.ts"
import { BackendTls } from "./BackendTls.ts"
import { BackendTunnel } from "./BackendTunnel.ts"
import { ExtraCredential, OwnAuth, SigningAlgorithm } from "./CloudAuth.ts"
import { RequestHeaderModifier } from "./RequestHeaderModifier.ts"
import { Transformations } from "./Transformations.ts"

export const ClientAuth = Schema.TaggedUnion({
  ClientSecretBasic: { clientId: Schema.NonEmptyString, clientSecret: Secret },
  ClientSecretPost: { clientId: Schema.NonEmptyString, clientSecret: Schema.optionalKey(Secret) },
  PrivateKeyJwt: {
    clientId: Schema.NonEmptyString,
    signingKeyPem: Secret,
    algorithm: SigningAlgorithm,
    kid: Schema.optionalKey(Schema.NonEmptyString),
    assertionAudience: Schema.NonEmptyString,
    certificate: Schema.optionalKey(
      Schema.Struct({ pem: Schema.NonEmptyString, header: Schema.Literals(["x5c", "x5t#S256"]) }),
    ),
  },
})
export type ClientAuth = typeof ClientAuth.Type

/** Without token exchange: a token endpoint that itself needed a token endpoint could go on for ever. */
export const TokenEndpointPolicy = Schema.Union([
  RequestHeaderModifier,
  Transformations,
  BackendTls,
  Schema.TaggedStruct("BackendAuth", { auth: OwnAuth, credentials: Schema.Array(ExtraCredential) }),
  BackendHttp,
  BackendTcp,
  BackendTunnel,
]).pipe(Schema.toTaggedUnion("_tag"))
export type TokenEndpointPolicy = typeof TokenEndpointPolicy.Type

const tokenEndpoint = Schema.Struct({
  callee: Schema.Struct({ backend: BackendRef, policies: Schema.Array(TokenEndpointPolicy) }),
  path: Schema.NonEmptyString,
  clientAuth: Schema.optionalKey(ClientAuth),
})
export interface TokenEndpointSchema extends Named<typeof tokenEndpoint> {}
export const TokenEndpoint: TokenEndpointSchema = tokenEndpoint
export type TokenEndpoint = typeof TokenEndpoint.Type
