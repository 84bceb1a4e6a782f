/** Asks another service whether a request may pass. */
import * as Schema from "effect/Schema"
import { Expression, NamedExpression } from "../Expression.ts"
import { HeaderName } from "../HeaderName.ts"
import { Millis } from "../Millis.ts"
import { Callee } from "./Callee.ts"

export const ExtAuthzHttp = Schema.TaggedStruct("Http", {
  path: Schema.optionalKey(Expression),
  /** Where a refused client is sent instead. */
  redirect: Schema.optionalKey(Expression),
  body: Schema.optionalKey(Expression),
  includeResponseHeaders: Schema.Array(HeaderName),
  addRequestHeaders: Schema.Array(NamedExpression),
  metadata: Schema.Array(NamedExpression),
})
export type ExtAuthzHttp = typeof ExtAuthzHttp.Type

export const ExtAuthzGrpc = Schema.TaggedStruct("Grpc", {
  context: Schema.Record(Schema.String, Schema.String),
  /** Absent: the claims of a validated token. */
  metadata: Schema.optionalKey(Schema.Array(NamedExpression)),
})
export type ExtAuthzGrpc = typeof ExtAuthzGrpc.Type

export const CacheLifetime = Schema.TaggedUnion({ Fixed: { millis: Millis }, Computed: { expression: Expression } })
export type CacheLifetime = typeof CacheLifetime.Type

export const ExtAuthz = Schema.TaggedStruct("ExtAuthz", {
  callee: Callee,
  protocol: Schema.Union([ExtAuthzGrpc, ExtAuthzHttp]).pipe(Schema.toTaggedUnion("_tag")),
  /** When the service cannot be asked. */
  failure: Schema.TaggedUnion({ Allow: {}, Deny: { status: Schema.Natural } }),
  /** Empty: what the protocol sends by custom. */
  includeRequestHeaders: Schema.Array(HeaderName),
  includeRequestBody: Schema.optionalKey(
    Schema.Struct({ maxBytes: Schema.Natural, allowPartial: Schema.Boolean, packAsBytes: Schema.Boolean }),
  ),
  cache: Schema.optionalKey(
    Schema.Struct({ key: Schema.Array(Expression), lifetime: CacheLifetime, maxEntries: Schema.Natural }),
  ),
})
export type ExtAuthz = typeof ExtAuthz.Type
