/** From what a parser gives to a request that every later stage can rely on; what two readers could read differently is refused. */
import { parseAuthority } from "../../protocols/http/authority.ts"
import { spellingOf } from "../../protocols/http/headers.ts"
import { mayUpgradeTo } from "../../protocols/http/hopByHop.ts"
import { parseTarget } from "../../protocols/http/target.ts"
import { Request } from "../Exchange.ts"
import type { Incoming } from "../ports/Network.ts"
import type { Refusal } from "../Refusal.ts"

interface Known {
  readonly authority: string
  readonly host: string
}

/** Clients repeat themselves: the same authority is parsed once. */
const known = new Map<string, Known>()
const knownMax = 1024

const authorityOf = (text: string): Known | undefined => {
  const before = known.get(text)
  if (before !== undefined) return before
  const parsed = parseAuthority(text)
  if (parsed === undefined) return undefined
  const learned: Known = {
    authority: parsed.port === undefined ? parsed.host : `${parsed.host}:${parsed.port}`,
    host: parsed.host,
  }
  if (known.size >= knownMax) known.clear()
  known.set(text, learned)
  return learned
}

const invalid = (detail: string): Refusal => ({ _tag: "InvalidRequest", detail })

/**
 * `secure` tells whether the request came over TLS; `keepsSpelling` whether names go on as they were written.
 * An extended CONNECT (RFC 8441) becomes the upgrade it stands for.
 */
export const normalize = (incoming: Incoming, secure: boolean, keepsSpelling: boolean): Request | Refusal => {
  const { protocol, version } = incoming
  const method = protocol === undefined ? incoming.method : "GET"
  if (protocol !== undefined && !mayUpgradeTo(protocol)) return invalid("protocol that no request can switch to")
  const head = incoming.fields
  if (head.malformed !== undefined) return invalid(head.malformed)
  const target = parseTarget(method, incoming.target)
  if (target === undefined) return invalid("malformed request target")
  if (head.expect !== undefined && head.expect.toLowerCase() !== "100-continue") {
    return { _tag: "ExpectationFailed", detail: "only 100-continue is understood" }
  }
  if (version === "1.1" && head.host === undefined) return invalid("missing host")
  if (
    incoming.authority !== undefined &&
    head.host !== undefined &&
    incoming.authority.toLowerCase() !== head.host.toLowerCase()
  ) {
    return invalid("host differs from authority")
  }
  const named = target.authority ?? incoming.authority ?? head.host
  if (named === undefined) return invalid("no authority or host")
  const authority = authorityOf(named)
  if (authority === undefined) return invalid("malformed authority")
  if (keepsSpelling && version !== "2") head.headers.spelled = spellingOf(incoming.flat)
  return new Request(
    method,
    secure ? "https" : "http",
    authority.authority,
    authority.host,
    target.form === "authority" ? "/" : target.path,
    target.query,
    version,
    head.headers,
    incoming.body,
    // With a body to come first the connection cannot change hands.
    protocol ?? (incoming.body._tag === "Empty" ? head.upgrade : undefined),
  )
}
