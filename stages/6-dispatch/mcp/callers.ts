/** What tells one caller from another: who it is, as far as policies have proved it, and what its token is good for. */
import * as Redacted from "effect/Redacted"
import * as Vendors from "../../../protocols/oauth/vendors.ts"
import type { Exchange } from "../../Exchange.ts"
import type { Claims, Identity } from "../../Identity.ts"
import type { ClientIdentity } from "../../ports/Network.ts"
import type { Sealer } from "../../ports/Sealer.ts"
import { capabilitiesOf } from "./capabilities.ts"
import type { Caller } from "./target/McpTarget.ts"

const principals = new WeakMap<Identity | ClientIdentity, string>()

const textOf = ({ apiKey, basicAuth, jwt }: Identity): string =>
  JSON.stringify([
    jwt === undefined ? null : [jwt["iss"] ?? null, jwt["sub"] ?? null, jwt["client_id"] ?? jwt["azp"] ?? null],
    apiKey === undefined ? null : Redacted.value(apiKey.key),
    basicAuth?.username ?? null,
  ])

const ofCertificate = ({ issuer, subject, subjectAltNames }: ClientIdentity): string =>
  JSON.stringify([issuer, subject, subjectAltNames])

/** What was made of the same before need not be made again. */
const digested = <A extends Identity | ClientIdentity>(
  one: A,
  textOf: (one: A) => string,
  sealer: Pick<Sealer, "digest">,
): string => {
  let principal = principals.get(one)
  if (principal === undefined) principals.set(one, (principal = sealer.digest(textOf(one)).slice(0, 32)))
  return principal
}

/** Different for different identities, and the same for all who have none. */
export const principalOf = (
  { bound, identity }: Pick<Exchange, "bound" | "identity">,
  sealer: Pick<Sealer, "digest">,
): string => {
  const certificate = bound.secured.tls?.client
  const own = identity === undefined ? undefined : digested(identity, textOf, sealer)
  if (certificate === undefined) return own ?? "anonymous"
  const connected = digested(certificate, ofCertificate, sealer)
  return own === undefined ? connected : `${own}${connected}`
}

/** Whether nothing was proved by which somebody could be told from others: what is kept for such a one is for one session only. */
export const isNobody = ({ bound, identity }: Pick<Exchange, "bound" | "identity">): boolean => {
  if (bound.secured.tls?.client !== undefined) return false
  if (identity === undefined) return true
  const { apiKey, basicAuth, jwt } = identity
  if (apiKey !== undefined || basicAuth !== undefined) return false
  return jwt === undefined || (jwt["sub"] ?? jwt["client_id"] ?? jwt["azp"] ?? undefined) === undefined
}

/** The same person may come with tokens of more and of less power. What is kept says how finely they are told apart. */
export interface Powers {
  /**
   * For tasks, which are told of to a token that was granted no less than the one that began them: the rules about their tool
   * are asked of that token as well.
   */
  readonly scopes: ReadonlySet<string>
  /**
   * For streams, which hold what the rules have let pass: rules may look at any claim, so a stream is taken up again unasked only
   * by a token that claims all the same. It is one text of what does not differ between any two tokens.
   */
  readonly claims: string
  /**
   * For lists as servers show them, which the rules have yet to look at: servers go by persons and scopes, and who else has the
   * same is shown the same. A token without a subject is no person's, and shares with itself only.
   */
  readonly shown: string
}

const none: Powers = { scopes: new Set(), claims: "", shown: "" }

/** These say when and under which name a token was made, not what it is good for. */
const ofEveryToken: ReadonlySet<string> = new Set(["auth_time", "exp", "iat", "jti", "nbf"])

const make = (claims: Claims): Powers => {
  const scopes = Vendors.scopesIn(claims)
  const lasting = Object.entries(claims).filter(([name]) => !ofEveryToken.has(name))
  return {
    scopes,
    claims: JSON.stringify(lasting.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    shown: JSON.stringify(typeof claims["sub"] === "string" ? [...scopes].toSorted() : claims),
  }
}

const powers = new WeakMap<Claims, Powers>()

export const powersOf = ({ identity }: Pick<Exchange, "identity">): Powers => {
  const claims = identity?.jwt
  if (claims === undefined) return none
  let known = powers.get(claims)
  if (known === undefined) powers.set(claims, (known = make(claims)))
  return known
}

export const areSame = (one: Powers, other: Powers): boolean => one === other || one.claims === other.claims

export const covers = (one: Powers, scopes: Iterable<string>): boolean => {
  for (const scope of scopes) if (!one.scopes.has(scope)) return false
  return true
}

/** By what a list is kept: what decides about what a server shows is who asks, what the token is good for, and what the client can do. */
export const contextOf = ({ capabilities, exchange, principal }: Caller): string =>
  `${principal} ${powersOf(exchange).shown} ${capabilitiesOf(capabilities).fingerprint}`
