/** What a request must look like, from the file's words to the snapshot's. */
import { any, type Match, type PathMatch, type ValueMatch } from "../../../ir/Match.ts"
import type { Path } from "../ConfigIssue.ts"
import type { Mapping } from "./Mapping.ts"
import type { HeaderMatch, RouteMatch } from "./match.ts"
import { present } from "./present.ts"

export const valueMatch = (value: HeaderMatch["value"]): ValueMatch =>
  value.regex === undefined ? { _tag: "Exact", value: value.exact ?? "" } : { _tag: "Regex", pattern: value.regex }

const pathMatch = (path: NonNullable<RouteMatch["path"]>): PathMatch => {
  if (path.exact !== undefined) return { _tag: "Exact", path: path.exact }
  if (path.regex !== undefined) return { _tag: "Regex", pattern: path.regex }
  return { _tag: "Prefix", path: path.pathPrefix === "" ? "/" : (path.pathPrefix ?? "/") }
}

const common = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"])

export const match = (one: RouteMatch, path: Path, to: Mapping): Match => {
  const upper = one.method?.toUpperCase()
  if (one.method !== undefined && upper !== undefined && one.method !== upper && common.has(upper)) {
    to.warn(
      [...path, "method"],
      `\`${one.method}\` is not \`${upper}\`: methods keep their letter case`,
      `Write \`${upper}\`.`,
    )
  }
  return {
    path: one.path === undefined ? any.path : pathMatch(one.path),
    ...present({ method: one.method }),
    headers: (one.headers ?? []).map(({ name, value }) => ({ name: name.toLowerCase(), value: valueMatch(value) })),
    query: (one.query ?? []).map(({ name, value }) => ({ name, value: valueMatch(value) })),
  }
}
