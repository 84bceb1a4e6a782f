/** `tls` of the frontend: TLS with clients, whatever the listener. */
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import type { Tls as IrTls } from "../../../../ir/policy/Tls.ts"
import type { Path } from "../../ConfigIssue.ts"
import { AlpnName, Byte, opt, Patience, utf8 } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { overrides } from "../tls.ts"

/** A protocol name, or the list of its bytes. */
const Alpn = Schema.Union([Schema.String, Schema.NonEmptyArray(Byte)]).pipe(
  Schema.decodeTo(AlpnName, {
    decode: SchemaGetter.transform((name) => (typeof name === "string" ? name : utf8.decode(Uint8Array.from(name)))),
    encode: SchemaGetter.transform((name): string | readonly [number, ...Array<number>] => name),
  }),
)

export const Tls = Schema.Struct({
  handshakeTimeout: opt(Patience),
  alpn: opt(Schema.Array(Alpn)),
  ...overrides,
}).annotate({ identifier: "FrontendTls" })
export type Tls = typeof Tls.Type

export const tls = (policy: Tls, path: Path, to: Mapping): IrTls => {
  if (policy.minVersion === "TLSv1.3" && policy.maxVersion === "TLSv1.2") to.fail(path, "invalid TLS version range")
  return {
    _tag: "Tls",
    ...present({
      handshakeTimeoutMillis: policy.handshakeTimeout,
      alpn: policy.alpn,
      minVersion: policy.minVersion,
      maxVersion: policy.maxVersion,
      cipherSuites: policy.cipherSuites,
      keyExchangeGroups: policy.keyExchangeGroups,
    }),
  }
}
