/** The source text of a CEL expression; it is parsed, checked and compiled when the Plan is. */
import * as Schema from "effect/Schema"

export const Expression = Schema.NonEmptyString.pipe(Schema.brand("Expression"))
export type Expression = typeof Expression.Type

/** A header, field or attribute whose value is computed; lists of these keep the order they were written in. */
export const NamedExpression = Schema.Struct({ name: Schema.NonEmptyString, expression: Expression })
export type NamedExpression = typeof NamedExpression.Type
