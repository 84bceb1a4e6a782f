/** The `grpc-timeout` field: at most eight digits and a unit. */

const DIGITS_MAX = 99_999_999

const units: ReadonlyArray<readonly [unit: string, millis: number]> = [
  ["m", 1],
  ["S", 1_000],
  ["M", 60_000],
  ["H", 3_600_000],
]

/** Rounded up, so that a server never gives up before the client does; the finest unit that can say it. */
export const formatTimeout = (millis: number): string => {
  const whole = Math.max(0, Math.ceil(millis))
  for (const [unit, size] of units) {
    const count = Math.ceil(whole / size)
    if (count <= DIGITS_MAX) return `${count}${unit}`
  }
  return `${DIGITS_MAX}H`
}

const millisPer: Readonly<Record<string, number>> = {
  n: 1e-6,
  u: 1e-3,
  m: 1,
  S: 1_000,
  M: 60_000,
  H: 3_600_000,
}

/** Undefined: it says no time. */
export const parseTimeout = (text: string): number | undefined => {
  const [, digits, unit = ""] = /^(\d{1,8})([numSMH])$/.exec(text) ?? []
  const size = millisPer[unit]
  return digits === undefined || size === undefined ? undefined : Number(digits) * size
}
