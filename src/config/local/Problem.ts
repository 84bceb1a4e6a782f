/** An issue before its place in the text is known: what later steps find is named by path alone. */
import type { Path } from "../ConfigIssue.ts"

export interface Problem {
  readonly path: Path
  readonly message: string
  readonly remedy: string
  readonly severity: "error" | "warning"
  /** Which end of the pair to point at; the value unless said otherwise. */
  readonly at?: "key"
  /** How far inside the text of the value. */
  readonly inside?: number
}

export const error = (path: Path, message: string, remedy = ""): Problem => ({
  path,
  message,
  remedy,
  severity: "error",
})

export const warning = (path: Path, message: string, remedy = ""): Problem => ({
  path,
  message,
  remedy,
  severity: "warning",
})

/** True when `inner` lies at `outer` or below it. */
export const within = (inner: Path, outer: Path): boolean =>
  outer.length <= inner.length && outer.every((part, i) => part === inner[i])
