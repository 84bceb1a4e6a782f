/** What decides about what a server shows a caller: who it is, what its token is good for, and what it can do. */
import * as Vendors from "../../../protocols/oauth/vendors.ts"
import type { Claims } from "../../Identity.ts"
import { capabilitiesOf } from "./capabilities.ts"
import type { Caller } from "./target/McpTarget.ts"

const known = new WeakMap<Claims, string>()

/** The same person may come with tokens of more and of less power, and be shown more and less. */
const scopesOf = (claims: Claims | undefined): string => {
  if (claims === undefined) return ""
  let scopes = known.get(claims)
  if (scopes === undefined) {
    const granted = [...Vendors.scopesIn(claims)].toSorted()
    // Nobody can be told from anybody by less than a subject, so such a token is only the same as itself.
    const whose = typeof claims["sub"] === "string" ? granted : claims
    known.set(claims, (scopes = whose === granted && granted.length === 0 ? "" : JSON.stringify(whose)))
  }
  return scopes
}

/** What is kept for a caller is for all of the same context. */
export const contextOf = ({ capabilities, exchange, principal }: Caller): string =>
  `${principal}${scopesOf(exchange.identity?.jwt)} ${capabilitiesOf(capabilities).fingerprint}`
