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

export class Findings {
  readonly all: Array<Finding> = []
  add(grade: Grade, path: string, message: string): void {
    this.all.push({ grade, path, message })
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
