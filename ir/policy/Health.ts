/** What counts as a failure of an endpoint, and when it is put aside. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"

const Score = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

export const Eviction = Schema.Struct({
  durationMillis: Schema.optionalKey(Millis),
  restoreHealth: Schema.optionalKey(Score),
  consecutiveFailures: Schema.optionalKey(Schema.Natural),
  healthThreshold: Schema.optionalKey(Score),
})
export type Eviction = typeof Eviction.Type

/** Asking providers of models how they are, instead of learning it from requests. */
export const ActiveHealth = Schema.Struct({
  path: Schema.NonEmptyString,
  intervalMillis: Millis,
  timeoutMillis: Millis,
  /** So many bad answers in a row put it aside, so many good ones bring it back. */
  unhealthyThreshold: Schema.Natural,
  healthyThreshold: Schema.Natural,
  /** Empty: any 2xx. */
  expectedStatuses: Schema.Array(Schema.Natural),
})
export type ActiveHealth = typeof ActiveHealth.Type

export const Health = Schema.TaggedStruct("Health", {
  unhealthyExpression: Schema.optionalKey(Expression),
  eviction: Schema.optionalKey(Eviction),
  active: Schema.optionalKey(ActiveHealth),
})
export type Health = typeof Health.Type
