/** Overrides the TLS settings of the listeners it covers. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"
import { TlsVersion } from "../Tls.ts"

export const Tls = Schema.TaggedStruct("Tls", {
  handshakeTimeoutMillis: Schema.optionalKey(Millis),
  /** Empty: no protocol is negotiated. */
  alpn: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  minVersion: Schema.optionalKey(TlsVersion),
  maxVersion: Schema.optionalKey(TlsVersion),
  cipherSuites: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  keyExchangeGroups: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
})
export type Tls = typeof Tls.Type
