/** What a request must look like, from the file's words to the snapshot's. */
import {
  any,
  type HeaderMatch as IrHeaderMatch,
  type Match,
  type PathMatch,
  type ValueMatch,
} from "../../../ir/Match.ts"
import { patternProblem } from "../checkPatterns.ts"
import type { Path } from "../ConfigIssue.ts"
import type { Mapping } from "./Mapping.ts"
import type { HeaderMatch, RouteMatch } from "./match.ts"
import { present } from "./present.ts"

const pattern = (text: string, path: Path, to: Mapping): string => {
  const problem = patternProblem(text)
  if (problem !== undefined) to.fail(path, problem, "Write an expression in RE2 syntax.")
  return text
}

/** `path` leads to the value. */
export const valueMatch = (value: HeaderMatch["value"], path: Path, to: Mapping): ValueMatch =>
  value.regex === undefined
    ? { _tag: "Exact", value: value.exact ?? "" }
    : { _tag: "Regex", pattern: pattern(value.regex, [...path, "regex"], to) }

const pathMatch = (one: NonNullable<RouteMatch["path"]>, path: Path, to: Mapping): PathMatch => {
  if (one.exact !== undefined) return { _tag: "Exact", path: one.exact }
  if (one.regex !== undefined) return { _tag: "Regex", pattern: pattern(one.regex, [...path, "regex"], to) }
  return { _tag: "Prefix", path: one.pathPrefix === "" ? "/" : (one.pathPrefix ?? "/") }
}

/** Leave a request before routes are looked at: they are between the client and this gateway. */
const unseen = new Set([
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
])

const headerMatch = (one: HeaderMatch, path: Path, to: Mapping): IrHeaderMatch => {
  const name = one.name.toLowerCase()
  if (unseen.has(name)) {
    to.warn(
      [...path, "name"],
      `\`${one.name}\` is between a client and the gateway, so no request is found by it`,
      "Match another header.",
    )
  }
  return { name, value: valueMatch(one.value, [...path, "value"], to) }
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
    path: one.path === undefined ? any.path : pathMatch(one.path, [...path, "path"], to),
    ...present({ method: one.method }),
    headers: (one.headers ?? []).map((header, i) => headerMatch(header, [...path, "headers", i], to)),
    query: (one.query ?? []).map(({ name, value }, i) => ({
      name,
      value: valueMatch(value, [...path, "query", i, "value"], to),
    })),
  }
}
