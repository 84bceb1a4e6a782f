/** Where the gateway is for whoever asked, and how paths at the agent are found there. */
import { type Relocation, wayOf } from "../../../protocols/a2a/card/relocate.ts"
import { cardPaths } from "../../../protocols/a2a/detect.ts"
import { parseAuthority } from "../../../protocols/http/authority.ts"
import type { Request, Routed } from "../../Exchange.ts"

const first = (value: string | undefined): string | undefined => value?.split(",")[0]?.trim()

const withoutCard = (path: string): string | undefined => {
  for (const suffix of cardPaths) if (path.endsWith(suffix)) return path.slice(0, -suffix.length)
  return undefined
}

/** What proxies in front say of the request they took; the values that answers depend on are named in `Vary`. */
export const forwardedFields = ["x-forwarded-host", "x-forwarded-proto"] as const

/** `inside` is the path at the agent of what was asked. */
export const relocationOf = (exchange: Routed, inside: string): Relocation => {
  const asked = exchange.original ?? exchange.request
  const { headers }: Request = exchange.request
  const proto = first(headers.get("x-forwarded-proto"))?.toLowerCase()
  const host = first(headers.get("x-forwarded-host"))
  const named = host === undefined || parseAuthority(host) === undefined ? undefined : host
  const outside = asked.path
  const bases = { outside: withoutCard(outside), inside: withoutCard(inside) }
  return {
    scheme: proto === "https" || proto === "http" ? proto : asked.scheme === "https" ? "https" : "http",
    authority: named ?? asked.authority,
    path: wayOf({
      outside,
      inside,
      prefix: exchange.match.path._tag === "Prefix" ? exchange.match.path.path : undefined,
      bases:
        bases.outside === undefined || bases.inside === undefined
          ? undefined
          : { outside: bases.outside, inside: bases.inside },
    }),
  }
}
