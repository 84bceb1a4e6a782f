/** A path or an authority that takes the place of another, in rewrites and redirects. */
import * as Schema from "effect/Schema"
import type { PathReplacement } from "../../../../ir/policy/Rewrite.ts"
import { exactlyOne, opt, Port } from "../grammar.ts"

const authorityFields = { full: opt(Schema.NonEmptyString), host: opt(Schema.NonEmptyString), port: opt(Port) }
export const PathChange = exactlyOne(Schema.Struct({ full: opt(Schema.String), prefix: opt(Schema.String) }), [
  "full",
  "prefix",
])
export type PathChange = typeof PathChange.Type
export const AuthorityChange = exactlyOne(Schema.Struct(authorityFields), ["full", "host", "port"])
export type AuthorityChange = typeof AuthorityChange.Type

export const pathChange = (change: PathChange): PathReplacement =>
  change.prefix === undefined ? { _tag: "Full", path: change.full ?? "" } : { _tag: "Prefix", prefix: change.prefix }

export const authorityChange = (change: AuthorityChange) => {
  if (change.full !== undefined) return { _tag: "Full", authority: change.full } as const
  if (change.host !== undefined) return { _tag: "Host", host: change.host } as const
  return { _tag: "Port", port: change.port ?? 0 } as const
}
