/** Two definitions side by side, line by line, for people. What is hidden is spelled out. */
import { unveil, codePoint } from "./hidden.ts"

const linesMax = 2_000

/** With every character that cannot be seen as its number, so that no terminal does what it says. */
export const legible = (text: string): string => {
  const { characters } = unveil(text)
  let shown = text
  for (const one of characters) shown = shown.replaceAll(one, `<${codePoint(one)}>`)
  // oxlint-disable-next-line no-control-regex -- they are what must not get through
  return shown.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu, (one) => `<${codePoint(one)}>`)
}

/** A definition over many lines, its texts broken where sentences end. */
const linesOf = (canonicalText: string): ReadonlyArray<string> =>
  JSON.stringify(JSON.parse(canonicalText), undefined, 2)
    .split("\n")
    .flatMap((line) => line.replaceAll("\\n", "\n").split(/\n|(?<=[.!?])\s+(?=\S)/u))
    .slice(0, linesMax)
    .map(legible)

export interface Line {
  readonly change: "same" | "added" | "removed"
  readonly text: string
}

/** The longest common subsequence decides what stayed; definitions are short enough for the plain way. */
const compared = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<Line> => {
  const width = b.length + 1
  const length = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i * width + j] =
        a[i] === b[j]
          ? (length[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(length[(i + 1) * width + j] ?? 0, length[i * width + j + 1] ?? 0)
    }
  }
  const lines: Array<Line> = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]]
    if (left !== undefined && left === right) {
      lines.push({ change: "same", text: left })
      i++
      j++
    } else if (
      left !== undefined &&
      (right === undefined || (length[(i + 1) * width + j] ?? 0) >= (length[i * width + j + 1] ?? 0))
    ) {
      lines.push({ change: "removed", text: left })
      i++
    } else {
      lines.push({ change: "added", text: right ?? "" })
      j++
    }
  }
  return lines
}

export const difference = (before: string | undefined, after: string | undefined): ReadonlyArray<Line> =>
  compared(before === undefined ? [] : linesOf(before), after === undefined ? [] : linesOf(after))

const marks = { same: " ", added: "+", removed: "-" } as const

/** In the way of `diff`: a few lines around what changed. */
export const rendered = (lines: ReadonlyArray<Line>, around = 2): string => {
  const isNear = (at: number): boolean =>
    lines.slice(Math.max(0, at - around), at + around + 1).some(({ change }) => change !== "same")
  const out: Array<string> = []
  let isSkipping = false
  for (const [at, { change, text }] of lines.entries()) {
    if (!isNear(at)) {
      if (!isSkipping && out.length > 0) out.push("  …")
      isSkipping = true
      continue
    }
    isSkipping = false
    out.push(`${marks[change]} ${text}`)
  }
  return out.join("\n")
}
