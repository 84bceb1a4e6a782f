/** Route choice by definition: every host pattern in turn, every pair sorted, the first that matches. */
import type { HeaderMatch, Match, PathMatch, QueryMatch, ValueMatch } from "../../ir/Match.ts"
import type { Route } from "../../ir/Route.ts"
import type { RouteRequest } from "../../stages/4-route/tree.ts"

export interface Choice {
  readonly route: Route
  readonly match: Match
  readonly host: string
}

export const choose = (routes: ReadonlyArray<Route>, request: RouteRequest): Choice | undefined => {
  for (const host of patternsFor(request.host)) {
    const pairs: Array<Choice> = []
    for (const route of routes)
      if (takesHost(route, host)) for (const match of route.matches) pairs.push({ route, match, host })
    const hit = pairs.sort(byRank).find((pair) => matches(pair.match, request))
    if (hit !== undefined) return hit
  }
  return undefined
}

/** `a.b.c`, `*.b.c`, `*.c`, then those without hostnames. */
export const patternsFor = (host: string): ReadonlyArray<string> => {
  const labels = host.split(".")
  const suffixes = labels.map((_, i) => `*.${labels.slice(i).join(".")}`).slice(1)
  return [host, ...suffixes.filter((_, i) => labels.slice(0, i + 1).join(".") !== ""), "*"]
}

const takesHost = (route: Route, host: string): boolean =>
  route.hostnames.includes(host) || (host === "*" && route.hostnames.length === 0)

/** Array sort is stable, so the matches of one route stay as they are written. */
const byRank = (a: Choice, b: Choice): number => {
  if (isExact(a) !== isExact(b)) return isExact(a) ? -1 : 1
  if (pathText(a).length !== pathText(b).length) return pathText(b).length - pathText(a).length
  if (hasMethod(a) !== hasMethod(b)) return hasMethod(a) ? -1 : 1
  if (a.match.headers.length !== b.match.headers.length) return b.match.headers.length - a.match.headers.length
  if (a.match.query.length !== b.match.query.length) return b.match.query.length - a.match.query.length
  return Buffer.compare(Buffer.from(a.route.key), Buffer.from(b.route.key))
}

const isExact = (pair: Choice): boolean => pair.match.path._tag === "Exact"
const hasMethod = (pair: Choice): boolean => pair.match.method !== undefined
const pathText = ({ match: { path } }: Choice): string => (path._tag === "Regex" ? path.pattern : path.path)

export const matches = (match: Match, request: RouteRequest): boolean =>
  matchesPath(match.path, request.path) &&
  (match.method === undefined || match.method === request.method) &&
  match.headers.every((header) => matchesHeader(header, request)) &&
  match.query.every((parameter) => matchesQuery(parameter, request))

const matchesPath = (match: PathMatch, path: string): boolean => {
  switch (match._tag) {
    case "Exact":
      return path === match.path
    case "Regex":
      return wholly(match.pattern, path)
    case "Prefix": {
      const prefix = match.path.replace(/\/+$/, "")
      const trimmed = path.replace(/\/+$/, "")
      return trimmed === prefix || (trimmed.startsWith(prefix) && trimmed[prefix.length] === "/")
    }
  }
}

const matchesHeader = (match: HeaderMatch, request: RouteRequest): boolean =>
  valuesOf(match.name, request).some((value) => matchesValue(match.value, value))

const valuesOf = (name: string, request: RouteRequest): ReadonlyArray<string> => {
  const target = request.query ? `${request.path}?${request.query}` : request.path
  if (name === ":method") return [request.method]
  if (name === ":scheme") return [request.scheme]
  if (name === ":authority" || name === "host") return [request.authority]
  if (name === "upgrade") return request.upgrade === undefined ? [] : [request.upgrade]
  if (name === ":path") return [target]
  return request.headers.all(name)
}

const matchesQuery = (match: QueryMatch, request: RouteRequest): boolean => {
  const values: Array<string> = []
  for (const piece of (request.query ?? "").split("&")) {
    if (piece === "") continue
    const [name = "", ...rest] = piece.split("=")
    if (decoded(name) === match.name) values.push(decoded(rest.join("=")))
  }
  const last = values.at(-1)
  return last !== undefined && matchesValue(match.value, last)
}

/** Only for well-formed escapes, which is all that the generators write. */
const decoded = (text: string): string => decodeURIComponent(text.replaceAll("+", " "))

const matchesValue = (match: ValueMatch, value: string): boolean =>
  match._tag === "Exact" ? match.value === value : wholly(match.pattern, value)

/** The generators write only what both dialects read alike. */
export const wholly = (pattern: string, text: string): boolean => new RegExp(`^(?:${pattern})$`).test(text)
