/** What a provider says when it ends sessions by itself (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6). */
import type { Claims } from "../../Identity.ts"

export const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

/** How old a token may be, whatever it says of its own end. */
export const LOGOUT_SECONDS_MAX = 300

export interface EndedSessions {
  /** One session, or, where only somebody is named, all of theirs up to then. */
  readonly session: string | undefined
  readonly subject: string | undefined
  readonly atSeconds: number
}

/** Of claims whose signature, issuer and audience were found good; a text says what is wrong with them. */
export const endedBy = (claims: Claims, nowSeconds: number): EndedSessions | string => {
  const { events, iat, jti, nonce, sid, sub } = claims
  // An id token of the same provider must not be good for this.
  if (nonce !== undefined) return "it has a nonce"
  if (typeof events !== "object" || events === null || !Object.hasOwn(events, LOGOUT_EVENT)) return "it is no logout"
  if (typeof jti !== "string" || jti === "") return "it has no jti"
  if (typeof iat !== "number" || !(iat <= nowSeconds + 60 && iat >= nowSeconds - LOGOUT_SECONDS_MAX))
    return "it is not new"
  const session = typeof sid === "string" && sid !== "" ? sid : undefined
  const subject = typeof sub === "string" && sub !== "" ? sub : undefined
  if (session === undefined && subject === undefined) return "it names nobody"
  return { session, subject, atSeconds: iat }
}
