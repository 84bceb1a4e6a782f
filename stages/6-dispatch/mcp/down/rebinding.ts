/**
 * Whether a request may come from a page that was led here: names that are resolved to this machine by somebody else
 * (DNS rebinding), and origins nobody vouched for.
 */
import type { Backend } from "../../../../ir/Backend.ts"
import { codes } from "../../../../protocols/mcp/jsonrpc.ts"
import { parseIpv4, parseIpv6 } from "../../../../protocols/net/ip.ts"
import { discard } from "../../../Body.ts"
import type { Exchange, Reply, Subject } from "../../../Exchange.ts"
import { answer, pass, type Step } from "../../../5-policy/Step.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import { errorReply } from "./replies.ts"

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

type Named = Pick<Extract<Backend, { readonly _tag: "Mcp" }>, "allowedHosts" | "allowedOrigins" | "rebindingProtection">

/** No more than a scheme and an authority without user information: what else there may be, no browser sends. */
const anOrigin = /^https?:\/\/[^/?#@\\\s]+$/i

export const rebindingOf = (backend: Named): McpEndpoint["rebinding"] => ({
  isOn: backend.rebindingProtection,
  hosts: new Set(backend.allowedHosts.map((one) => one.toLowerCase())),
  origins: new Set(backend.allowedOrigins.map((one) => one.toLowerCase())),
})

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
  const url = anOrigin.test(origin) ? URL.parse(origin) : null
  if (url === null) return "this origin may not call"
  return isLocalName(url.hostname) || hosts.has(url.hostname) || hosts.has(url.host)
    ? undefined
    : "this origin may not call"
}

export const refusedFor = (request: Exchange["request"], problem: string): Reply => {
  discard(request.body)
  return errorReply(403, undefined, codes.invalidRequest, problem)
}

/** Refuses what none of these endpoints would take, whoever asks. */
export const entrance = (backends: ReadonlyArray<Named>): Step<Subject> => {
  const ways = backends.map(rebindingOf)
  return {
    kind: "McpEntrance",
    run: (subject) => {
      let problem: string | undefined
      for (const way of ways) {
        problem = rebindingProblem(subject, way)
        if (problem === undefined) return pass
      }
      return problem === undefined ? pass : answer(refusedFor(subject.request, problem))
    },
  }
}
