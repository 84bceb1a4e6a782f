/** What a new key is for; a stranger may have written it. Loaded by the first who asks for one. */
import * as Schema from "effect/Schema"
import { Budget } from "../../ir/policy/Budget.ts"

export const Wanted = Schema.Struct({
  name: Schema.NonEmptyString,
  /** What expressions know of its holder: user, team, tools and whatever else. */
  metadata: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  models: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  tools: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  budgets: Schema.optionalKey(Schema.Array(Budget)),
  expiresMillis: Schema.optionalKey(Schema.Finite),
})
export type Wanted = typeof Wanted.Type

export const decodeWanted = Schema.decodeUnknownExit(Wanted, { onExcessProperty: "error" })
