/** One thing wrong with a configuration file: where, why, and what to do about it. */

export interface ConfigIssue {
  readonly severity: "error" | "warning"
  /** Counted from one. */
  readonly line: number
  readonly column: number
  /** As a person would write it: `routes[2].backends[0].host`; empty for the whole document. */
  readonly path: string
  /** The cause. */
  readonly message: string
  /** What to change; empty when the cause says it all. */
  readonly remedy: string
}

export type Path = ReadonlyArray<string | number>

const plain = /^[A-Za-z_$][\w$-]*$/

export const formatPath = (path: Path): string => {
  let text = ""
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`
    else if (plain.test(part)) text += text === "" ? part : `.${part}`
    else text += `[${JSON.stringify(part)}]`
  }
  return text
}

const charsMax = 1_000
const edgeChars = 200

/** What the file says may be long, and may hold what a terminal obeys or a reader of lines takes for the next one. */
const inOneLine = (text: string): string => {
  const short = text.length > charsMax ? `${text.slice(0, edgeChars)} … ${text.slice(-edgeChars)}` : text
  return short.replaceAll(/[\0-\x1f\x7f-\x9f\u2028\u2029]/g, (c) =>
    c === "\n" ? "\\n" : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}

/** `file.yaml:12:7 routes[0]: cause. remedy` */
export const format = (issue: ConfigIssue, file: string): string => {
  const path = inOneLine(issue.path)
  const where = `${file}:${issue.line}:${issue.column}${path === "" ? "" : ` ${path}`}`
  const message = inOneLine(issue.message)
  const cause = /[.!?]$/.test(message) ? message : `${message}.`
  const severity = issue.severity === "warning" ? "warning: " : ""
  const remedy = inOneLine(issue.remedy)
  return `${where}: ${severity}${cause}${remedy === "" ? "" : ` ${remedy}`}`
}

export const formatAll = (issues: ReadonlyArray<ConfigIssue>, file: string): string =>
  issues.map((issue) => format(issue, file)).join("\n")

export const toJson = (issues: ReadonlyArray<ConfigIssue>, file: string): string =>
  JSON.stringify(
    issues.map((issue) => ({ file, ...issue })),
    undefined,
    2,
  )

/** Reading order, errors before warnings on one spot. */
export const order = (a: ConfigIssue, b: ConfigIssue): number =>
  a.line - b.line || a.column - b.column || (a.severity === b.severity ? 0 : a.severity === "error" ? -1 : 1)

export const hasErrors = (issues: ReadonlyArray<ConfigIssue>): boolean =>
  issues.some((issue) => issue.severity === "error")
