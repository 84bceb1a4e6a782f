/** Results as a table that is read in a terminal or as Markdown. */
import type { Bar, Figure, Result, Row } from "./Row.ts"

export interface Verdict extends Bar {
  readonly value: Figure
  readonly passed: boolean
}

export interface Measured {
  readonly name: string
  readonly path: string
  readonly floorIs: string
  readonly result: Result | undefined
  readonly verdicts: ReadonlyArray<Verdict>
  /** Why there is no result. */
  readonly problem: string | undefined
}

export const verdicts = (row: Row, { figures }: Result): ReadonlyArray<Verdict> =>
  row.bars.map((bar) => {
    const value = figures[bar.of]
    if (value === undefined) throw new Error(`${row.name} says nothing about ${bar.of}`)
    return { ...bar, value, passed: value.median <= bar.max }
  })

const number = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0)

const range = ({ max, median, min }: Figure): string =>
  min === max ? number(median) : `${number(median)} (${number(min)}–${number(max)})`

const heads = ["path", "floor", "ours", "", "against the bar", "bar", ""]

const lines = ({ path, problem, result, verdicts }: Measured): ReadonlyArray<ReadonlyArray<string>> => {
  if (result === undefined) return [[path, "", "", "", "", "", `failed: ${problem ?? "unknown"}`]]
  const { floor, ours, unit } = result
  return verdicts.map(({ max, of, passed, unit: measure, value }, i) => [
    i === 0 ? path : `  ${of}`,
    i > 0 || floor === undefined ? "" : range(floor),
    i > 0 ? "" : range(ours),
    i > 0 ? "" : unit,
    `${range(value)} ${measure}`,
    `≤ ${number(max)} ${measure}`,
    passed ? "pass" : "MISSED",
  ])
}

export const table = (measured: ReadonlyArray<Measured>): string => {
  const cells = [heads, ...measured.flatMap(lines)]
  const widths = heads.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0), 3))
  const written = cells.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`)
  written.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`)
  return written.join("\n")
}
