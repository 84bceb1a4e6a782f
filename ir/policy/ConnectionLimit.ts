/** How many connections may be open at once, in all or from one address. */
import * as Schema from "effect/Schema"

export const ConnectionLimit = Schema.TaggedStruct("ConnectionLimit", {
  /** Tells apart limits that say the same; one of the same id goes on counting those that are open. */
  id: Schema.optionalKey(Schema.NonEmptyString),
  connectionsMax: Schema.optionalKey(Schema.Natural),
  /** Of IPv6 addresses the first 64 bits count: whoever has one usually has all of them. */
  connectionsPerAddressMax: Schema.optionalKey(Schema.Natural),
})
export type ConnectionLimit = typeof ConnectionLimit.Type
