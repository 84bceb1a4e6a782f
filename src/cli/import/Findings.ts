/** What became of each part of a configuration that is carried over. */
/** How well something was carried over: as it was, nearly, or not at all because only a person can. */
export type Grade = "exact" | "approximate" | "manual" | "unsupported"

export interface Finding {
  readonly grade: Grade
  readonly path: string
  readonly message: string
}

export interface Imported {
  readonly config: Record<string, unknown>
  readonly findings: ReadonlyArray<Finding>
}

export type Fields = Readonly<Record<string, unknown>>

export const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}
export const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** As a person would read it, whatever it is: a file may hold anything anywhere. */
export const wordOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value)
/** A number, also as a text; anything else is what it is otherwise. */
export const numberOf = (value: unknown, otherwise: number): number => {
  const number = typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN
  return Number.isFinite(number) ? number : otherwise
}

export class Findings {
  readonly all: Array<Finding> = []
  add(grade: Grade, path: string, message: string): void {
    this.all.push({ grade, path, message })
  }
  /** The fields of what should be a map; what is something else is told. */
  fields(value: unknown, path: string): Fields {
    if (value !== undefined && value !== null && (typeof value !== "object" || Array.isArray(value)))
      this.add("manual", path, "should be a map, and is left out")
    return fieldsOf(value)
  }
  /** The parts of what should be a list; what is something else is told. */
  list(value: unknown, path: string): ReadonlyArray<unknown> {
    if (value !== undefined && value !== null && !Array.isArray(value))
      this.add("manual", path, "should be a list, and is left out")
    return listOf(value)
  }
  /** Whatever nobody asked for is told, never dropped in silence. */
  rest(value: unknown, path: string, known: ReadonlyArray<string>): void {
    for (const key of Object.keys(fieldsOf(value))) {
      if (!known.includes(key))
        this.add("manual", `${path}.${key}`, "has no counterpart that could be written by itself")
    }
  }
}

/** `os.environ/NAME`, `${env:NAME}` and `${input:name}` are variables; a key in the open is kept as it is, and said. */
export const secretOf = (value: unknown, path: string, findings: Findings): string | undefined => {
  const text = textOf(value)
  if (text === undefined) return undefined
  const named = withVariables(text)
  if (named.includes("$")) return named
  findings.add("approximate", path, "a key in the open: move it to a variable or a file")
  return text
}

const variableOf = (name: string): string => name.replaceAll(/\W+/g, "_").toUpperCase()

/** A text in which what others call variables is written as ours are. */
export const withVariables = (text: string): string =>
  text
    .replace(/^os\.environ\/(\w+)$/, (_, name: string) => `$${name}`)
    .replaceAll(/\$\{env:(\w+)\}/g, (_, name: string) => `\${${name}}`)
    .replaceAll(/\$\{input:([\w.-]+)\}/g, (_, name: string) => `\${${variableOf(name)}}`)
    .replace(/^\$\{(\w+)\}$/, (_, name: string) => `$${name}`)
