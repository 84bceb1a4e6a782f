/** Credentials of the gateway itself: those that need no call described by configuration. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"
import { Secret } from "../Secret.ts"
import { CredentialLocation } from "./CredentialLocation.ts"

export const SigningAlgorithm = Schema.Literals(["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"])
export type SigningAlgorithm = typeof SigningAlgorithm.Type

/** As it is written, or computed for each request. */
export const Text = Schema.TaggedUnion({
  Fixed: { value: Schema.NonEmptyString },
  Computed: { expression: Expression },
})

export const AwsRole = Schema.Struct({
  roleArn: Schema.NonEmptyString,
  sessionName: Schema.optionalKey(Text),
  tags: Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: Text })),
})
export type AwsRole = typeof AwsRole.Type

export const AzureSource = Schema.TaggedUnion({
  ClientSecret: { tenantId: Schema.NonEmptyString, clientId: Schema.NonEmptyString, clientSecret: Secret },
  ManagedIdentity: {
    userAssigned: Schema.optionalKey(
      Schema.Struct({ by: Schema.Literals(["clientId", "objectId", "resourceId"]), id: Schema.NonEmptyString }),
    ),
  },
  WorkloadIdentity: {},
  DeveloperImplicit: {},
  Implicit: {},
})
export type AzureSource = typeof AzureSource.Type

export const Passthrough = Schema.TaggedStruct("Passthrough", { location: CredentialLocation })
export const Key = Schema.TaggedStruct("Key", { value: Secret, location: CredentialLocation })
export const Gcp = Schema.TaggedStruct("Gcp", {
  token: Schema.TaggedUnion({ AccessToken: {}, IdToken: { audience: Schema.optionalKey(Schema.NonEmptyString) } }),
  /** The JSON of a credential file; absent: what the environment offers. */
  credential: Schema.optionalKey(Secret),
})
export const Aws = Schema.TaggedStruct("Aws", {
  /** Absent: what the environment offers. */
  credentials: Schema.optionalKey(
    Schema.Struct({
      accessKeyId: Schema.NonEmptyString,
      secretAccessKey: Secret,
      sessionToken: Schema.optionalKey(Secret),
    }),
  ),
  region: Schema.optionalKey(Schema.NonEmptyString),
  serviceName: Schema.optionalKey(Schema.NonEmptyString),
  assumeRole: Schema.optionalKey(AwsRole),
})
export const Azure = Schema.TaggedStruct("Azure", { source: AzureSource })
export const Copilot = Schema.TaggedStruct("Copilot", {})
export const JwtSign = Schema.TaggedStruct("JwtSign", {
  signingKeyPem: Secret,
  algorithm: SigningAlgorithm,
  kid: Schema.optionalKey(Schema.NonEmptyString),
  claims: Schema.Record(Schema.String, Schema.Json),
  lifetimeMillis: Millis,
  location: CredentialLocation,
})

export const OwnAuth = Schema.Union([Passthrough, Key, Gcp, Aws, Azure, Copilot, JwtSign]).pipe(
  Schema.toTaggedUnion("_tag"),
)
export type OwnAuth = typeof OwnAuth.Type

/** A further credential put in after the main one. */
export const ExtraCredential = Schema.Struct({ location: CredentialLocation, value: Secret })
export type ExtraCredential = typeof ExtraCredential.Type
