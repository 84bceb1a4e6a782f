/**
 * Whether a request may come from a page that was led here: names that are resolved to this machine by somebody else
 * (DNS rebinding), and origins nobody vouched for.
 */
import type { Exchange } from "../../../Exchange.ts"
import { parseIpv4, parseIpv6 } from "../../../../protocols/net/ip.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"

export const isLoopback = (host: string): boolean => {
  const four = parseIpv4(host)
  if (four !== undefined) return four[0] === 127
  const six = parseIpv6(host)
  if (six === undefined) return false
  if (six.subarray(0, 15).every((byte) => byte === 0) && six[15] === 1) return true
  return six.subarray(0, 10).every((byte) => byte === 0) && six[10] === 0xff && six[11] === 0xff && six[12] === 127
}

export const isLocalName = (host: string): boolean =>
  host === "localhost" || isLoopback(host.startsWith("[") ? host.slice(1, -1) : host)

/** Undefined: it may come in. */
export const rebindingProblem = (
  { exchange, request }: { readonly exchange: Exchange; readonly request: Exchange["request"] },
  { hosts, isOn, origins }: McpEndpoint["rebinding"],
): string | undefined => {
  if (isOn === false) return undefined
  const [origin, another] = request.headers.all("origin")
  if (isOn === undefined && !isLoopback(exchange.bound.secured.accepted.local.host)) return undefined
  const asked = exchange.original ?? request
  const host = asked.host.toLowerCase()
  if (!isLocalName(host) && !hosts.has(host) && !hosts.has(asked.authority.toLowerCase())) {
    return "this host is not served here"
  }
  // Two origins vouch for nobody.
  if (another !== undefined) return "this origin may not call"
  if (origin === undefined || origins.has(origin.toLowerCase())) return undefined
  const url = URL.parse(origin)
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) {
    if (isLocalName(url.hostname) || hosts.has(url.hostname) || hosts.has(url.host)) return undefined
  }
  return "this origin may not call"
}
