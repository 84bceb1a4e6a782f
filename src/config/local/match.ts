/** What a request must look like, as the file writes it. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { exactlyOne, opt, req } from "./grammar.ts"

const value = exactlyOne(Schema.Struct({ exact: opt(Schema.String), regex: opt(Schema.String) }), ["exact", "regex"])

const headerName = Schema.String.check(
  Schema.isPattern(/^(?::(?:method|scheme|authority|path)|[!#$%&'*+.^_`|~0-9A-Za-z-]+)$/, {
    message: "expected a header name, `:method`, `:scheme`, `:authority` or `:path`",
  }),
)

export const HeaderMatch = Schema.Struct({ name: headerName, value })
export type HeaderMatch = typeof HeaderMatch.Type

export const QueryMatch = Schema.Struct({ name: Schema.NonEmptyString, value })
export type QueryMatch = typeof QueryMatch.Type

const rooted = (what: string) =>
  Schema.makeFilter((path: string) =>
    path !== "" && !path.startsWith("/")
      ? `${what} starts with \`/\`, or no request can match it`
      : path.includes("?")
        ? `${what} has no query, or no request can match it: parameters are matched by \`query\``
        : /^[\x21\x22\x24-\x5b\x5d-\x7e]*$/.test(path)
          ? undefined
          : `${what} has other characters percent-encoded, or no request can match it`,
  )

const routeMatchShape = Schema.Struct({
  path: opt(
    exactlyOne(
      Schema.Struct({
        exact: opt(Schema.NonEmptyString.check(rooted("a path"))),
        pathPrefix: opt(Schema.String.check(rooted("a path prefix"))),
        regex: opt(Schema.NonEmptyString, "RE2 syntax; must match the whole path."),
      }),
      ["exact", "pathPrefix", "regex"],
    ),
    "Every path unless set.",
  ),
  method: opt(Schema.String.check(Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { message: "expected a method" }))),
  headers: opt(Schema.Array(HeaderMatch), "All of them must match."),
  query: opt(Schema.Array(QueryMatch), "All of them must match."),
}).annotate({ identifier: "RouteMatch" })
export interface RouteMatchSchema extends Named<typeof routeMatchShape> {}
export const RouteMatch: RouteMatchSchema = routeMatchShape
export type RouteMatch = typeof RouteMatch.Type

export const Matches = req(Schema.Array(RouteMatch), "Any of them must match; every request unless set.")
