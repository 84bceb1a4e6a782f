/** Reaches a backend through an HTTP proxy, one hop only. */
import * as Schema from "effect/Schema"
import { BackendRef } from "../BackendRef.ts"
import { BackendTcp } from "./BackendTcp.ts"
import { BackendTls } from "./BackendTls.ts"
import { Key } from "./CloudAuth.ts"

export const BackendTunnel = Schema.TaggedStruct("BackendTunnel", {
  proxy: BackendRef,
  tls: Schema.optionalKey(BackendTls.fields.tls),
  tcp: Schema.optionalKey(Schema.Struct(BackendTcp.fields)),
  /** A key at a header is the only credential a proxy understands. */
  auth: Schema.optionalKey(Key),
})
export type BackendTunnel = typeof BackendTunnel.Type
