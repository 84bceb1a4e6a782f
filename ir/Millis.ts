/** A length of time, never negative; fractions are allowed because a duration may be written in microseconds. */
import * as Schema from "effect/Schema"

export const Millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
export type Millis = typeof Millis.Type
