/**
 * Key sets (RFC 7517) as a verifier of signatures sees them: which of the keys can be used, and by which algorithms.
 * Only asymmetric keys count; a secret that signs must not be published, and whoever has it could sign himself.
 */
import { isObject } from "../json/object.ts"

export type Jwk = { readonly kty: string } & { readonly [name: string]: string | ReadonlyArray<string> }

export interface Key {
  readonly kid: string | undefined
  /** What it may be used with; a token that names another is refused. */
  readonly algorithms: ReadonlyArray<string>
  /** Public parts only. */
  readonly jwk: Jwk
}

export interface KeySet {
  readonly keys: ReadonlyArray<Key>
  /** Why the others cannot be used. */
  readonly ignored: ReadonlyArray<string>
}

/** Shorter ones can be factored. */
const rsaBitsMin = 2048
const rsaBitsMax = 16_384
/** Nobody publishes as many; each one could be tried. */
const KEYS_MAX = 256

const rsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
const curves: Readonly<Record<string, { readonly algorithms: ReadonlyArray<string>; readonly bytes: number }>> = {
  "P-256": { algorithms: ["ES256"], bytes: 32 },
  "P-384": { algorithms: ["ES384"], bytes: 48 },
  "P-521": { algorithms: ["ES512"], bytes: 66 },
}
const edwards: typeof curves = { Ed25519: { algorithms: ["EdDSA", "Ed25519"], bytes: 32 } }

const base64url = /^[A-Za-z0-9_-]+$/

const bytesOf = (value: unknown): number =>
  typeof value === "string" && base64url.test(value) ? Math.floor((value.length * 3) / 4) : -1

/** A text says why not. */
const material = (
  key: Readonly<Record<string, unknown>>,
): { readonly algorithms: ReadonlyArray<string>; readonly jwk: Jwk } | string => {
  const { crv, e, kty, n, x, y } = key
  switch (kty) {
    case "RSA": {
      const bits = bytesOf(n) * 8
      if (bits < 0 || bytesOf(e) < 1) return "its modulus or exponent is missing"
      if (bits < rsaBitsMin) return `a modulus of ${bits} bits is too short`
      if (bits > rsaBitsMax) return `a modulus of ${bits} bits is too long`
      return { algorithms: rsaAlgorithms, jwk: { kty, n: n as string, e: e as string } }
    }
    case "EC":
    case "OKP": {
      const known = kty === "EC" ? curves : edwards
      const curve = typeof crv === "string" && Object.hasOwn(known, crv) ? known[crv] : undefined
      if (curve === undefined) return `the curve ${JSON.stringify(crv)} is not supported`
      if (bytesOf(x) !== curve.bytes || (kty === "EC" && bytesOf(y) !== curve.bytes)) {
        return "its coordinates do not fit its curve"
      }
      const point = { crv: crv as string, x: x as string }
      return { algorithms: curve.algorithms, jwk: kty === "EC" ? { kty, ...point, y: y as string } : { kty, ...point } }
    }
    case "oct":
      return "a symmetric key cannot prove who signed"
    default:
      return `the key type ${JSON.stringify(kty)} is not supported`
  }
}

const keyOf = (value: unknown): Key | string => {
  if (!isObject(value)) return "it is not an object"
  const { alg, key_ops: operations, kid, use } = value
  if (kid !== undefined && typeof kid !== "string") return "its kid is not a text"
  if (use !== undefined && use !== "sig") return `it is for ${JSON.stringify(use)}, not for signatures`
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    return "it is not for verifying"
  }
  const found = material(value)
  if (typeof found === "string") return found
  if (alg === undefined) return { kid, ...found }
  if (typeof alg !== "string" || !found.algorithms.includes(alg)) {
    return `the algorithm ${JSON.stringify(alg)} does not fit it`
  }
  return { kid, algorithms: [alg], jwk: found.jwk }
}

const named = (value: unknown, index: number): string =>
  isObject(value) && typeof value["kid"] === "string"
    ? JSON.stringify(value["kid"].slice(0, 64))
    : `number ${index + 1}`

export const withoutKeys = "it has no keys"

/** A text says why it is no key set that could be used. */
export const parse = (text: string): KeySet | string => {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return "it is not JSON"
  }
  const list = isObject(document) ? document["keys"] : undefined
  if (!Array.isArray(list)) return "it has no list of `keys`"
  if (list.length > KEYS_MAX) return `it has more than ${KEYS_MAX} keys`
  const keys: Array<Key> = []
  const ignored: Array<string> = []
  for (const [i, one] of list.entries()) {
    const key = keyOf(one)
    if (typeof key === "string") ignored.push(`key ${named(one, i)}: ${key}`)
    else keys.push(key)
  }
  if (keys.length > 0) return { keys, ignored }
  return ignored.length === 0 ? withoutKeys : `none of its keys can be used (${ignored.join("; ")})`
}
