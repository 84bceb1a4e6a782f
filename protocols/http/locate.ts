/** Where an http or https URL leads, in the terms of a request. */
import { defaultPort, formatAuthority, parseAuthority, unbracket } from "./authority.ts"

export interface Location {
  readonly scheme: string
  /** As resolvers take it. */
  readonly host: string
  readonly port: number
  readonly authority: string
  readonly path: string
  readonly query: string | undefined
}

/** Undefined where it is no URL that can be asked, or names a user. */
export const locate = (url: string): Location | undefined => {
  const parsed = URL.parse(url)
  if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:")) return undefined
  const authority = parseAuthority(parsed.host)
  if (authority === undefined || parsed.username !== "" || parsed.password !== "") return undefined
  const scheme = parsed.protocol.slice(0, -1)
  return {
    scheme,
    host: unbracket(authority.host),
    port: authority.port ?? defaultPort(scheme) ?? 0,
    authority: formatAuthority(authority),
    path: parsed.pathname,
    query: parsed.search === "" ? undefined : parsed.search.slice(1),
  }
}
