/** Parts that the properties of policies are made of. */
import * as fc from "fast-check"
import type { Match } from "../../../ir/Match.ts"
import type { Request } from "../../../stages/Exchange.ts"

const label = fc.constantFrom("a", "b", "api", "x-1")
export const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."))
export const scheme = fc.constantFrom("http", "https")
export const port = fc.constantFrom(undefined, 80, 443, 8080, 1, 65_535)

const segment = fc.constantFrom("a", "b", "ab", "a%2Fb", "~", "a;b=c", "@")
const segments = fc.array(segment, { maxLength: 3 })

/** Paths without empty segments. */
export const path = fc
  .tuple(segments, fc.boolean())
  .map(([parts, slash]) => `/${parts.join("/")}${slash && parts.length > 0 ? "/" : ""}`)

export const query = fc.constantFrom(undefined, "", "a=b", "a=/b?c", "%20")

export interface Place {
  readonly scheme: string
  readonly host: string
  readonly port: number | undefined
  readonly path: string
  readonly query: string | undefined
}
export const place: fc.Arbitrary<Place> = fc.record({ scheme, host, port, path, query })

export const authorityOf = ({ host, port }: Pick<Place, "host" | "port">): string =>
  port === undefined ? host : `${host}:${port}`

export const urlOf = (at: Place): string =>
  `${at.scheme}://${authorityOf(at)}${at.path}${at.query === undefined ? "" : `?${at.query}`}`

export const prefixMatch = (path: string): Match => ({ path: { _tag: "Prefix", path }, headers: [], query: [] })

/** A path, and a prefix of it that ends where a segment ends. */
export const matchedPath = fc
  .tuple(segments, segments, fc.boolean(), fc.boolean())
  .map(([front, rest, slash, prefixSlash]) => {
    const all = [...front, ...rest]
    return {
      path: `/${all.join("/")}${slash && all.length > 0 ? "/" : ""}`,
      prefix: `/${front.join("/")}${prefixSlash && front.length > 0 ? "/" : ""}`,
    }
  })

/** Replacing a prefix, told in segments. */
export const replacedBySegments = (path: string, prefix: string, replacement: string): string => {
  const parts = (text: string) => text.split("/").filter((part) => part !== "")
  const rest = parts(path).slice(parts(prefix).length)
  const all = [...parts(replacement), ...rest]
  const onlyPrefix = path === `/${parts(prefix).join("/")}` && parts(prefix).length > 0
  const slash = onlyPrefix ? replacement.endsWith("/") : path.endsWith("/")
  return `/${all.join("/")}${slash && all.length > 0 ? "/" : ""}`
}

/** Everything of a request that a policy could change, to compare before and after. */
export const facts = (request: Request) => ({
  method: request.method,
  scheme: request.scheme,
  authority: request.authority,
  host: request.host,
  path: request.path,
  query: request.query,
  version: request.version,
  headers: [...request.headers.flat],
  body: request.body,
  upgrade: request.upgrade,
})
