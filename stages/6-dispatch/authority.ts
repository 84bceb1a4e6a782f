/** By which name a backend is called. */
import type { HostTarget } from "../../ir/Backend.ts"
import type { TrafficPolicies } from "../../ir/effective.ts"
import { hostOf } from "../../protocols/http/authority.ts"
import { isIpv4, isIpv6 } from "../../protocols/net/ip.ts"
import { withPort } from "../5-policy/destination.ts"
import { hostFrom } from "../5-policy/urlRewrite.ts"
import { Request } from "../Exchange.ts"

/**
 * `custom`: by what the request says where somebody here has written that, else by its own name where it has one of its
 * own, else by what the request says.
 */
export type NamedBy = "request" | "backend" | "custom"

export const namedBy = ({ UrlRewrite: rewrite }: TrafficPolicies): NamedBy =>
  hostFrom(rewrite?._tag === "UrlRewrite" ? rewrite : undefined)

/** The name of a host as an authority: the port where it says something, an IPv6 address in brackets. */
export const authorityOf = (target: HostTarget, scheme: "http" | "https"): string | undefined =>
  target._tag === "Unix"
    ? undefined
    : withPort(scheme, isIpv6(target.host) ? `[${target.host}]` : target.host, target.port)

/** An address is no name: a server behind one is better told which name the client used. */
export const hasName = (target: HostTarget): boolean =>
  target._tag === "Host" && !isIpv4(target.host) && !isIpv6(target.host)

/** The same request under another authority. It shares the header fields: nothing may change them any more. */
export const renamed = (request: Request, authority: string): Request =>
  request.authority === authority ? request : under(request, authority)

const under = (request: Request, authority: string): Request => {
  const renamed = new Request(
    request.method,
    request.scheme,
    authority,
    hostOf(authority),
    request.path,
    request.query,
    request.version,
    request.headers,
    request.body,
    request.upgrade,
  )
  renamed.captured = request.captured
  return renamed
}
