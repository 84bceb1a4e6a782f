/**
 * What a caller's proof of itself is good for, to compare a later one with: the same person may come with tokens of more and of
 * less power.
 */
import * as Vendors from "../../../protocols/oauth/vendors.ts"
import type { Exchange } from "../../Exchange.ts"
import type { Claims } from "../../Identity.ts"

export interface Powers {
  readonly scopes: ReadonlySet<string>
  /** All that was claimed, but for what differs between any two tokens. */
  readonly claims: string
}

const none: Powers = { scopes: new Set(), claims: "" }

/** These say when and under which name a token was made, not what it is good for. */
const ofEveryToken: ReadonlySet<string> = new Set(["auth_time", "exp", "iat", "jti", "nbf"])

const known = new WeakMap<Claims, Powers>()

export const powersOf = ({ identity }: Pick<Exchange, "identity">): Powers => {
  const claims = identity?.jwt
  if (claims === undefined) return none
  let powers = known.get(claims)
  if (powers === undefined) {
    const lasting = Object.entries(claims).filter(([name]) => !ofEveryToken.has(name))
    powers = {
      scopes: Vendors.scopesIn(claims),
      claims: JSON.stringify(lasting.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    }
    known.set(claims, powers)
  }
  return powers
}

export const areSame = (one: Powers, other: Powers): boolean => one === other || one.claims === other.claims

export const covers = (one: Powers, scopes: Iterable<string>): boolean => {
  for (const scope of scopes) if (!one.scopes.has(scope)) return false
  return true
}
