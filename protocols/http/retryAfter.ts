/** How long a server that answers 429 wants to be left alone, in any of the ways in which servers say it. */
import { parseHttpDate } from "./date.ts"
import type { Headers } from "./headers.ts"

/** A hint beyond this is taken for this: timers overflow, and no server is worth waiting for longer. */
export const RETRY_HINT_MILLIS_MAX = 7 * 24 * 3_600_000

const bounded = (millis: number): number => Math.min(Math.max(Math.ceil(millis), 0), RETRY_HINT_MILLIS_MAX)

const decimal = /^\d{1,15}(?:\.\d{1,9})?$/

/** `Retry-After`: seconds or a date (RFC 9110 §10.2.3). */
export const parseRetryAfter = (value: string, nowMillis: number): number | undefined => {
  const text = value.trim()
  if (decimal.test(text)) return bounded(Number(text) * 1000)
  const date = parseHttpDate(text, nowMillis)
  return date === undefined ? undefined : bounded(date - nowMillis)
}

const part = /(\d{1,15}(?:\.\d{1,9})?)(h|ms|m|s|us|µs|ns|d)/y
const unitMillis: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
}

/** `6m0s`, `1.5s`, `20ms`, or bare seconds, as model providers write them. */
const parseSpan = (text: string): number | undefined => {
  if (decimal.test(text)) return Number(text) * 1000
  let millis = 0
  let at = 0
  while (at < text.length) {
    part.lastIndex = at
    const found = part.exec(text)
    if (found === null) return undefined
    millis += Number(found[1]) * (unitMillis[found[2] as string] as number)
    at = part.lastIndex
  }
  return at === 0 ? undefined : millis
}

const THIRTY_DAYS_SECONDS = 30 * 86_400
/** An epoch beyond this many seconds (the year 5138) was meant in milliseconds. */
const EPOCH_SECONDS_MAX = 100_000_000_000

const parseReset = (text: string, nowMillis: number): number | undefined => {
  if (!decimal.test(text)) return parseSpan(text)
  const value = Number(text)
  if (value < THIRTY_DAYS_SECONDS) return value * 1000
  return (value < EPOCH_SECONDS_MAX ? value * 1000 : value) - nowMillis
}

const family = [
  "x-ratelimit-reset-requests",
  "x-ratelimit-reset-tokens",
  "x-ratelimit-reset-requests-day",
  "x-ratelimit-reset-tokens-minute",
]

/** Anthropic tells of several limits at once, each with the time at which it is full again: those that are used up count. */
const anthropicFamily = ["requests", "tokens", "input-tokens", "output-tokens"]
const anthropicWait = (headers: Headers, nowMillis: number): number | undefined => {
  let most: number | undefined
  for (const limit of anthropicFamily) {
    if (headers.get(`anthropic-ratelimit-${limit}-remaining`)?.trim() !== "0") continue
    const reset = Date.parse(headers.get(`anthropic-ratelimit-${limit}-reset`) ?? "") - nowMillis
    if (!Number.isNaN(reset) && (most === undefined || reset > most)) most = reset
  }
  return most
}

/** The wait that a 429 asks for, from the first kind of hint that can be read. */
export const retryHintMillis = (headers: Headers, nowMillis: number): number | undefined => {
  const after = headers.get("retry-after")
  const wait = after === undefined ? undefined : parseRetryAfter(after, nowMillis)
  if (wait !== undefined) return wait

  const exact = headers.get("retry-after-ms")?.trim()
  if (exact !== undefined && decimal.test(exact)) return bounded(Number(exact))

  const reset = headers.get("x-ratelimit-reset")
  const until = reset === undefined ? undefined : parseReset(reset.trim(), nowMillis)
  if (until !== undefined) return bounded(until)

  let least: number | undefined
  for (const name of family) {
    const value = headers.get(name)
    const span = value === undefined ? undefined : parseSpan(value.trim())
    if (span !== undefined && (least === undefined || span < least)) least = span
  }
  const wanted = least ?? anthropicWait(headers, nowMillis)
  return wanted === undefined ? undefined : bounded(wanted)
}
