/** Which addresses may pass. Every policy that is in force judges for itself: all of them must let a request pass. */
import * as Schema from "effect/Schema"

export const IpAccessControl = Schema.TaggedStruct("IpAccessControl", {
  /** Ranges such as `10.0.0.0/8`; empty: any address but those denied. */
  allow: Schema.Array(Schema.NonEmptyString),
  deny: Schema.Array(Schema.NonEmptyString),
  /** How many proxies in front write `X-Forwarded-For`; absent: the address of the connection is judged. */
  trustedHops: Schema.optionalKey(Schema.Natural),
  /** Addresses that are not public pass whatever the lists say. */
  skipsPrivate: Schema.Boolean,
  /** Every address of `X-Forwarded-For` is judged, and that of the connection. */
  isWholeChain: Schema.Boolean,
  chainLengthMax: Schema.Natural,
})
export type IpAccessControl = typeof IpAccessControl.Type
