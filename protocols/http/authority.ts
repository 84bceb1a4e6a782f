/**
 * The authority of a request: a host and perhaps a port (RFC 9110 §4.2, RFC 3986 §3.2).
 * Stricter than the grammar on purpose: no user information, no percent-encoding, no sub-delimiters, so that every
 * reader further on sees the same host.
 */
import { isIpv4, isIpv6 } from "../net/ip.ts"

export interface Authority {
  /** Lower case, without a final dot; an IPv6 address keeps its brackets. */
  readonly host: string
  readonly port: number | undefined
}

/** The longest name DNS can carry, with its final dot. */
const HOST_CHARS_MAX = 254

const COLON = 0x3a
const DOT = 0x2e
const BRACKET = 0x5b

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

const isHostChar = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  isDigit(code) ||
  (code >= 0x41 && code <= 0x5a) ||
  code === 0x2d ||
  code === 0x5f ||
  code === 0x7e

const portFrom = (text: string, start: number): number | undefined => {
  const digits = text.length - start
  if (digits < 1 || digits > 5) return undefined
  let port = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (!isDigit(code)) return undefined
    port = port * 10 + code - 0x30
  }
  return port >= 1 && port <= 65_535 ? port : undefined
}

const withPort = (host: string, text: string, colon: number): Authority | undefined => {
  if (colon === text.length || (colon === text.length - 1 && text.charCodeAt(colon) === COLON)) {
    return { host, port: undefined }
  }
  if (text.charCodeAt(colon) !== COLON) return undefined
  const port = portFrom(text, colon + 1)
  return port === undefined ? undefined : { host, port }
}

/** Reads `host`, `host:port`, `[v6]` or `[v6]:port`; anything else is undefined. */
export const parseAuthority = (text: string): Authority | undefined => {
  if (text.charCodeAt(0) === BRACKET) {
    const close = text.indexOf("]")
    if (close < 0 || !isIpv6(text.slice(1, close))) return undefined
    return withPort(text.slice(0, close + 1).toLowerCase(), text, close + 1)
  }
  let end = 0
  let label = 0
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end)
    if (code === DOT) {
      if (label === 0) return undefined
      label = 0
    } else if (isHostChar(code)) label++
    else break
  }
  if (end === 0 || end > HOST_CHARS_MAX) return undefined
  const host = text.slice(0, label === 0 ? end - 1 : end).toLowerCase()
  return withPort(host, text, end)
}

export const formatAuthority = (authority: Authority): string =>
  authority.port === undefined ? authority.host : `${authority.host}:${authority.port}`

const hostOfSlow = (authority: string): string => {
  let end = authority.length
  if (authority.charCodeAt(0) === BRACKET) {
    const close = authority.indexOf("]")
    if (close >= 0) end = close + 1
  } else {
    const colon = authority.indexOf(":")
    if (colon >= 0) end = colon
    if (end > 1 && authority.charCodeAt(end - 1) === DOT) end--
  }
  return authority.slice(0, end).toLowerCase()
}

/** The host to route by. Expects a valid authority and gives some text for any other. */
export const hostOf = (authority: string): string => {
  const length = authority.length
  for (let i = 0; i < length; i++) {
    const code = authority.charCodeAt(i)
    if (code === COLON || (code >= 0x41 && code <= BRACKET) || code > 0x7e) return hostOfSlow(authority)
  }
  return authority.charCodeAt(length - 1) === DOT ? hostOfSlow(authority) : authority
}

/** The port that an authority names. */
export const portOf = (authority: string): number | undefined => {
  const colon = authority.lastIndexOf(":")
  return colon < 0 || authority.endsWith("]") ? undefined : portFrom(authority, colon + 1)
}

export const defaultPort = (scheme: string): number | undefined =>
  scheme === "https" || scheme === "wss" ? 443 : scheme === "http" || scheme === "ws" ? 80 : undefined

/** The authority as an origin server expects it in `Host`: the port only where it says something. */
export const stripDefaultPort = (scheme: string, authority: string): string => {
  const port = portOf(authority)
  return port !== undefined && port === defaultPort(scheme) ? authority.slice(0, authority.lastIndexOf(":")) : authority
}

/** Whether only this very machine is reached by that name. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host === "[::1]" || (isIpv4(host) && host.startsWith("127."))

/** The host as sockets and resolvers take it: an IPv6 address without brackets. */
export const unbracket = (host: string): string => (host.charCodeAt(0) === BRACKET ? host.slice(1, -1) : host)
