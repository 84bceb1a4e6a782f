/** One line of the table: what is compared with what, what it may cost, and how that is found out. */
import type { Lab } from "./Lab.ts"

export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
  /** Between the first and the third quartile, as a share of the median. */
  readonly spread: number
}

/** What is promised about a row. */
export interface Bar {
  /** The figure it is about; `ratio` for ours against the floor. */
  readonly of: string
  readonly max: number
  readonly unit: "×" | "ms" | "ns" | "MB" | "kB" | "requests"
}

export interface Result {
  readonly floor?: Figure
  readonly ours: Figure
  /** Of both figures. */
  readonly unit: string
  /** What bars ask for by name. */
  readonly figures: Readonly<Record<string, Figure>>
  /** Whatever else is worth knowing. */
  readonly more: Readonly<Record<string, number | string>>
}

export interface Row {
  readonly name: string
  readonly path: string
  readonly floor: string
  readonly bars: ReadonlyArray<Bar>
  /** Everything it starts belongs to the lab, which ends it. */
  readonly run: (lab: Lab) => Promise<Result>
}

export const figure = (values: ReadonlyArray<number>): Figure => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? Number.NaN) : upper
  const median = (lower + upper) / 2
  const quartile = (share: number): number => sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN
  return {
    median,
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    spread: (quartile(0.75) - quartile(0.25)) / median,
  }
}

export const exactly = (value: number): Figure => ({ median: value, min: value, max: value, spread: 0 })

/** Where the middle half of the rounds lies further apart, more rounds are made, and then it is said. */
export const SPREAD_MAX = 0.06
