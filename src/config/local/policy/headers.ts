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

export const headerNames = (names: ReadonlyArray<string> = [], path: Path, to: Mapping): ReadonlyArray<string> =>
  names.map((name, i) => headerName(name, [...path, i], to))

export const computedHeaders = (
  map: Readonly<Record<string, Expression>> = {},
  path: Path,
  to: Mapping,
): ReadonlyArray<ComputedHeader> =>
  Object.entries(map).map(([name, expression]) => ({ name: headerName(name, [...path, name], to), expression }))
