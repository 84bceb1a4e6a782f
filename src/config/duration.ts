/** Durations as Go writes them: `1h30m`, `1.5s`, `0`. */
import * as Result from "effect/Result"
import { type Parsed, refuse } from "./Complaint.ts"

const millis: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

const whole = /^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/
const parts = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g

export const pattern = "^(0|((\\d+(\\.\\d*)?|\\.\\d+)(ns|us|µs|ms|s|m|h))+)$"

const remedy = "Write a number with a unit, such as `500ms`, `30s`, `5m` or `1h30m`."

/** Milliseconds, fractions included. */
export const parse = (text: string): Parsed<number> => {
  const trimmed = text.trim()
  if (trimmed.startsWith("-")) return refuse(`negative string not allowed: ${JSON.stringify(text)}`, remedy)
  if (trimmed === "0") return Result.succeed(0)
  if (!whole.test(trimmed)) {
    return refuse(
      /^\d+(\.\d+)?$/.test(trimmed)
        ? `the duration ${JSON.stringify(text)} has no unit`
        : `${JSON.stringify(text)} is not a duration`,
      remedy,
    )
  }
  let total = 0
  for (const [, amount, unit] of trimmed.matchAll(parts)) total += Number(amount) * (millis[unit ?? ""] ?? 0)
  const rounded = Math.round(total * 1e6) / 1e6
  return Number.isFinite(rounded) && rounded <= Number.MAX_SAFE_INTEGER
    ? Result.succeed(rounded)
    : refuse(`${JSON.stringify(text)} is too long`, remedy)
}

/** The same as Go prints it: `1m30s`. */
export const format = (amountMillis: number): string => {
  if (amountMillis === 0) return "0s"
  if (amountMillis < 1) return `${Math.round(amountMillis * 1e6)}ns`
  if (amountMillis < 1_000) return `${amountMillis}ms`
  const hours = Math.floor(amountMillis / 3_600_000)
  const minutes = Math.floor((amountMillis % 3_600_000) / 60_000)
  const seconds = Math.round((amountMillis % 60_000) * 1e6) / 1e9
  return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`
}
