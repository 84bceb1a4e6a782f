/** Answers of models that are given again to whoever asks the same. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"
import { Callee } from "./Callee.ts"

/** Also what is asked in other words, as far as a model of embeddings says that it means the same. */
export const SemanticCache = Schema.Struct({
  callee: Callee,
  path: Schema.NonEmptyString,
  model: Schema.NonEmptyString,
  /** The least cosine of two questions that are taken for one. */
  threshold: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
  entriesMax: Schema.Natural.check(Schema.isGreaterThan(0)),
  timeoutMillis: Millis,
})
export type SemanticCache = typeof SemanticCache.Type

export const ResponseCache = Schema.Struct({
  /** Who shares answers; absent: each caller has its own. */
  key: Schema.optionalKey(Expression),
  ttlMillis: Millis,
  store: Schema.Literals(["memory", "redis"]),
  entryBytesMax: Schema.Natural.check(Schema.isGreaterThan(0)),
  /** Whether a stream comes again as it came, or all at once. */
  keepsCadence: Schema.Boolean,
  semantic: Schema.optionalKey(SemanticCache),
})
export type ResponseCache = typeof ResponseCache.Type
