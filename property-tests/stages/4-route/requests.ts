/** Routes and requests from small alphabets, so that they meet, tie and shadow each other. */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { ListenerKey, RouteKey } from "../../../ir/Key.ts"
import type { HeaderMatch, Match, PathMatch, QueryMatch, ValueMatch } from "../../../ir/Match.ts"
import type { Route } from "../../../ir/Route.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { RouteRequest } from "../../../stages/4-route/tree.ts"

export const oneOf = <const A extends ReadonlyArray<string>>(...values: A): Arbitrary.Arbitrary<A[number]> =>
  Arbitrary.schema(Schema.Literals(values))

export const someOf = <A>(item: Arbitrary.Arbitrary<A>, maxLength: number): Arbitrary.Arbitrary<Array<A>> =>
  Arbitrary.array(item, { maxLength })

export const hostnames = ["a.b.c", "x.b.c", "b.c", "*.b.c", "*.c", "*.a.b.c", "*", "c"] as const
const hosts = ["a.b.c", "x.b.c", "b.c", "y.x.b.c", "c", "d.c", "d", "", ".b.c", "x.a.b.c"] as const
const paths = [
  "/",
  "/a",
  "/a/",
  "/a//",
  "/a/b",
  "/a/b/",
  "/ab",
  "//",
  "/a//b",
  "/b",
  "/b/a",
  "/a/b/a",
  "",
  "*",
  "/é",
] as const
const patterns = [
  "/a",
  "/a/.*",
  "/[ab]",
  "/a|/b",
  "/.*",
  "/a+",
  ".*",
  "/(a|b)/?",
  "^/a$",
  "/a{1,2}",
  "/a.b?",
  "(/a)?/b",
  "/ab?",
  "[/|]a",
  "\\/a\\/*",
  "/a/?b*",
  "/[^|]*|x",
] as const

const exactOrPrefix = Arbitrary.all([oneOf("Exact", "Prefix", "Prefix"), oneOf(...paths)]).pipe(
  Arbitrary.map(([_tag, path]): PathMatch => ({ _tag, path })),
)
const expression = oneOf(...patterns).pipe(Arbitrary.map((pattern): PathMatch => ({ _tag: "Regex", pattern })))

const values = ["1", "2", "a b", "", "GET", "http", "/a?x=1", "a.b.c", "ws"] as const
const value = Arbitrary.all([
  oneOf("Exact", "Exact", "Regex"),
  oneOf(...values),
  oneOf("1", "[12]", ".*", "1|2", "G.T", "1?"),
]).pipe(
  Arbitrary.map(([kind, exact, pattern]): ValueMatch =>
    kind === "Exact" ? { _tag: kind, value: exact } : { _tag: kind, pattern },
  ),
)
const header: Arbitrary.Arbitrary<HeaderMatch> = Arbitrary.all({
  name: oneOf("x", "x", "y", ":method", ":path", ":scheme", ":authority", ":status", "host", "upgrade"),
  value,
})
const parameter: Arbitrary.Arbitrary<QueryMatch> = Arbitrary.all({ name: oneOf("x", "y", "?x"), value })

const matchOn = (path: Arbitrary.Arbitrary<PathMatch>, conditionsMax: number): Arbitrary.Arbitrary<Match> =>
  Arbitrary.all({
    path,
    method: oneOf("", "", "", "GET", "POST", "get"),
    headers: someOf(header, conditionsMax),
    query: someOf(parameter, conditionsMax),
  }).pipe(
    Arbitrary.map(({ path, method, headers, query }) => ({
      path,
      ...(method === "" ? {} : { method }),
      headers,
      query,
    })),
  )

const anyPath = Arbitrary.all([oneOf("plain", "plain", "expression"), exactOrPrefix, expression]).pipe(
  Arbitrary.map(([kind, plain, expression]) => (kind === "plain" ? plain : expression)),
)
/** Puts many pairs on one path, so that they are looked up and not tried in turn. */
const crowdedPath = oneOf("/a", "/a", "/a/").pipe(Arbitrary.map((path): PathMatch => ({ _tag: "Prefix", path })))

/** Keys whose order by bytes is neither that of numbers nor that of UTF-16. */
const keys = ["r1", "r10", "r2", "R", "r", "é", "\ufb01", "\u{1f600}", ..."abcdefghijklmnopqrstuvwxyz"] as const

const route = (
  match: Arbitrary.Arbitrary<Match>,
  hostname: Arbitrary.Arbitrary<string>,
  matchesMax: number,
): Arbitrary.Arbitrary<Route> =>
  Arbitrary.all({ key: oneOf(...keys), hostnames: someOf(hostname, 2), matches: someOf(match, matchesMax) }).pipe(
    Arbitrary.map(({ key, hostnames, matches }) => ({
      key: RouteKey.make(key),
      parent: { _tag: "Listener" as const, listener: ListenerKey.make("l") },
      name: { name: key, namespace: "default" },
      hostnames,
      matches,
      backends: [],
      policies: [],
    })),
  )

/** Spread over hosts and paths. */
export const routes: Arbitrary.Arbitrary<ReadonlyArray<Route>> = someOf(
  route(matchOn(anyPath, 1), oneOf(...hostnames), 4),
  20,
)

/** All in one place, told apart by methods, headers and parameters. */
export const crowd: Arbitrary.Arbitrary<ReadonlyArray<Route>> = someOf(
  route(matchOn(crowdedPath, 2), oneOf("*"), 8),
  20,
)

const pieces = ["x=1", "x=2", "y=1", "x", "y=", "x=%31", "%78=2", "x=a+b", "", "?x=1", "=1", "x=1=2", "xx=1"] as const
const query = someOf(oneOf(...pieces), 4).pipe(
  Arbitrary.map((pieces) => (pieces.length === 0 ? undefined : pieces.join("&"))),
)

export const request: Arbitrary.Arbitrary<RouteRequest> = Arbitrary.all({
  method: oneOf("GET", "POST", "get"),
  scheme: oneOf("http", "https"),
  host: oneOf(...hosts, "a.b.c", "a.b.c", "x.b.c"),
  path: oneOf(...paths, "/a/c", "/abc", "/a/b/c"),
  query,
  fields: someOf(Arbitrary.all([oneOf("x", "x", "y"), oneOf("1", "2", "a b", "")]), 4),
  upgrade: oneOf("", "ws"),
}).pipe(
  Arbitrary.map(({ method, scheme, host, path, query, fields, upgrade }) => ({
    method,
    scheme,
    authority: host,
    host,
    path,
    query,
    headers: new Headers(fields.flat()),
    upgrade: upgrade === "" ? undefined : upgrade,
  })),
)

export const requests = Arbitrary.array(request, { minLength: 1, maxLength: 12 })

/** The later of two routes with one key. */
export const unique = (routes: ReadonlyArray<Route>): ReadonlyArray<Route> => [
  ...new Map(routes.map((route) => [route.key, route])).values(),
]
