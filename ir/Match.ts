/** What a request must look like for a route to take it. */
import * as Schema from "effect/Schema"

/** Regular expressions use the RE2 dialect and must match the whole text. */
export const PathMatch = Schema.TaggedUnion({
  Exact: { path: Schema.String },
  Prefix: { path: Schema.String },
  Regex: { pattern: Schema.String },
})
export type PathMatch = typeof PathMatch.Type

export const ValueMatch = Schema.TaggedUnion({
  Exact: { value: Schema.String },
  Regex: { pattern: Schema.String },
})
export type ValueMatch = typeof ValueMatch.Type

/** The name is in lower case, or one of `:method`, `:scheme`, `:authority`, `:path`. */
export const HeaderMatch = Schema.Struct({ name: Schema.NonEmptyString, value: ValueMatch })
export type HeaderMatch = typeof HeaderMatch.Type

export const QueryMatch = Schema.Struct({ name: Schema.NonEmptyString, value: ValueMatch })
export type QueryMatch = typeof QueryMatch.Type

export const Match = Schema.Struct({
  path: PathMatch,
  method: Schema.optionalKey(Schema.NonEmptyString),
  headers: Schema.Array(HeaderMatch),
  query: Schema.Array(QueryMatch),
})
export type Match = typeof Match.Type

/** Takes every request. */
export const any: Match = { path: { _tag: "Prefix", path: "/" }, headers: [], query: [] }
