/** Where clients may have notifications sent: to public places over TLS, and to those the configuration names. */
import { locate } from "../../../../protocols/http/locate.ts"
import { parseIpv4, parseIpv6 } from "../../../../protocols/net/ip.ts"
import { isPublic } from "../../../../protocols/net/special.ts"

const URL_LENGTH_MAX = 2_048

export interface Destination {
  /** Scheme, host and port: who is written to. */
  readonly origin: string
  /** Nothing but public addresses may stand behind its name. */
  readonly publicOnly: boolean
}

const isNamed = (host: string, names: ReadonlyArray<string>): boolean =>
  names.some((name) => (name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name))

/** A text says why notifications may not go there; names are looked up again before each is sent. */
export const destinationOf = (url: string, allowedHosts: ReadonlyArray<string>): Destination | string => {
  if (url.length > URL_LENGTH_MAX) return `the URL is longer than ${URL_LENGTH_MAX} characters`
  const at = locate(url)
  if (at === undefined) return "the URL is none that can be written to"
  const host = at.host.toLowerCase()
  const origin = `${at.scheme}://${at.authority}`
  if (isNamed(host, allowedHosts)) return { origin, publicOnly: false }
  if (at.scheme !== "https") return "the URL must begin with https://"
  const isAddress = parseIpv4(host) !== undefined || parseIpv6(host) !== undefined
  if (host === "localhost" || host.endsWith(".localhost") || (isAddress && !isPublic(host))) {
    return "the URL leads to a place that is not public"
  }
  return { origin, publicOnly: true }
}
