/** Who a request comes from, as far as policies have proved it. */
import * as Redacted from "effect/Redacted"
import type { Exchange } from "../../../Exchange.ts"
import type { Identity } from "../../../Identity.ts"
import type { ClientIdentity } from "../../../ports/Network.ts"
import type { Sealer } from "../../../ports/Sealer.ts"

const known = new WeakMap<Identity | ClientIdentity, string>()

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
  let principal = known.get(one)
  if (principal === undefined) known.set(one, (principal = sealer.digest(textOf(one)).slice(0, 32)))
  return principal
}

/** Whether nothing was proved by which somebody could be told from others: what is kept for such a one is for one session only. */
export const isNobody = ({ bound, identity }: Pick<Exchange, "bound" | "identity">): boolean => {
  if (bound.secured.tls?.client !== undefined) return false
  if (identity === undefined) return true
  const { apiKey, basicAuth, jwt } = identity
  if (apiKey !== undefined || basicAuth !== undefined) return false
  return jwt === undefined || (jwt["sub"] ?? jwt["client_id"] ?? jwt["azp"] ?? undefined) === undefined
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
