/** Whose account is meant: the person behind a request, whichever of their clients sent it. */
import * as Redacted from "effect/Redacted"
import type { McpConnections } from "../../../../ir/backend/McpOauth.ts"
import type { Exchange } from "../../../Exchange.ts"
import type { Sealer } from "../../../ports/Sealer.ts"
import { isLocalName, isLoopback } from "../down/rebinding.ts"

export interface User {
  /** Different for different people, and says nothing of them. */
  readonly key: string
  /** For people. */
  readonly label: string
}

const nobody: User = { key: "anonymous", label: "everybody who uses this gateway" }

/** Everything the gateway has for itself. */
export const gatewayUser: User = { key: "gateway", label: "the gateway" }

/** Whether only somebody at this very machine can have sent it; a proxy beside us passes other names on. */
export const isLocal = ({ bound, original, request }: Exchange): boolean =>
  isLoopback(bound.secured.accepted.local.host) && isLocalName((original ?? request).host.toLowerCase())

const labelChars = 128
const textIn = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

/** Undefined: nobody that tokens could be kept for. */
export const userOf = (
  exchange: Exchange,
  sealer: Pick<Sealer, "digest">,
  anonymous: McpConnections["anonymous"],
): User | undefined => {
  const { identity } = exchange
  const user = (parts: ReadonlyArray<string>, label: string): User => ({
    key: sealer.digest(JSON.stringify(parts)).slice(0, 32),
    label: label.slice(0, labelChars),
  })
  if (identity?.jwt !== undefined) {
    const { email, iss, preferred_username, sub } = identity.jwt
    const subject = textIn(sub)
    // Nobody can be told from anybody by less than this.
    if (subject === undefined || typeof iss !== "string") return undefined
    return user(["jwt", iss, subject], textIn(email) ?? textIn(preferred_username) ?? subject)
  }
  if (identity?.basicAuth !== undefined) {
    const { username } = identity.basicAuth
    return user(["basic", username], username)
  }
  if (identity?.apiKey !== undefined) {
    const { id, key } = identity.apiKey
    return user(["key", Redacted.value(key)], id === undefined ? "the holder of an API key" : `key ${id}`)
  }
  return anonymous === "everywhere" || isLocal(exchange) ? nobody : undefined
}
