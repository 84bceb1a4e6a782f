/** Policies in Cedar, and how a request is told to them. */
import * as Schema from "effect/Schema"
import { Expression, NamedExpression } from "../Expression.ts"

/** An entity made of a request: what is absent is made of what is known of the caller and what is asked for. */
export const CedarEntity = Schema.Struct({
  type: Schema.NonEmptyString,
  id: Expression,
  attributes: Schema.Array(NamedExpression),
  /** Gives a list of texts such as `Group::"admins"`. */
  parents: Schema.optionalKey(Expression),
})
export type CedarEntity = typeof CedarEntity.Type

export const Cedar = Schema.Struct({
  policies: Schema.NonEmptyString,
  /** As Cedar writes entities in JSON. */
  entities: Schema.Array(Schema.Json),
  principal: Schema.optionalKey(CedarEntity),
  action: Schema.optionalKey(Expression),
  resource: Schema.optionalKey(CedarEntity),
  context: Schema.Array(NamedExpression),
})
export type Cedar = typeof Cedar.Type
