/** The name of a header in lower case, or a pseudo header such as `:method`. */
import * as Schema from "effect/Schema"

export const HeaderName = Schema.NonEmptyString.check(
  Schema.isPattern(/^:?[!#$%&'*+.^_`|~0-9a-z-]+$/, { expected: "a header name in lower case" }),
)
export type HeaderName = typeof HeaderName.Type
