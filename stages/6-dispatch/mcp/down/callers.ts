/** Who a request comes from, as far as policies have proved it. */
import * as Redacted from "effect/Redacted"
import type { Exchange } from "../../../Exchange.ts"
import type { Identity } from "../../../Identity.ts"
import type { Sealer } from "../../../ports/Sealer.ts"

const known = new WeakMap<Identity, string>()

const textOf = ({ apiKey, basicAuth, jwt }: Identity): string =>
  JSON.stringify([
    jwt === undefined ? null : [jwt["iss"] ?? null, jwt["sub"] ?? null, jwt["client_id"] ?? jwt["azp"] ?? null],
    apiKey === undefined ? null : Redacted.value(apiKey.key),
    basicAuth?.username ?? null,
  ])

/** Different for different identities, and the same for all who have none. */
export const principalOf = ({ identity }: Pick<Exchange, "identity">, sealer: Pick<Sealer, "digest">): string => {
  if (identity === undefined) return "anonymous"
  let principal = known.get(identity)
  if (principal === undefined) known.set(identity, (principal = sealer.digest(textOf(identity)).slice(0, 32)))
  return principal
}
