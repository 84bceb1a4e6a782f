/**
 * Rewrites where a card says the agent is to where the gateway is. Every interface list is rewritten, in both versions;
 * an interface the gateway does not lead to is left out, since a card must not lead around the gateway.
 */
import { defaultPort, portOf } from "../../http/authority.ts"
import { type Fields, fieldsOf, isFields, listOf, textOf } from "../Fields.ts"
import { isModern } from "./legacy.ts"

/** Where the gateway is, for whoever asked. */
export interface Relocation {
  readonly scheme: string
  readonly authority: string
  /** From a path at the agent to the one it has at the gateway. */
  readonly path: (path: string) => string
}

/** What is known of one request on both sides of the gateway, from which the way of all others is derived. */
export interface Bearings {
  /** As the client asked, and as the agent is asked. */
  readonly outside: string
  readonly inside: string
  /** The prefix by which a route was chosen. */
  readonly prefix: string | undefined
  /** Of a request for a card: its paths without the well-known end. */
  readonly bases: { readonly outside: string; readonly inside: string } | undefined
}

const trimmed = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path)

/** What follows a prefix that ends where a segment does. */
const behind = (path: string, prefix: string): string | undefined =>
  path === prefix ? "" : path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined

/**
 * A route that replaces a prefix replaces it for every path; where none was replaced, the place of the card on both
 * sides says what is in front. What fits neither is appended, whole, to where the agent is found.
 */
export const wayOf = ({ bases, inside, outside, prefix }: Bearings): ((path: string) => string) => {
  const matched = prefix === undefined ? undefined : trimmed(prefix)
  const rest = matched === undefined ? undefined : behind(outside, matched)
  const replacement =
    rest === undefined || !inside.endsWith(rest) ? undefined : trimmed(inside.slice(0, inside.length - rest.length))
  return (path) => {
    const whole = path === "/" ? "" : path
    if (matched !== undefined && replacement !== undefined && replacement !== matched) {
      const moved = behind(whole, replacement)
      if (moved !== undefined) return `${matched}${moved}` || "/"
    }
    if (bases === undefined) return whole === "" ? "/" : whole
    return `${bases.outside}${behind(whole, bases.inside) ?? whole}` || "/"
  }
}

interface Place {
  readonly scheme: string
  readonly host: string
  readonly port: number
  readonly path: string
  readonly query: string
}

/** A URL, or the bare `host:port` that gRPC may have. */
const placeOf = (text: string): Place | undefined => {
  const url = URL.parse(text)
  if (url !== null && url.host !== "") {
    const scheme = url.protocol.slice(0, -1)
    const port = url.port === "" ? defaultPort(scheme) : Number(url.port)
    return port === undefined ? undefined : { scheme, host: url.hostname, port, path: url.pathname, query: url.search }
  }
  const port = /^[^/?#\s]+:\d{1,5}$/.test(text) ? portOf(text) : undefined
  return port === undefined
    ? undefined
    : { scheme: "", host: text.slice(0, text.lastIndexOf(":")), port, path: "", query: "" }
}

const bindingOf = (one: Fields): string => textOf(one["protocolBinding"] ?? one["transport"]) ?? "JSONRPC"

/** Bindings of one kind are told apart by their paths; one of the other kind leads here only where it shares their port. */
const leadsHere = (one: Fields, ports: ReadonlySet<number>, over: Carrier): boolean => {
  if ((bindingOf(one) === "GRPC") === (over === "GRPC")) return true
  const place = placeOf(textOf(one["url"]) ?? "")
  return place !== undefined && (ports.has(place.port) || ports.size === 0)
}

const moved = (one: Fields, to: Relocation): Fields => {
  const text = textOf(one["url"])
  const place = text === undefined ? undefined : placeOf(text)
  if (place === undefined) return one
  if (bindingOf(one) === "GRPC") {
    const { authority, scheme } = to
    const named = portOf(authority) === undefined ? `${authority}:${defaultPort(scheme) ?? 80}` : authority
    return { ...one, url: place.scheme === "" ? named : `${scheme}://${authority}` }
  }
  const path = to.path(place.path)
  return { ...one, url: `${to.scheme}://${to.authority}${path}${place.query}` }
}

const portsOf = (interfaces: ReadonlyArray<Fields>, over: Carrier): ReadonlySet<number> =>
  new Set(
    interfaces.flatMap((one) => {
      const place = (bindingOf(one) === "GRPC") === (over === "GRPC") ? placeOf(textOf(one["url"]) ?? "") : undefined
      return place === undefined ? [] : [place.port]
    }),
  )

/** By which of both the card came, and so what the gateway is to the agent. */
export type Carrier = "HTTP" | "GRPC"

/** Undefined: the card says of no place where the agent could be reached. */
export const relocate = (card: Fields, to: Relocation, over: Carrier = "HTTP"): Fields | undefined => {
  // What was signed is no longer what is said.
  const { signatures: _, ...rest } = card
  const modern = listOf(card["supportedInterfaces"]).filter(isFields)
  const legacy: Fields = { url: card["url"], transport: card["preferredTransport"] }
  const others = listOf(card["additionalInterfaces"]).filter(isFields)
  const hasUrl = textOf(card["url"]) !== undefined
  if (!isModern(card) && !hasUrl) return undefined
  const ports = portsOf([...modern, ...(hasUrl ? [legacy] : []), ...others], over)
  const leads = (one: Fields): boolean => leadsHere(one, ports, over)
  const interfaces = modern.filter(leads).map((one) => moved(one, to))
  if (isModern(card) && interfaces.length === 0 && modern.length > 0) return undefined
  const kept = others.filter(leads).map((one) => moved(one, to))
  // The preferred interface may be one that is left out; then the first of the others takes its place.
  const first = hasUrl && leads(legacy) ? moved(legacy, to) : kept[0]
  return {
    ...rest,
    ...(isModern(card) ? { supportedInterfaces: interfaces } : {}),
    ...(hasUrl && first !== undefined
      ? {
          url: first["url"],
          ...(card["preferredTransport"] === undefined ? {} : { preferredTransport: bindingOf(fieldsOf(first)) }),
        }
      : {}),
    ...(card["additionalInterfaces"] === undefined ? {} : { additionalInterfaces: kept }),
  }
}
