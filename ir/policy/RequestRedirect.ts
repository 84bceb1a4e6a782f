/** Answers with another address. */
import * as Schema from "effect/Schema"
import { AuthorityReplacement, PathReplacement } from "./Rewrite.ts"

export const RequestRedirect = Schema.TaggedStruct("RequestRedirect", {
  scheme: Schema.optionalKey(Schema.NonEmptyString),
  authority: Schema.optionalKey(AuthorityReplacement),
  path: Schema.optionalKey(PathReplacement),
  status: Schema.Natural,
})
export type RequestRedirect = typeof RequestRedirect.Type
