/** HTTP dates in their three forms (RFC 9110 §5.6.7). */

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const imf = /^(?:mon|tue|wed|thu|fri|sat|sun), (\d\d) ([a-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) gmt$/
const rfc850 = /^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\d\d)-([a-z]{3})-(\d\d) (\d\d):(\d\d):(\d\d) gmt$/
const asctime = /^(?:mon|tue|wed|thu|fri|sat|sun) ([a-z]{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/

const at = (
  year: number,
  month: string | undefined,
  day: string | undefined,
  hour: string | undefined,
  minute: string | undefined,
  second: string | undefined,
): number | undefined => {
  const index = months.indexOf(month ?? "")
  const date = Number(day)
  if (index < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60 || date < 1) return undefined
  // Date.UTC would take a year below 100 for one of the last century.
  const millis = new Date(0)
  millis.setUTCFullYear(year, index, date)
  if (millis.getUTCDate() !== date) return undefined
  return millis.setUTCHours(Number(hour), Number(minute), Number(second))
}

/** Milliseconds since 1970, or undefined. A two-digit year is the one nearest to now. */
export const parseHttpDate = (text: string, nowMillis: number): number | undefined => {
  const lower = text.toLowerCase()
  let found = imf.exec(lower)
  if (found !== null) return at(Number(found[3]), found[2], found[1], found[4], found[5], found[6])
  found = asctime.exec(lower)
  if (found !== null) return at(Number(found[6]), found[1], found[2]?.trim(), found[3], found[4], found[5])
  found = rfc850.exec(lower)
  if (found === null) return undefined
  const now = new Date(nowMillis).getUTCFullYear()
  if (Number.isNaN(now)) return undefined
  let year = now - (now % 100) + Number(found[3])
  if (year > now + 50) year -= 100
  else if (year <= now - 50) year += 100
  return at(year, found[2], found[1], found[4], found[5], found[6])
}

/** The preferred form. */
export const formatHttpDate = (millis: number): string => new Date(millis).toUTCString()
