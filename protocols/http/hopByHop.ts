/**
 * From the field list of one connection to the field list for the next (RFC 9110 §7.6.1), in one pass.
 * What belongs to the hop becomes a fact beside the list; what could make two readers disagree about where a message
 * ends, or for whom it is, becomes a reason to refuse it.
 */
import { KnownFields, places } from "./KnownFields.ts"
import { token } from "./token.ts"
import { Headers } from "./headers.ts"

/** Why a message cannot be relayed: 400 for a request, 502 for a reply. */
export type Malformed =
  | "invalid field name"
  | "invalid field value"
  | "duplicate host"
  | "host differs from authority"
  | "invalid content-length"
  | "duplicate content-length"
  | "content-length with transfer-encoding"
  | "unsupported transfer-encoding"
  | "transfer-encoding in http/1.0"
  | "connection field in http/2"
  | "too many connection options"

export type HttpVersion = "1.0" | "1.1" | "2.0"

export interface Relayed {
  /** End-to-end fields, names in lower case. */
  readonly headers: Headers
  /** When set, nothing else in this object may be relied upon. */
  readonly malformed: Malformed | undefined
  /** As declared; the field itself stays in the list. */
  readonly contentLength: number | undefined
  readonly chunked: boolean
  /** The protocols offered or accepted by `Upgrade`, when `Connection` vouches for it. */
  readonly upgrade: string | undefined
  /** Whether the connection may carry another message after this one. */
  readonly persists: boolean
  /** The value of `Keep-Alive`. */
  readonly keepAlive: string | undefined
}

export interface RelayedRequest extends Relayed {
  /** The value of `Host`, which has left the list; not yet parsed. */
  readonly host: string | undefined
  /** The value of `Expect`, which has left the list because each hop answers it for itself. */
  readonly expect: string | undefined
}

/** How many fields one message may name in `Connection`; honest clients name one or two. */
export const CONNECTION_OPTIONS_MAX = 16

const PLAIN = 0
const DROP = 1
const CONNECTION = 2
const TRANSFER_ENCODING = 3
const UPGRADE = 4
const TE = 5
const HOST = 6
const CONTENT_LENGTH = 7
const EXPECT = 8
const COOKIE = 9
const PSEUDO = 10
const INVALID = 11
const KEEP_ALIVE = 12

interface Field {
  readonly spelling: string
  readonly name: string
  readonly kind: number
  /** Whether `Connection` cannot remove it. */
  readonly kept: boolean
}

const special = new Map<string, number>([
  ["connection", CONNECTION],
  ["proxy-connection", DROP],
  ["keep-alive", KEEP_ALIVE],
  ["proxy-authenticate", DROP],
  ["trailer", DROP],
  ["http2-settings", DROP],
  ["transfer-encoding", TRANSFER_ENCODING],
  ["upgrade", UPGRADE],
  ["te", TE],
  ["host", HOST],
  ["content-length", CONTENT_LENGTH],
  ["expect", EXPECT],
  ["cookie", COOKIE],
])

/**
 * `Connection` may not take away what is meant for every recipient, or what a trusted hop before us added: a client
 * behind a load balancer could otherwise erase its own address, its identity or the frame of its message. Such
 * options are ignored, not refused, since they ask for nothing that a relay must do.
 */
const keptNames = new Set([
  "host",
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "expect",
  "accept",
  "accept-encoding",
  "cache-control",
  "date",
  "etag",
  "expires",
  "vary",
  "location",
  "origin",
  "referer",
  "user-agent",
  "range",
  "forwarded",
  "via",
  "x-real-ip",
  "x-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
  "x-request-id",
  "x-api-key",
  "api-key",
  "traceparent",
  "tracestate",
  "baggage",
  "last-event-id",
  "www-authenticate",
  "strict-transport-security",
  "max-forwards",
])
const keptPrefix = /^(?:x-forwarded-|content-|access-control-|sec-|if-|mcp-|a2a-|x-envoy-|x-amz-|x-goog-|x-b3-|grpc-)/

const classify = (spelling: string): Field => {
  const name = spelling.toLowerCase()
  if (!token.test(spelling)) {
    return { spelling, name, kind: spelling.charCodeAt(0) === 0x3a ? PSEUDO : INVALID, kept: true }
  }
  return { spelling, name, kind: special.get(name) ?? PLAIN, kept: keptNames.has(name) || keptPrefix.test(name) }
}

const known = new KnownFields(classify)
const ofRequests = places<Field>()
const ofReplies = places<Field>()

/** Bare CR, LF and NUL end a field for some readers and not for others; no other control character belongs in one. */
const breaksField = /[\0-\x08\x0a-\x1f\x7f]/

const ZERO = 0x30

