/** One (route, match) pair under one host pattern: its rank among the others and what it asks of a request. */
import * as Result from "effect/Result"
import type { Match, PathMatch, ValueMatch } from "../../ir/Match.ts"
import type { Route } from "../../ir/Route.ts"
import type { Headers } from "../../protocols/http/headers.ts"
import * as Regex from "./Regex.ts"

export interface RouteRequest {
  readonly method: string
  readonly scheme: string
  readonly authority: string
  /** In lower case, without port. */
  readonly host: string
  /** Raw, without query. */
  readonly path: string
  /** Raw, without the question mark. */
  readonly query: string | undefined
  readonly headers: Headers
  /** The protocol the client asks to switch to. */
  readonly upgrade: string | undefined
}

export interface Candidate<A> {
  readonly route: Route
  readonly value: A
}

export interface Found<A> {
  readonly value: A
  readonly route: Route
  readonly match: Match
  /** The host pattern that led here; `*` for a route without hostnames. */
  readonly host: string
}

/** One header or query parameter that must be there. */
export interface Condition {
  /** Of a header that has left the list, the one it is found under. */
  readonly name: string
  readonly exact: string | undefined
  readonly regex: Regex.Regex | undefined
}

export interface Entry<A> extends Found<A> {
  /** Place among the matches of its route: the last word between pairs of one route. */
  readonly place: number
  readonly pathLength: number
  /** Of the match, beside the rest of what a request is held against. */
  readonly method: string | undefined
  readonly headers: ReadonlyArray<Condition>
  readonly query: ReadonlyArray<Condition>
  /** Nothing but host and path is asked for. */
  readonly isPlain: boolean
}

/** Patterns that many routes share are compiled once per change. */
export type Compiler = (pattern: string) => Regex.Regex

export const compiler = (): Compiler => {
  const known = new Map<string, Regex.Regex>()
  return (pattern) => {
    const before = known.get(pattern)
    if (before !== undefined) return before
    const regex = Result.getOrElse(Regex.compile(pattern), () => Regex.never(pattern))
    known.set(pattern, regex)
    return regex
  }
}

/** Every pair of a candidate. A route without matches has none, so it takes nothing. */
export const entriesOf = <A>({ route, value }: Candidate<A>, compile: Compiler): ReadonlyArray<Entry<A>> => {
  const entries: Array<Entry<A>> = []
  const hosts = route.hostnames.length === 0 ? ["*"] : new Set(route.hostnames)
  for (let place = 0; place < route.matches.length; place++) {
    const match = route.matches[place] as Match
    const headers = match.headers.map(({ name, value }) => condition(moved.get(name) ?? name, value, compile))
    const query = match.query.map((parameter) => condition(parameter.name, parameter.value, compile))
    const pathLength = textOf(match.path).length
    const { method } = match
    const isPlain = method === undefined && headers.length === 0 && query.length === 0
    for (const host of hosts)
      entries.push({ value, route, match, host, place, pathLength, method, headers, query, isPlain })
  }
  return entries
}

/** Where headers are found that are more than headers. */
const moved = new Map([
  ["host", ":authority"],
  ["upgrade", ":upgrade"],
  ["connection", ":connection"],
])

const condition = (name: string, value: ValueMatch, compile: Compiler): Condition =>
  value._tag === "Exact"
    ? { name, exact: value.value, regex: undefined }
    : { name, exact: undefined, regex: compile(value.pattern) }

/** What is written: its length ranks, slashes at the end included. */
const textOf = (path: PathMatch): string => (path._tag === "Regex" ? path.pattern : path.path)

/** A prefix ends at a segment: `/a` and `/a/` are the same one. */
export const trimmed = (prefix: string): string => {
  let end = prefix.length
  while (end > 0 && prefix.charCodeAt(end - 1) === slash) end--
  return prefix.slice(0, end)
}

export const slash = 47

/** Negative when `a` is tried before `b`; 0 only for the same pair. */
export const compare = <A>(a: Entry<A>, b: Entry<A>): number => {
  return (
    Number(b.match.path._tag === "Exact") - Number(a.match.path._tag === "Exact") ||
    b.pathLength - a.pathLength ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    b.headers.length - a.headers.length ||
    b.query.length - a.query.length ||
    compareText(a.route.key, b.route.key) ||
    a.place - b.place
  )
}

