/** Replacements for parts of a URL, shared by rewrites and redirects. */
import * as Schema from "effect/Schema"

export const AuthorityReplacement = Schema.TaggedUnion({
  /** Host and port. */
  Full: { authority: Schema.NonEmptyString },
  Host: { host: Schema.NonEmptyString },
  Port: { port: Schema.Port },
})
export type AuthorityReplacement = typeof AuthorityReplacement.Type

export const PathReplacement = Schema.TaggedUnion({
  Full: { path: Schema.String },
  /** Only where the route matched by prefix. */
  Prefix: { prefix: Schema.String },
})
export type PathReplacement = typeof PathReplacement.Type
