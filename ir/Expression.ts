/** The source text of a CEL expression; it is parsed, checked and compiled when the Plan is. */
import * as Schema from "effect/Schema"

export const Expression = Schema.NonEmptyString.pipe(Schema.brand("Expression"))
export type Expression = typeof Expression.Type
