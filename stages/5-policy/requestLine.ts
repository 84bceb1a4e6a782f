/** Parts of the request line, set by the name of their pseudo-header. */
import { token } from "../../protocols/http/token.ts"
import { formatAuthority, parseAuthority } from "../../protocols/http/authority.ts"
import { parseTarget } from "../../protocols/http/target.ts"
import type { Request } from "../Exchange.ts"

/** `host` is another name for the authority. */
export const lineNames: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path", "host"])

/** What cannot be put there leaves the line as it is, because no part can be missing. */
export const setLine = (request: Request, name: string, value: string): void => {
  switch (name) {
    case ":method":
      // A tunnel is another kind of exchange: none becomes one, or ceases to be one, by a header.
      if (request.method !== "CONNECT" && token.test(value) && value !== "CONNECT") request.method = value
      return
    case ":scheme":
      if (value === "http" || value === "https") request.scheme = value
      return
    case ":path": {
      const target = parseTarget("GET", value)
      if (target?.form !== "origin" || request.method === "CONNECT") return
      request.path = target.path
      request.query = target.query
      return
    }
    default: {
      const authority = parseAuthority(value)
      if (authority === undefined) return
      request.authority = formatAuthority(authority)
      request.host = authority.host
      request.isNamed = true
    }
  }
}
