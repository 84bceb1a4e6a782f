/** What models cost, in US dollars for a million tokens. */
import * as Schema from "effect/Schema"

const Rate = Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))

export const Rates = Schema.Struct({
  input: Rate,
  output: Rate,
  cacheRead: Rate,
  cacheWrite: Rate,
  cacheWriteHour: Rate,
  reasoning: Rate,
  inputAudio: Rate,
  outputAudio: Rate,
})
export type Rates = typeof Rates.Type

export const Price = Schema.Struct({
  rates: Rates,
  /** With growing thresholds; the rates of one hold for prompts of more tokens than its threshold. */
  tiers: Schema.Array(Schema.Struct({ contextOver: Schema.Natural, rates: Rates })),
  tags: Schema.Array(Schema.String),
})
export type Price = typeof Price.Type

/** By the name of a provider, then by that of a model. */
export const Prices = Schema.Record(Schema.String, Schema.Record(Schema.String, Price))
export type Prices = typeof Prices.Type
