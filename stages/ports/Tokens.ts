/** Counting tokens as models do; tables are large, so they are loaded when somebody first needs them. */
import * as Effect from "effect/Effect"

export interface Tokens {
  /** Makes ready for counting; done at once where it is. */
  readonly load: Effect.Effect<void>
  /** Undefined while nothing is loaded. */
  readonly count: (model: string | undefined, text: string) => number | undefined
}

/** About four characters a token, for where nothing better is at hand. */
export const guess = (text: string): number => Math.ceil(text.length / 4)

export const guessing: Tokens = { load: Effect.void, count: (_, text) => guess(text) }
