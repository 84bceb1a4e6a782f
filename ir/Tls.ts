/** TLS in both directions; certificates are here as text, already read from wherever they live. */
import * as Schema from "effect/Schema"
import { Secret } from "./Secret.ts"

export const TlsVersion = Schema.Literals(["TLSv1.2", "TLSv1.3"])
export type TlsVersion = typeof TlsVersion.Type

/** OpenSSL spelling; an empty list means the platform's default. */
const parameters = {
  minVersion: TlsVersion,
  maxVersion: TlsVersion,
  cipherSuites: Schema.Array(Schema.NonEmptyString),
  keyExchangeGroups: Schema.Array(Schema.NonEmptyString),
}

export const Identity = Schema.Struct({ certificatePem: Schema.NonEmptyString, keyPem: Secret })
export type Identity = typeof Identity.Type

export const ClientCertificates = Schema.Struct({ rootsPem: Schema.NonEmptyString, required: Schema.Boolean })
export type ClientCertificates = typeof ClientCertificates.Type

export const ServerTls = Schema.Struct({
  identity: Identity,
  /** The identity is a certificate authority, and a leaf is minted for every server name. */
  mintsLeaves: Schema.Boolean,
  clientCertificates: Schema.optionalKey(ClientCertificates),
  ...parameters,
})
export type ServerTls = typeof ServerTls.Type

export const ClientTls = Schema.Struct({
  /** Absent: the system's roots. */
  rootsPem: Schema.optionalKey(Schema.NonEmptyString),
  identity: Schema.optionalKey(Identity),
  /** Server name sent and checked; absent: the target's host. */
  hostname: Schema.optionalKey(Schema.NonEmptyString),
  verify: Schema.Literals(["full", "chainOnly", "none"]),
  /** Replaces the check of the name: any of these DNS names or `spiffe://` URIs will do. */
  subjectAltNames: Schema.Array(Schema.NonEmptyString),
  alpn: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  ...parameters,
})
export type ClientTls = typeof ClientTls.Type
