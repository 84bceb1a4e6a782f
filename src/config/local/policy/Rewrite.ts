/** A path or an authority that takes the place of another, in rewrites and redirects. */
import * as Schema from "effect/Schema"
import type { AuthorityReplacement, PathReplacement } from "../../../../ir/policy/Rewrite.ts"
import { compileAuthority, compilePath } from "../../../../stages/5-policy/destination.ts"
import type { Path } from "../../ConfigIssue.ts"
import { exactlyOne, opt, Port } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"

const authorityFields = { full: opt(Schema.NonEmptyString), host: opt(Schema.NonEmptyString), port: opt(Port) }
export const PathChange = exactlyOne(Schema.Struct({ full: opt(Schema.String), prefix: opt(Schema.String) }), [
  "full",
  "prefix",
])
export type PathChange = typeof PathChange.Type
export const AuthorityChange = exactlyOne(Schema.Struct(authorityFields), ["full", "host", "port"])
export type AuthorityChange = typeof AuthorityChange.Type

export const pathChange = (change: PathChange, path: Path, to: Mapping): PathReplacement => {
  const [field, made] =
    change.prefix === undefined
      ? (["full", { _tag: "Full", path: change.full ?? "" }] as const)
      : (["prefix", { _tag: "Prefix", prefix: change.prefix }] as const)
  const problem = compilePath(made)
  if (typeof problem === "string") {
    to.fail([...path, field], problem, "Leave the query out, and write other characters percent-encoded.")
  }
  return made
}

export const authorityChange = (change: AuthorityChange, path: Path, to: Mapping): AuthorityReplacement => {
  const [field, made] =
    change.full !== undefined
      ? (["full", { _tag: "Full", authority: change.full }] as const)
      : change.host !== undefined
        ? (["host", { _tag: "Host", host: change.host }] as const)
        : (["port", { _tag: "Port", port: change.port ?? 0 }] as const)
  const problem = compileAuthority(made)
  if (typeof problem === "string") {
    to.fail([...path, field], problem, "Write `www.example.com`; a port goes into `full`.")
  }
  return made
}
