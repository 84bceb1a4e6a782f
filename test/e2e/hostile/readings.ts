/**
 * How servers that are easier to please than ours would read the same bytes. Each reading forgives everything it can:
 * where two of them find different requests, a request could be hidden from one of them.
 */

/** Which of two contradicting framings a reader believes. */
type Framing = "chunked" | "length" | "last length"

export interface Reading {
  readonly name: string
  readonly framing: Framing
  readonly lineEnd: RegExp
}

const lineEnds = { lf: /\r?\n/g, cr: /\r\n|\n|\r/g }

export const readings: ReadonlyArray<Reading> = (["chunked", "length", "last length"] as const).flatMap((framing) =>
  Object.entries(lineEnds).map(([end, lineEnd]) => ({
    name: `${framing} first, lines end at ${end}`,
    framing,
    lineEnd,
  })),
)

/** What an ordinary server does. */
export const ordinary: Reading = { name: "ordinary", framing: "chunked", lineEnd: lineEnds.lf }

export interface Seen {
  /** The request line as it came. */
  readonly line: string
  readonly head: string
  readonly body: string
  /** Whether the reader would have served it. */
  readonly complete: boolean
  /** Where the next one begins. */
  readonly end: number
}

interface Line {
  readonly text: string
  readonly next: number
}

const lineAt = (text: string, at: number, { lineEnd }: Reading): Line | undefined => {
  lineEnd.lastIndex = at
  const found = lineEnd.exec(text)
  return found === null ? undefined : { text: text.slice(at, found.index), next: found.index + found[0].length }
}

/** As forgiving as a name can be read: case, and bytes that no name has, do not matter. */
const nameOf = (field: string): string =>
  (field.split(":", 1)[0] as string).toLowerCase().replaceAll(/[^a-z0-9_-]/g, "")

const valueOf = (field: string): string => field.slice(field.indexOf(":") + 1)

interface Body {
  readonly text: string
  readonly end: number
  readonly complete: boolean
}

const chunks = (text: string, start: number, reading: Reading): Body => {
  let at = start
  let body = ""
  for (;;) {
    const line = lineAt(text, at, reading)
    if (line === undefined) return { text: body, end: text.length, complete: false }
    const size = Number.parseInt(line.text.trim(), 16)
    at = line.next
    if (!(size > 0)) break
    if (at + size > text.length) return { text: body + text.slice(at), end: text.length, complete: false }
    body += text.slice(at, at + size)
    at += size
    const after = lineAt(text, at, reading)
    if (after !== undefined && after.text === "") at = after.next
  }
  for (let line = lineAt(text, at, reading); line !== undefined; line = lineAt(text, at, reading)) {
    at = line.next
    if (line.text === "") return { text: body, end: at, complete: true }
  }
  return { text: body, end: text.length, complete: false }
}

const sized = (text: string, start: number, length: number): Body => ({
  text: text.slice(start, start + length),
  end: Math.min(start + length, text.length),
  complete: start + length <= text.length,
})

/** The first request at that place; undefined where there is none. */
export const readOne = (text: string, start: number, reading: Reading): Seen | undefined => {
  let at = start
  while (at < text.length && (text[at] === "\r" || text[at] === "\n")) at++
  if (at === text.length) return undefined
  const lines: Array<string> = []
  const from = at
  for (;;) {
    const line = lineAt(text, at, reading)
    if (line === undefined) {
      return { line: lines[0] ?? text.slice(from), head: text.slice(from), body: "", complete: false, end: text.length }
    }
    at = line.next
    if (line.text === "") break
    lines.push(line.text)
  }
  const lengths = lines
    .slice(1)
    .filter((field) => nameOf(field) === "content-length")
    .map((field) => Number.parseInt(valueOf(field), 10))
    .filter((length) => length >= 0)
  const chunked = lines.some((field, i) => i > 0 && nameOf(field) === "transfer-encoding" && /chunked/i.test(field))
  const length = reading.framing === "last length" ? lengths.at(-1) : lengths[0]
  const inChunks = chunked && (reading.framing === "chunked" || length === undefined)
  const body = inChunks ? chunks(text, at, reading) : sized(text, at, length ?? 0)
  return {
    line: lines[0] as string,
    head: text.slice(from, at),
    body: body.text,
    complete: body.complete,
    end: body.end,
  }
}

/** Every request that reader finds. */
export const read = (text: string, reading: Reading): ReadonlyArray<Seen> => {
  const found: Array<Seen> = []
  for (let at = 0; ;) {
    const one = readOne(text, at, reading)
    if (one === undefined) return found
    found.push(one)
    at = one.end
  }
}