/** The declared length, or -1. A list is refused even when its members agree. */
const lengthFrom = (value: string): number => {
  const { length } = value
  if (length === 0 || length > 15) return -1
  let number = 0
  for (let i = 0; i < length; i++) {
    const digit = value.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return number
}

/** Protocols that would carry HTTP past every policy, or encrypt the very hop that reads them. */
const refusedUpgrade = /(?:^|,)\s*(?:h2c?|http|tls)\s*(?:[,/]|$)/i

/** Whether a relay may ask the next hop to switch to these protocols on behalf of a client. */
export const mayUpgradeTo = (protocols: string): boolean => !refusedUpgrade.test(protocols)

const relay = (flat: ReadonlyArray<string>, version: HttpVersion, request: boolean): RelayedRequest => {
  const kept: Array<string> = []
  let malformed: Malformed | undefined
  let host: string | undefined
  let authority: string | undefined
  let expect: string | undefined
  let contentLength: number | undefined
  let coding: string | undefined
  let upgrade: string | undefined
  let upgrading = false
  let persists: boolean | undefined
  let keepAlive: string | undefined
  let trailers = false
  let named: Array<string> | undefined
  let options = 0
  let cookie = -1
  const before = request ? ofRequests : ofReplies

  for (let i = 0; i + 1 < flat.length; i += 2) {
    const spelling = flat[i] as string
    const value = flat[i + 1] as string
    const field = known.at(before, i >> 1, spelling)
    if (breaksField.test(value)) malformed ??= "invalid field value"
    if (field.kind === PLAIN) {
      kept.push(field.name, value)
      continue
    }
    switch (field.kind) {
      case CONNECTION: {
        if (version === "2.0") malformed ??= "connection field in http/2"
        if (value === "keep-alive" || value === "close") {
          persists = persists !== false && value !== "close"
          break
        }
        const parts = value.split(",", CONNECTION_OPTIONS_MAX + 1)
        options += parts.length
        if (options > CONNECTION_OPTIONS_MAX) malformed ??= "too many connection options"
        for (const part of parts) {
          const option = part.trim()
          const target = known.glance(option)
          if (target.kind === UPGRADE) upgrading = true
          else if (target.name === "close") persists = false
          else if (target.kind === KEEP_ALIVE) persists ??= true
          else if (target.kind === PLAIN && !target.kept) (named ??= []).push(target.name)
        }
        break
      }
      case KEEP_ALIVE:
      case DROP:
        if (field.kind === KEEP_ALIVE) keepAlive = value
        if (version === "2.0" && field.name !== "trailer" && field.name !== "proxy-authenticate") {
          malformed ??= "connection field in http/2"
        }
        break
      case TRANSFER_ENCODING:
        if (version === "2.0") malformed ??= "connection field in http/2"
        // Two fields make a list of two codings, and only one coding is known here.
        if (coding !== undefined || value.toLowerCase() !== "chunked") malformed ??= "unsupported transfer-encoding"
        if (version === "1.0") malformed ??= "transfer-encoding in http/1.0"
        coding = value
        break
      case UPGRADE:
        if (version === "2.0") malformed ??= "connection field in http/2"
        upgrade = upgrade === undefined ? value : `${upgrade}, ${value}`
        break
      case TE:
        if (/(?:^|,)\s*trailers\s*(?:[,;]|$)/i.test(value)) trailers = true
        break
      case HOST:
        if (!request) kept.push(field.name, value)
        else if (host !== undefined) malformed ??= "duplicate host"
        else host = value
        break
      case CONTENT_LENGTH: {
        if (contentLength !== undefined) {
          malformed ??= "duplicate content-length"
          break
        }
        contentLength = lengthFrom(value)
        if (contentLength < 0) malformed ??= "invalid content-length"
        // Zeros in front make it octal for some readers.
        kept.push(field.name, value.charCodeAt(0) === ZERO ? String(contentLength) : value)
        break
      }
      case EXPECT:
        if (request) expect = expect === undefined ? value : `${expect}, ${value}`
        else kept.push(field.name, value)
        break
      case COOKIE:
        // HTTP/2 may split it (RFC 9113 §8.2.3); everything behind us expects one.
        if (cookie < 0) {
          cookie = kept.length + 1
          kept.push(field.name, value)
        } else kept[cookie] = `${kept[cookie] as string}; ${value}`
        break
      case PSEUDO:
        if (version !== "2.0") malformed ??= "invalid field name"
        else if (field.name === ":authority") authority = value
        break
      default:
        malformed ??= "invalid field name"
    }
  }

  if (coding !== undefined && contentLength !== undefined) malformed ??= "content-length with transfer-encoding"
  if (authority !== undefined && host !== undefined && authority.toLowerCase() !== host.toLowerCase()) {
    malformed ??= "host differs from authority"
  }
  if (named !== undefined) remove(kept, named)
  if (trailers && request) kept.push("te", "trailers")
  if (upgrade !== undefined && (!upgrading || version !== "1.1" || !mayUpgradeTo(upgrade))) upgrade = undefined

  return {
    headers: new Headers(kept),
    malformed,
    contentLength,
    chunked: coding !== undefined,
    upgrade,
    persists: persists ?? version !== "1.0",
    keepAlive,
    host: host ?? authority,
    expect,
  }
}

const remove = (flat: Array<string>, names: ReadonlyArray<string>): void => {
  let length = 0
  for (let i = 0; i < flat.length; i += 2) {
    if (names.includes(flat[i] as string)) continue
    flat[length++] = flat[i] as string
    flat[length++] = flat[i + 1] as string
  }
  flat.length = length
}

/** What a client sent, as the parser spelled it, made ready for policies and for the next hop. */
export const relayRequest = (flat: ReadonlyArray<string>, version: HttpVersion = "1.1"): RelayedRequest =>
  relay(flat, version, true)

/** The same for what a server answered. */
export const relayReply = (flat: ReadonlyArray<string>, version: HttpVersion = "1.1"): Relayed =>
  relay(flat, version, false)

/** Fields that no trailer may carry, since they decide about things already done (RFC 9110 §6.5.1). */
const neverTrailing =
  /^(?:authorization|cache-control|content-(?:encoding|length|range|type)|cookie|set-cookie|www-authenticate)$/

/** Trailers for the next hop; those that are malformed or may not trail are left out. */
export const relayTrailers = (flat: ReadonlyArray<string>): Headers => {
  const kept: Array<string> = []
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const value = flat[i + 1] as string
    const field = known.of(flat[i] as string)
    if (field.kind === PLAIN && !breaksField.test(value) && !neverTrailing.test(field.name))
      kept.push(field.name, value)
  }
  return new Headers(kept)
}
