/** Names of headers. */
import type { Expression } from "../../../../ir/Expression.ts"
import type { ComputedHeader } from "../../../../ir/policy/Transformations.ts"
import type { Path } from "../../ConfigIssue.ts"
import type { Mapping } from "../Mapping.ts"

const token = /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/

export const headerName = (name: string, path: Path, to: Mapping): string => {
  const lower = name.toLowerCase()
  if (!token.test(lower)) to.fail(path, `${JSON.stringify(name)} is not a header name`)
  return lower
}

/** A name that no message may be given is refused here: every request would be. */
export const writableName = (
  name: string,
  path: Path,
  to: Mapping,
  complaint: (name: string) => string | undefined,
): string => {
  const lower = headerName(name, path, to)
  const problem = token.test(lower) ? complaint(lower) : undefined
  if (problem !== undefined) to.fail(path, problem)
  return lower
}

export const headerNames = (names: ReadonlyArray<string> = [], path: Path, to: Mapping): ReadonlyArray<string> =>
  names.map((name, i) => headerName(name, [...path, i], to))

export const computedHeaders = (
  map: Readonly<Record<string, Expression>> = {},
  path: Path,
  to: Mapping,
  complaint: (name: string) => string | undefined,
): ReadonlyArray<ComputedHeader> =>
  Object.entries(map).map(([name, expression]) => ({
    name: writableName(name, [...path, name], to, complaint),
    expression,
  }))
