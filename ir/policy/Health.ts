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

export const Health = Schema.TaggedStruct("Health", {
  unhealthyExpression: Schema.optionalKey(Expression),
  eviction: Schema.optionalKey(Eviction),
})
export type Health = typeof Health.Type
