/** Where a connection can be made to. */
import * as Schema from "effect/Schema"

export const HostTarget = Schema.TaggedUnion({
  /** A DNS name or an address literal. */
  Host: { host: Schema.NonEmptyString, port: Schema.Port },
  Unix: { path: Schema.NonEmptyString },
})
export type HostTarget = typeof HostTarget.Type
