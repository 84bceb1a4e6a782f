/** Short ways to write routes and requests in tests. */
import { ListenerKey, RouteKey } from "../../../ir/Key.ts"
import type { HeaderMatch, Match, PathMatch, QueryMatch } from "../../../ir/Match.ts"
import type { Route } from "../../../ir/Route.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { Candidate, RouteRequest } from "../../../stages/4-route/tree.ts"

export const exact = (path: string): PathMatch => ({ _tag: "Exact", path })
export const prefix = (path: string): PathMatch => ({ _tag: "Prefix", path })
export const regex = (pattern: string): PathMatch => ({ _tag: "Regex", pattern })

export const named = (name: string, value: string): HeaderMatch & QueryMatch => ({
  name,
  value: { _tag: "Exact", value },
})
export const like = (name: string, pattern: string): HeaderMatch & QueryMatch => ({
  name,
  value: { _tag: "Regex", pattern },
})

export const match = (path: PathMatch, more: Partial<Omit<Match, "path">> = {}): Match => ({
  path,
  headers: [],
  query: [],
  ...more,
})

export const route = (
  key: string,
  matches: ReadonlyArray<Match>,
  hostnames: ReadonlyArray<string> = [],
): Candidate<string> => ({
  route: {
    key: RouteKey.make(key),
    parent: { _tag: "Listener", listener: ListenerKey.make("listener") },
    name: { name: key, namespace: "default" },
    hostnames,
    matches,
    backends: [],
    policies: [],
  } satisfies Route,
  value: key,
})

interface Asked {
  readonly method?: string
  readonly scheme?: string
  readonly host?: string
  readonly headers?: ReadonlyArray<readonly [string, string]>
  readonly upgrade?: string
}

/** A request for a target such as `/path?query`. */
export const get = (
  target: string,
  { method = "GET", scheme = "http", host = "a.test", headers = [], upgrade }: Asked = {},
): RouteRequest => {
  const at = target.indexOf("?")
  return {
    method,
    scheme,
    authority: host,
    host,
    path: at === -1 ? target : target.slice(0, at),
    query: at === -1 ? undefined : target.slice(at + 1),
    headers: new Headers(headers.flat()),
    upgrade,
  }
}
