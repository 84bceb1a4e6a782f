/** Token buckets kept by the gateway itself, for all together or for each key; all of them must agree. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"

export const TokenBucket = Schema.Struct({
  /** At most 4 294 967 295. */
  maxTokens: Schema.Natural,
  tokensPerFill: Schema.Natural,
  fillIntervalMillis: Millis,
  /** What is counted: requests, or the tokens that models consume. */
  type: Schema.Literals(["requests", "tokens"]),
  /** Counted together with other gateways, in a store that all of them reach. */
  shared: Schema.optionalKey(Schema.Boolean),
  /** Whose limit it is: each value has a bucket of its own. Absent: one bucket for all. */
  key: Schema.optionalKey(Expression),
})
export type TokenBucket = typeof TokenBucket.Type

export const LocalRateLimit = Schema.TaggedStruct("LocalRateLimit", {
  /** Tells apart limits that say the same; one of the same id goes on counting where it was. */
  id: Schema.optionalKey(Schema.NonEmptyString),
  limits: Schema.Array(TokenBucket),
})
export type LocalRateLimit = typeof LocalRateLimit.Type
