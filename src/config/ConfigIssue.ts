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

/** `file.yaml:12:7 routes[0]: cause. remedy` */
export const format = (issue: ConfigIssue, file: string): string => {
  const where = `${file}:${issue.line}:${issue.column}${issue.path === "" ? "" : ` ${issue.path}`}`
  const cause = /[.!?]$/.test(issue.message) ? issue.message : `${issue.message}.`
  const severity = issue.severity === "warning" ? "warning: " : ""
  return `${where}: ${severity}${cause}${issue.remedy === "" ? "" : ` ${issue.remedy}`}`
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
