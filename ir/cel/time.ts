/** Timestamps and durations: reading, writing, arithmetic and calendar fields. */
import { CelError, Duration, Timestamp } from "./CelValue.ts"

const SECONDS_MIN = -62_135_596_800
const SECONDS_MAX = 253_402_300_799
/** The range of a 64-bit count of nanoseconds. */
const DURATION_SECONDS_MAX = 9_223_372_036

const NANOS = 1_000_000_000
const timestampRange = new CelError("range", "timestamp out of range: years 0001 to 9999")
const durationRange = new CelError("range", "duration out of range: about 292 years")

const normal = (seconds: number, nanos: number): readonly [seconds: number, nanos: number] => {
  const carry = Math.floor(nanos / NANOS)
  return [seconds + carry, nanos - carry * NANOS]
}

export const makeTimestamp = (seconds: number, nanos = 0): Timestamp | CelError => {
  const [s, n] = normal(seconds, nanos)
  return s >= SECONDS_MIN && s <= SECONDS_MAX ? new Timestamp(s, n) : timestampRange
}

export const makeDuration = (seconds: number, nanos = 0): Duration | CelError => {
  const [s, n] = normal(seconds, nanos)
  return s >= -DURATION_SECONDS_MAX && s <= DURATION_SECONDS_MAX ? new Duration(s, n) : durationRange
}

export const timestampFromMillis = (millis: number): Timestamp | CelError =>
  makeTimestamp(Math.floor(millis / 1000), Math.round((millis - Math.floor(millis / 1000) * 1000) * 1e6))

export const durationFromMillis = (millis: number): Duration | CelError =>
  makeDuration(Math.floor(millis / 1000), Math.round((millis - Math.floor(millis / 1000) * 1000) * 1e6))

export const timestampMillis = (value: Timestamp): number => value.seconds * 1000 + value.nanos / 1e6
export const durationMillis = (value: Duration): number => value.seconds * 1000 + value.nanos / 1e6

const rfc3339 = /^(\d{4,5})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/

export const parseTimestamp = (text: string): Timestamp | CelError => {
  const match = rfc3339.exec(text)
  if (match === null) return new CelError("invalid", `not an RFC 3339 timestamp: ${text.slice(0, 64)}`)
  const [, year, month, day, hour, minute, second, fraction = "", sign, offsetHours = "0", offsetMinutes = "0"] = match
  const fields = [Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)] as const
  const date = new Date(0)
  date.setUTCFullYear(fields[0], fields[1] - 1, fields[2])
  date.setUTCHours(fields[3], fields[4], fields[5])
  const exists =
    date.getUTCMonth() === fields[1] - 1 &&
    date.getUTCDate() === fields[2] &&
    fields[3] < 24 &&
    fields[4] < 60 &&
    fields[5] < 60
  if (!exists) return new CelError("invalid", `no such date or time: ${text}`)
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60 * (sign === "-" ? -1 : 1)
  return makeTimestamp(date.getTime() / 1000 - offset, Number(fraction.padEnd(9, "0")))
}

