/** Counts tokens with the tables of OpenAI's models; megabytes of them, so they are read when they are first needed. */
import * as Effect from "effect/Effect"
import type { Tokens } from "../../stages/ports/Tokens.ts"

interface Encoding {
  readonly countTokens: (text: string, options?: typeof noneSpecial) => number
}

/** A text without a space to split it at costs the square of its length; counting in pieces is off by a token or two. */
const PIECE_CHARS_MAX = 8_192

/** Models from before 2024 use the older table; everybody else's tokens are closer to the newer one. */
const isOlder = (model: string | undefined): boolean =>
  model !== undefined && /^(?:gpt-4(?!o|\.|\d)|gpt-3\.5|text-embedding-)/.test(model)

const counted = (encoding: Encoding, text: string): number => {
  let tokens = 0
  for (let at = 0; at < text.length; at += PIECE_CHARS_MAX) {
    tokens += encoding.countTokens(text.slice(at, at + PIECE_CHARS_MAX), noneSpecial)
  }
  return tokens
}

/** Text that looks like a special token is text. */
const noneSpecial = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() }

export const make = (): Tokens => {
  let newer: Encoding | undefined
  let older: Encoding | undefined
  let loading: Promise<void> | undefined
  const load = async (): Promise<void> => {
    const [o200k, cl100k] = await Promise.all([
      import("gpt-tokenizer/encoding/o200k_base"),
      import("gpt-tokenizer/encoding/cl100k_base"),
    ])
    newer = o200k
    older = cl100k
  }
  return {
    load: Effect.suspend(() => (newer === undefined ? Effect.promise(() => (loading ??= load())) : Effect.void)),
    count: (model, text) => {
      const encoding = isOlder(model) ? older : newer
      return encoding === undefined ? undefined : counted(encoding, text)
    },
  }
}
