/** From what a parser gives to a request that every later stage can rely on; what two readers could read differently is refused. */
import { parseAuthority } from "../../protocols/http/authority.ts"
import { relayRequest } from "../../protocols/http/hopByHop.ts"
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

/** `secure` tells whether the request came over TLS. */
export const normalize = (incoming: Incoming, secure: boolean): Request | Refusal => {
  const { method, version } = incoming
  const head = relayRequest(incoming.flat, version === "2" ? "2.0" : version)
  if (head.malformed !== undefined) return invalid(head.malformed)
  const target = parseTarget(method, incoming.target)
  if (target === undefined) return invalid("malformed request target")
  if (head.expect !== undefined && head.expect.toLowerCase() !== "100-continue") {
    return { _tag: "ExpectationFailed", detail: "only 100-continue is understood" }
  }
  if (version === "1.1" && head.host === undefined) return invalid("missing host")
  const named = target.authority ?? incoming.authority ?? head.host
  if (named === undefined) return invalid("no authority or host")
  const authority = authorityOf(named)
  if (authority === undefined) return invalid("malformed authority")
  return new Request(
    method,
    secure ? "https" : "http",
    authority.authority,
    authority.host,
    target.path,
    target.query,
    version,
    head.headers,
    incoming.body,
    head.upgrade,
  )
}
