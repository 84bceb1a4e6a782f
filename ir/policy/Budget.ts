/** What may be spent on models in a time. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"

export const Budget = Schema.Struct({
  name: Schema.NonEmptyString,
  /** Everybody with the same value shares one budget; absent: all together. */
  key: Schema.optionalKey(Expression),
  /** US dollars. */
  usd: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
  tokens: Schema.optionalKey(Schema.Natural),
  /** Windows begin at multiples of this since 1970. */
  windowMillis: Millis,
  /** Whether who has spent it is refused, or only marked. */
  hard: Schema.Boolean,
  /** In the storage of the gateway unless set. */
  store: Schema.optionalKey(Schema.Literals(["redis"])),
})
export type Budget = typeof Budget.Type