/** The order of the UTF-8 bytes, which is not that of UTF-16 units once surrogates are involved. */
export const compareText = (a: string, b: string): number => {
  if (a === b) return 0
  const end = Math.min(a.length, b.length)
  for (let i = 0; i < end; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return byteOrder(left) - byteOrder(right)
  }
  return a.length - b.length
}

const byteOrder = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/**
 * `TooLong` is a value that a regular expression may not look at. It ends the search: going on to a wider route would
 * let a client choose, by sending more, whose policies it meets.
 */
export const Verdict = { No: 0, Yes: 1, TooLong: 2 } as const
export type Verdict = (typeof Verdict)[keyof typeof Verdict]

/** Everything but host and path. */
export const accepts = <A>(entry: Entry<A>, request: RouteRequest): Verdict => {
  if (entry.isPlain) return Verdict.Yes
  const { headers, method, query } = entry
  if (method !== undefined && method !== request.method) return Verdict.No
  for (let i = 0; i < headers.length; i++) {
    const verdict = acceptsHeader(headers[i] as Condition, request)
    if (verdict !== Verdict.Yes) return verdict
  }
  for (let i = 0; i < query.length; i++) {
    const verdict = acceptsQuery(query[i] as Condition, request)
    if (verdict !== Verdict.Yes) return verdict
  }
  return Verdict.Yes
}

/** One value out of several is enough. */
export const acceptsHeader = (condition: Condition, request: RouteRequest): Verdict => {
  const pseudo = pseudoHeader(condition.name, request)
  if (pseudo !== undefined) return acceptsValue(condition, pseudo)
  const flat = request.headers.flat
  let verdict: Verdict = Verdict.No
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== condition.name) continue
    const one = acceptsValue(condition, flat[i + 1] as string)
    if (one === Verdict.Yes) return one
    if (one === Verdict.TooLong) verdict = one
  }
  return verdict
}

export const acceptsQuery = (condition: Condition, request: RouteRequest): Verdict => {
  const value = lastParameter(request.query, condition.name)
  return value === undefined ? Verdict.No : acceptsValue(condition, value)
}

const acceptsValue = ({ exact, regex }: Condition, value: string): Verdict => {
  if (regex === undefined) return exact === value ? Verdict.Yes : Verdict.No
  return acceptsText(regex, value)
}

export const acceptsText = (regex: Regex.Regex, text: string): Verdict => {
  if (text.length > regex.textLengthMax) return Verdict.TooLong
  return regex.test(text) ? Verdict.Yes : Verdict.No
}

const colon = 58

/** The parts of the request line under the names that HTTP/2 gives them (RFC 9113 §8.3.1), and what it asks of the connection. */
export const pseudoHeader = (name: string, request: RouteRequest): string | undefined => {
  if (name.charCodeAt(0) !== colon) return undefined
  switch (name) {
    case ":method":
      return request.method
    case ":scheme":
      return request.scheme
    case ":authority":
      return request.authority
    case ":path":
      return request.query === undefined || request.query === "" ? request.path : `${request.path}?${request.query}`
    case ":upgrade":
      return request.upgrade
    case ":connection":
      return request.upgrade === undefined ? undefined : "upgrade"
    default:
      return undefined
  }
}

/** The last value of a parameter, decoded as forms are. Nothing is decoded when there is nothing to decode. */
export const lastParameter = (query: string | undefined, name: string): string | undefined => {
  if (query === undefined || query === "") return undefined
  if (query.includes("%") || query.includes("+")) return decoded(query).get(name)
  let end = query.length
  while (end > 0) {
    const start = query.lastIndexOf("&", end - 1) + 1
    if (end > start && query.startsWith(name, start)) {
      const after = start + name.length
      if (after === end) return ""
      if (after < end && query.charCodeAt(after) === equals) return query.slice(after + 1, end)
    }
    end = start - 1
  }
  return undefined
}

const equals = 61

let latest: { readonly query: string; readonly parameters: ReadonlyMap<string, string> } | undefined

/** Routes ask one query for many parameters in a row: it is decoded once for all of them. */
const decoded = (query: string): ReadonlyMap<string, string> => {
  if (latest?.query === query) return latest.parameters
  // A first separator keeps the parser from taking a leading question mark for that of the target.
  const parameters = new Map(new URLSearchParams(`&${query}`))
  latest = { query, parameters }
  return parameters
}
