/** How many exchanges may be under way at once, for all together or for each key; every limit must have room. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"

export const Concurrency = Schema.Struct({
  /** Which exchanges it is for. Absent: all of them. */
  condition: Schema.optionalKey(Expression),
  maxConcurrent: Schema.Natural,
  /** Whose limit it is: each value is counted for itself. Absent: all together. */
  key: Schema.optionalKey(Expression),
  /** Absent: whoever finds no room is refused at once. */
  queue: Schema.optionalKey(Schema.Struct({ maxWaiting: Schema.Natural, timeoutMillis: Millis })),
  /** What a client is told for whom there is no room. */
  status: Schema.Literals([429, 503]),
  retryAfterMillis: Millis,
})
export type Concurrency = typeof Concurrency.Type

export const ConcurrencyLimit = Schema.TaggedStruct("ConcurrencyLimit", {
  /** Tells apart limits that say the same; one of the same id goes on counting those who are inside. */
  id: Schema.optionalKey(Schema.NonEmptyString),
  limits: Schema.Array(Concurrency),
  /** Whether only the first limit whose condition holds counts, instead of every one. */
  onlyFirst: Schema.optionalKey(Schema.Boolean),
})
export type ConcurrencyLimit = typeof ConcurrencyLimit.Type
