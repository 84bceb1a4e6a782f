/** What a rule finds, and how it becomes an issue of the resource that it was found in. */
import type { Futile } from "../futile.ts"
import type { Issue } from "../Issue.ts"
import type { Path } from "../references.ts"
import type { Snapshot } from "../Snapshot.ts"

export type Found = Pick<Issue, "code" | "path" | "message" | "remedy"> & Partial<Pick<Issue, "severity">>

/** Says of one resource what was found in it. */
export type At = (found: Found) => Issue

export const issue = (table: keyof Snapshot, key: string, found: Found): Issue => ({
  severity: "error",
  resource: { table, key },
  ...found,
})

export const dangling = (path: Path, what: string): Found => ({
  code: "dangling",
  path,
  message: `there is no ${what}`,
  remedy: "correct the name, or add what it names",
})

export const noEffect = ({ message, remedy, severity }: Futile, path: Path): Found => ({
  code: "noEffect",
  path,
  message,
  remedy,
  ...(severity === undefined ? {} : { severity }),
})
