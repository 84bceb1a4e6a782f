/**
 * Signed tokens (RFC 7515, RFC 7519) before their signature is looked at: what they say, whether it is well-formed, and
 * whether the claims are what is expected. None of it is true until the signature was verified.
 */
import { bytesOfBase64Url } from "../base64url.ts"
import type { Key, KeySet } from "./jwks.ts"

/** Beyond, a token is not looked at. */
export const TOKEN_CHARS_MAX = 32_768

/** How far the clocks of two parties may be apart. */
export const LEEWAY_SECONDS = 60

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | ReadonlyArray<JsonValue>
  | { readonly [name: string]: JsonValue }
export type JsonObject = { readonly [name: string]: JsonValue }

export interface Unverified {
  readonly algorithm: string
  readonly kid: string | undefined
  readonly claims: JsonObject
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const alphabet = /^[A-Za-z0-9_-]+$/

const objectIn = (part: string): JsonObject | undefined => {
  if (!alphabet.test(part)) return undefined
  try {
    const value: unknown = JSON.parse(utf8.decode(bytesOfBase64Url(part)))
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

/** Undefined where it is no token of three parts with a header and claims that can be read. */
export const parse = (token: string): Unverified | undefined => {
  if (token.length > TOKEN_CHARS_MAX) return undefined
  const parts = token.split(".", 4)
  const [head = "", payload = "", signature = ""] = parts
  if (parts.length !== 3 || !alphabet.test(signature)) return undefined
  const header = objectIn(head)
  // Whoever sets `crit` asks for something that we do not know, `b64` among it.
  if (header === undefined || header["crit"] !== undefined) return undefined
  const { alg, kid } = header
  if (typeof alg !== "string" || (kid !== undefined && typeof kid !== "string")) return undefined
  const claims = objectIn(payload)
  return claims === undefined ? undefined : { algorithm: alg, kid, claims }
}

export interface Expected {
  readonly issuer: string
  /** Empty: not looked at. */
  readonly audiences: ReadonlyArray<string>
  readonly requiredClaims: ReadonlyArray<string>
}

const isTime = (value: JsonValue): value is number => typeof value === "number" && Number.isFinite(value)

/** What is wrong with the claims, in a word; undefined when they are as expected. */
export const objection = (claims: JsonObject, expected: Expected, nowSeconds: number): string | undefined => {
  for (const name of expected.requiredClaims) {
    if (!Object.hasOwn(claims, name)) return `MissingRequiredClaim(${name})`
  }
  const { aud, exp, iss, nbf } = claims
  if (iss !== expected.issuer) return "InvalidIssuer"
  if (exp !== undefined) {
    if (!isTime(exp)) return "InvalidClaim(exp)"
    if (nowSeconds >= exp + LEEWAY_SECONDS) return "ExpiredSignature"
  }
  if (nbf !== undefined) {
    if (!isTime(nbf)) return "InvalidClaim(nbf)"
    if (nowSeconds < nbf - LEEWAY_SECONDS) return "ImmatureSignature"
  }
  if (expected.audiences.length > 0) {
    const named = typeof aud === "string" ? [aud] : Array.isArray(aud) ? (aud as ReadonlyArray<JsonValue>) : []
    if (!named.some((one) => typeof one === "string" && expected.audiences.includes(one))) return "InvalidAudience"
  }
  return undefined
}

/** Until when claims hold that hold now, in seconds. */
export const holdsUntil = ({ exp }: JsonObject): number => (typeof exp === "number" ? exp + LEEWAY_SECONDS : Infinity)

export type Choice =
  /** Any of these may have signed it. */
  | { readonly _tag: "Candidates"; readonly keys: ReadonlyArray<Key> }
  | { readonly _tag: "UnknownKey" }
  | { readonly _tag: "WrongAlgorithm" }
  /** It names no key, and more than one would fit. */
  | { readonly _tag: "Ambiguous" }

const unknownKey: Choice = { _tag: "UnknownKey" }
const wrongAlgorithm: Choice = { _tag: "WrongAlgorithm" }
const ambiguous: Choice = { _tag: "Ambiguous" }

/** The keys decide which algorithms are possible; the token only says which of those it used. */
export const chooseKeys = ({ keys }: KeySet, { algorithm, kid }: Unverified): Choice => {
  const isFit = (key: Key): boolean => key.algorithms.includes(algorithm)
  if (kid === undefined) {
    const fit = keys.filter(isFit)
    return fit.length === 0 ? wrongAlgorithm : fit.length > 1 ? ambiguous : { _tag: "Candidates", keys: fit }
  }
  const named = keys.filter((key) => key.kid === kid)
  if (named.length > 0) {
    const fit = named.filter(isFit)
    return fit.length === 0 ? wrongAlgorithm : { _tag: "Candidates", keys: fit }
  }
  // A set of one key without a name: its issuer names it in tokens only.
  const [only] = keys
  return keys.length === 1 && only !== undefined && only.kid === undefined && isFit(only)
    ? { _tag: "Candidates", keys }
    : unknownKey
}
