/** Which exchanges are traced, with which attributes, and who receives the spans. */
import * as Schema from "effect/Schema"
import { Expression, NamedExpression } from "../Expression.ts"
import { Callee } from "./Callee.ts"
import { otlpFields } from "./Otlp.ts"

export const Sampling = Schema.TaggedUnion({
  Fraction: { fraction: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })) },
  Computed: { expression: Expression },
})
export type Sampling = typeof Sampling.Type

export const Tracing = Schema.TaggedStruct("Tracing", {
  callee: Callee,
  attributes: Schema.Array(NamedExpression),
  resources: Schema.Array(NamedExpression),
  remove: Schema.Array(Schema.String),
  /** For requests that come without a trace. */
  randomSampling: Schema.optionalKey(Sampling),
  /** For requests whose client samples. */
  clientSampling: Schema.optionalKey(Sampling),
  /** Whatever the client decided: its requests are sampled like all others. */
  decidesAlone: Schema.optionalKey(Schema.Boolean),
  filter: Schema.optionalKey(Expression),
  ...otlpFields,
})
export type Tracing = typeof Tracing.Type
