/** `tcp` of a backend. */
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import type { BackendTcp as IrBackendTcp } from "../../../../ir/policy/BackendTcp.ts"
import { Count, Millis, opt } from "../grammar.ts"
import { present } from "../present.ts"
import { Keepalive, keepalive } from "./Keepalive.ts"

/** A duration, or the seconds and nanoseconds that one is made of. */
const Parts = Schema.Union([Millis, Schema.Struct({ secs: Count, nanos: Count })]).pipe(
  Schema.decodeTo(Schema.Finite, {
    decode: SchemaGetter.transform((one) => (typeof one === "number" ? one : one.secs * 1_000 + one.nanos / 1_000_000)),
    encode: SchemaGetter.transform((one): number | { readonly secs: number; readonly nanos: number } => one),
  }),
)

export const BackendTcp = Schema.Struct({ keepalives: opt(Keepalive), connectTimeout: opt(Parts) }).annotate({
  identifier: "BackendTcp",
})
export type BackendTcp = typeof BackendTcp.Type

export const backendTcp = (tcp: BackendTcp): IrBackendTcp => ({
  _tag: "BackendTcp",
  ...present({
    keepalive: tcp.keepalives === undefined ? undefined : keepalive(tcp.keepalives),
    connectTimeoutMillis: tcp.connectTimeout,
  }),
})
