/**
 * Signs that a text tries to take a model over, each with the weight of what it says by itself. A guess: whoever knows
 * the signs can write around them, so this stands beside other guards and never instead of them.
 */
import type { Span } from "./MaskedText.ts"

interface Sign {
  readonly name: string
  /** From 0 to 1. */
  readonly weight: number
  /** Bounded everywhere, so that it takes time in proportion to the text. */
  readonly pattern: RegExp
}

const between = "(?:[\\p{L}\\p{N}'’]{1,24}[\\s,]{1,4}){0,4}"
const sign = (name: string, weight: number, source: string): Sign => ({
  name,
  weight,
  pattern: new RegExp(source, "giu"),
})

const signs: ReadonlyArray<Sign> = [
  sign(
    "override",
    0.7,
    `\\b(?:ignore|disregard|forget|override|bypass|skip)[\\s,]{1,4}${between}(?:previous|prior|above|earlier|preceding|foregoing|former|original|system|initial)\\s{1,4}${between}(?:instructions?|prompts?|rules?|messages?|directions?|guidelines?|context|text|commands?)\\b`,
  ),
  sign(
    "own rules",
    0.6,
    `\\b(?:ignore|disregard|forget|override|bypass|drop)\\s{1,4}(?:all\\s{1,4}|any\\s{1,4})?(?:of\\s{1,4})?(?:your|the|these|those)\\s{1,4}${between}(?:instructions?|rules?|guidelines?|restrictions?|training|programming|safety|polic(?:y|ies)|filters?)\\b`,
  ),
  sign(
    "system prompt",
    0.6,
    `\\b(?:reveal|show|print|repeat|output|leak|display|give|tell|recite|summari[sz]e|translate)\\s{1,4}${between}(?:system\\s{1,4}prompt|(?:initial|hidden|secret|original|developer|system)\\s{1,4}(?:instructions?|prompts?|messages?)|instructions?\\s{1,4}(?:above|you\\s{1,4}were\\s{1,4}given))`,
  ),
  sign(
    "without limits",
    0.5,
    `\\b(?:you\\s{1,4}are\\s{1,4}now|act\\s{1,4}as|pretend\\s{1,4}(?:to\\s{1,4}be|that\\s{1,4}you|you))\\s{1,4}${between}(?:dan|unrestricted|unfiltered|uncensored|jailbroken|unbound|evil|without\\s{1,4}(?:any\\s{1,4})?(?:rules|restrictions|limits|filters)|no\\s{1,4}(?:rules|restrictions|limits))\\b`,
  ),
  sign(
    "jailbreak",
    0.5,
    "\\b(?:do\\s{1,4}anything\\s{1,4}now|developer\\s{1,4}mode\\s{1,4}(?:enabled|on)|jailbreak(?:\\s{1,4}mode)?\\s{1,4}(?:enabled|on|activated))\\b",
  ),
  sign(
    "forged turn",
    0.5,
    "<\\|(?:im_start|im_end|system|start_header_id|eot_id)\\|>|<{1,2}/?sys>{1,2}|\\[/?INST\\]|^[\\t #*-]{0,8}(?:new\\s{1,4}|important\\s{1,4})?system\\s{0,4}(?:prompt|message|instructions?|override)?\\s{0,4}[:>\\]]",
  ),
  sign(
    "secrecy",
    0.4,
    `\\b(?:do\\s{1,4}not|don['’]t|never)\\s{1,4}(?:tell|inform|mention\\s{1,4}(?:this|it)\\s{1,4}to|alert|notify|warn)\\s{1,4}(?:the\\s{1,4})?(?:user|human|anyone|operator)\\b`,
  ),
  sign(
    "coded",
    0.4,
    "\\b(?:decode|decipher|unscramble)\\s{1,4}[^.\\n]{0,80}?\\b(?:and|then)\\s{1,4}(?:follow|execute|obey|run|do)\\b",
  ),
]

/** Letters that are not seen, and letters of other alphabets that look the same, hide no sign. */
const invisible = /[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/g
const lookalikes: Readonly<Record<string, string>> = {
  а: "a",
  е: "e",
  і: "i",
  о: "o",
  р: "p",
  с: "c",
  у: "y",
  х: "x",
  ѕ: "s",
  ԁ: "d",
  ο: "o",
  α: "a",
  ι: "i",
  ν: "v",
}

interface Plain {
  readonly text: string
  /** Where each unit of the text stood before. */
  readonly from: ReadonlyArray<number>
}

const plain = (text: string): Plain => {
  let out = ""
  const from: Array<number> = []
  let at = 0
  for (const char of text) {
    invisible.lastIndex = 0
    const seen = invisible.test(char) ? "" : (lookalikes[char] ?? char.normalize("NFKC"))
    for (let i = 0; i < seen.length; i++) from.push(at)
    out += seen
    at += char.length
  }
  from.push(text.length)
  return { text: out, from }
}

export const MASK = "<PROMPT_INJECTION>"

export interface Suspicion {
  /** From 0 to 1: how likely the signs make it together. */
  readonly score: number
  readonly spans: ReadonlyArray<Span>
}

export const suspect = (text: string): Suspicion => {
  const { from, text: seen } = plain(text)
  let innocence = 1
  const found: Array<{ start: number; end: number }> = []
  for (const { pattern, weight } of signs) {
    let hasIt = false
    for (const match of seen.matchAll(pattern)) {
      hasIt = true
      found.push({ start: from[match.index] ?? 0, end: from[match.index + match[0].length] ?? text.length })
    }
    if (hasIt) innocence *= 1 - weight
  }
  const spans: Array<Span> = []
  for (const { end, start } of found.toSorted((a, b) => a.start - b.start)) {
    const last = spans.at(-1)
    if (last !== undefined && start <= last.end) spans[spans.length - 1] = { ...last, end: Math.max(last.end, end) }
    else spans.push({ start, end, text: MASK })
  }
  return { score: 1 - innocence, spans }
}
