/** Says of every route why it does not take a request, in the order in which they are tried. For people: not for speed. */
import type { Match, PathMatch } from "../../ir/Match.ts"
import type { Route } from "../../ir/Route.ts"
import * as Entry from "./Entry.ts"
import * as Host from "./host.ts"

export type Reason =
  | { readonly _tag: "Host" }
  | { readonly _tag: "Path" }
  | { readonly _tag: "Method" }
  | { readonly _tag: "Header"; readonly name: string }
  | { readonly _tag: "Query"; readonly name: string }
  /** A regular expression may not look at a text that long; the request is refused here. */
  | { readonly _tag: "TooLong"; readonly what: string }
  /** The route has no matches at all. */
  | { readonly _tag: "NoMatches" }

export interface Tried {
  readonly route: Route
  /** Absent when the route has none. */
  readonly match: Match | undefined
  readonly host: string
  /** The first thing that is not as asked; absent when this pair takes the request. */
  readonly reason: Reason | undefined
  /** Whether the request goes here: the first that takes it. */
  readonly isChosen: boolean
}

export const whyNot = <A>(
  candidates: Iterable<Entry.Candidate<A>>,
  request: Entry.RouteRequest,
): ReadonlyArray<Tried> => {
  const compile = Entry.compiler()
  const near: Array<Entry.Entry<A>> = []
  const far: Array<Tried> = []
  const isHost = request.host.length <= Host.hostLengthMax
  for (const candidate of [...candidates].sort((a, b) => Entry.compareText(a.route.key, b.route.key))) {
    const { route } = candidate
    if (route.matches.length === 0)
      far.push({ route, match: undefined, host: "*", reason: { _tag: "NoMatches" }, isChosen: false })
    for (const entry of Entry.entriesOf(candidate, compile))
      if (isHost && Host.closeness(entry.host, request.host) >= 0) near.push(entry)
      else far.push({ ...placeOf(entry), reason: { _tag: "Host" }, isChosen: false })
  }
  const order = (a: Entry.Entry<A>, b: Entry.Entry<A>): number =>
    Host.closeness(b.host, request.host) - Host.closeness(a.host, request.host) || Entry.compare(a, b)
  let isDecided = false
  const tried = near.sort(order).map((entry): Tried => {
    const reason = firstReason(entry, request, compile)
    const isChosen = !isDecided && reason === undefined
    if (isChosen || reason?._tag === "TooLong") isDecided = true
    return { ...placeOf(entry), reason, isChosen }
  })
  return [...tried, ...far]
}

const placeOf = <A>({ route, match, host }: Entry.Entry<A>) => ({ route, match, host })

const firstReason = <A>(
  entry: Entry.Entry<A>,
  request: Entry.RouteRequest,
  compile: Entry.Compiler,
): Reason | undefined => {
  const { path, method } = entry.match
  const byPath = acceptsPath(path, request.path, compile)
  if (byPath === Entry.Verdict.No) return { _tag: "Path" }
  if (byPath === Entry.Verdict.TooLong) return { _tag: "TooLong", what: "path" }
  if (method !== undefined && method !== request.method) return { _tag: "Method" }
  for (const [i, header] of entry.headers.entries()) {
    const verdict = Entry.acceptsHeader(header, request)
    const name = entry.match.headers[i]?.name ?? header.name
    if (verdict === Entry.Verdict.No) return { _tag: "Header", name }
    if (verdict === Entry.Verdict.TooLong) return { _tag: "TooLong", what: `header ${name}` }
  }
  for (const parameter of entry.query) {
    const verdict = Entry.acceptsQuery(parameter, request)
    if (verdict === Entry.Verdict.No) return { _tag: "Query", name: parameter.name }
    if (verdict === Entry.Verdict.TooLong) return { _tag: "TooLong", what: `query parameter ${parameter.name}` }
  }
  return undefined
}

const acceptsPath = (match: PathMatch, path: string, compile: Entry.Compiler): Entry.Verdict => {
  switch (match._tag) {
    case "Exact":
      return match.path === path ? Entry.Verdict.Yes : Entry.Verdict.No
    case "Prefix": {
      const prefix = Entry.trimmed(match.path)
      return path === prefix || path.startsWith(`${prefix}/`) ? Entry.Verdict.Yes : Entry.Verdict.No
    }
    case "Regex":
      return Entry.acceptsText(compile(match.pattern), path)
  }
}
