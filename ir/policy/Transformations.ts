/** Computed changes to a request and its reply, one expression after the other. */
import * as Schema from "effect/Schema"
import { Expression, NamedExpression } from "../Expression.ts"
import { HeaderName } from "../HeaderName.ts"

export const ComputedHeader = Schema.Struct({ name: HeaderName, expression: Expression })
export type ComputedHeader = typeof ComputedHeader.Type

/** Carried out in the order of its fields. */
export const Transformation = Schema.Struct({
  metadata: Schema.Array(NamedExpression),
  /** A map that takes the place of all headers. */
  replace: Schema.optionalKey(Expression),
  add: Schema.Array(ComputedHeader),
  set: Schema.Array(ComputedHeader),
  remove: Schema.Array(HeaderName),
  body: Schema.optionalKey(Expression),
})
export type Transformation = typeof Transformation.Type

export const Transformations = Schema.TaggedStruct("Transformations", {
  request: Schema.optionalKey(Transformation),
  response: Schema.optionalKey(Transformation),
})
export type Transformations = typeof Transformations.Type