const fractionText = (nanos: number): string =>
  nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`

export const printTimestamp = (value: Timestamp): string =>
  `${new Date(value.seconds * 1000).toISOString().slice(0, 19)}${fractionText(value.nanos)}Z`

export const printDuration = (value: Duration): string => {
  if (value.seconds >= 0) return `${value.seconds}${fractionText(value.nanos)}s`
  return value.nanos === 0 ? `${value.seconds}s` : `-${-value.seconds - 1}${fractionText(NANOS - value.nanos)}s`
}

const unitNanos: Readonly<Record<string, number>> = {
  h: 3600e9,
  m: 60e9,
  s: 1e9,
  ms: 1e6,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ns: 1,
}

/** Reads `1h30m`, `-1.5s`, `0`. */
export const parseDuration = (text: string): Duration | CelError => {
  const sign = text.startsWith("-") ? -1 : 1
  const rest = /^[+-]/.test(text) ? text.slice(1) : text
  if (rest === "0") return new Duration(0, 0)
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+$/.test(rest))
    return new CelError("invalid", `not a duration: ${text.slice(0, 64)} (write 1h30m, 1.5s, 250ms)`)
  let total = 0n
  for (const [, whole = "", fraction = "", unit = ""] of rest.matchAll(/(\d*)\.?(\d*)(h|ms|m|s|us|µs|μs|ns)/g)) {
    if (whole.length + fraction.length > 40) return durationRange
    total += (BigInt(whole + fraction) * BigInt(unitNanos[unit] ?? 0)) / 10n ** BigInt(fraction.length)
  }
  const seconds = total / BigInt(NANOS)
  if (seconds > BigInt(DURATION_SECONDS_MAX)) return durationRange
  return makeDuration(sign * Number(seconds), sign * Number(total % BigInt(NANOS)))
}

export const addDuration = (value: Timestamp, by: Duration, sign: 1 | -1): Timestamp | CelError =>
  makeTimestamp(value.seconds + sign * by.seconds, value.nanos + sign * by.nanos)

export const sumDurations = (left: Duration, right: Duration, sign: 1 | -1): Duration | CelError =>
  makeDuration(left.seconds + sign * right.seconds, left.nanos + sign * right.nanos)

export const between = (from: Timestamp, to: Timestamp): Duration | CelError =>
  makeDuration(to.seconds - from.seconds, to.nanos - from.nanos)

export type CalendarField = "year" | "month" | "dayOfYear" | "date" | "dayOfWeek" | "hours" | "minutes" | "seconds"

/** A calendar field of a moment in a zone: an offset (`+01:00`, `-02:30`) or a name (`Europe/Berlin`). UTC when absent. */
export const calendar = (value: Timestamp, field: CalendarField, zone: string | undefined): number | CelError => {
  const shift = zone === undefined ? 0 : offsetSeconds(value, zone)
  if (typeof shift !== "number") return shift
  const date = new Date((value.seconds + shift) * 1000)
  switch (field) {
    case "year":
      return date.getUTCFullYear()
    case "month":
      return date.getUTCMonth()
    case "date":
      return date.getUTCDate()
    case "dayOfWeek":
      return date.getUTCDay()
    case "hours":
      return date.getUTCHours()
    case "minutes":
      return date.getUTCMinutes()
    case "seconds":
      return date.getUTCSeconds()
    case "dayOfYear": {
      const start = new Date(0)
      start.setUTCFullYear(date.getUTCFullYear(), 0, 1)
      return Math.floor((date.getTime() - start.getTime()) / 86_400_000)
    }
  }
}

const ZONES_MAX = 512
const zones = new Map<string, Intl.DateTimeFormat | null>()

const zoneFormat = (zone: string): Intl.DateTimeFormat | null => {
  const known = zones.get(zone)
  if (known !== undefined) return known
  let made: Intl.DateTimeFormat | null = null
  try {
    made = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    })
  } catch {
    made = null
  }
  // The names come from expressions, which may build them from a request.
  if (zones.size >= ZONES_MAX) zones.clear()
  zones.set(zone, made)
  return made
}

const offsetSeconds = (value: Timestamp, zone: string): number | CelError => {
  const match = /^([+-]?)(\d\d):(\d\d)$/.exec(zone)
  if (match !== null) return (Number(match[2]) * 60 + Number(match[3])) * 60 * (match[1] === "-" ? -1 : 1)
  const format = zone.length > 64 ? null : zoneFormat(zone)
  if (format === null) return new CelError("invalid", `no such time zone: ${zone.slice(0, 64)}`)
  const parts: Record<string, string> = {}
  for (const part of format.formatToParts(value.seconds * 1000)) parts[part.type] = part.value
  const local = new Date(0)
  const year = Number(parts["year"])
  local.setUTCFullYear(parts["era"] === "BC" ? 1 - year : year, Number(parts["month"]) - 1, Number(parts["day"]))
  local.setUTCHours(Number(parts["hour"]), Number(parts["minute"]), Number(parts["second"]))
  return local.getTime() / 1000 - value.seconds
}
