/** Calendar fields of timestamps, totals of durations. */
import { Duration, textOf, Timestamp } from "../CelValue.ts"
import { type CalendarField, calendar } from "../time.ts"
import { type CelFunction, define, noOverload } from "./define.ts"

const getter = (
  name: string,
  field: CalendarField | "millis",
  add: number,
  total?: (seconds: number, nanos: number) => number,
): CelFunction =>
  define(
    [
      `timestamp.${name}() -> int`,
      `timestamp.${name}(string) -> int`,
      ...(total === undefined ? [] : [`duration.${name}() -> int`]),
    ],
    (value, zone?) => {
      const place = zone === undefined ? undefined : textOf(zone)
      if (zone !== undefined && place === undefined) return noOverload(name, value, zone)
      if (value instanceof Timestamp) {
        if (field === "millis") return Math.trunc(value.nanos / 1e6)
        const found = calendar(value, field, place)
        return typeof found === "number" ? found + add : found
      }
      return value instanceof Duration && total !== undefined && zone === undefined
        ? Math.trunc(total(value.seconds, value.nanos)) + 0
        : noOverload(name, value)
    },
  )

/** Toward zero, as whole seconds and nanoseconds are stored rounded down. */
const inUnits = (perUnit: number) => (seconds: number, nanos: number) =>
  Math.trunc((seconds < 0 && nanos > 0 ? seconds + 1 : seconds) / perUnit)

export const times: ReadonlyArray<CelFunction> = [
  getter("getFullYear", "year", 0),
  getter("getMonth", "month", 0),
  getter("getDayOfYear", "dayOfYear", 0),
  getter("getDayOfMonth", "date", -1),
  getter("getDate", "date", 0),
  getter("getDayOfWeek", "dayOfWeek", 0),
  getter("getHours", "hours", 0, inUnits(3600)),
  getter("getMinutes", "minutes", 0, inUnits(60)),
  getter("getSeconds", "seconds", 0, inUnits(1)),
  getter("getMilliseconds", "millis", 0, (_, nanos) => nanos / 1e6),
]
