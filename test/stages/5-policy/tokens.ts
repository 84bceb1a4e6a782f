/** Keys and tokens for tests, signed by the same primitives that a real issuer uses, in whatever shape is asked for. */
import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto"

export interface Signer {
  readonly kid: string | undefined
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: Record<string, unknown>
}

const signer = (kid: string | undefined, pair: { publicKey: KeyObject; privateKey: KeyObject }): Signer => ({
  kid,
  ...pair,
  jwk: { ...pair.publicKey.export({ format: "jwk" }), ...(kid === undefined ? {} : { kid }), use: "sig" },
})

export const rsa = (kid?: string, bits = 2048): Signer =>
  signer(kid, generateKeyPairSync("rsa", { modulusLength: bits }))
export const ec = (kid?: string, curve = "P-256"): Signer =>
  signer(kid, generateKeyPairSync("ec", { namedCurve: curve }))
export const ed25519 = (kid?: string): Signer => signer(kid, generateKeyPairSync("ed25519"))

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")

const signature = (alg: string, key: KeyObject, input: string): Buffer => {
  const digest = `SHA${alg.slice(2)}`
  if (alg.startsWith("RS")) return createSign(digest).update(input).sign(key)
  if (alg.startsWith("PS")) {
    return signBytes(digest, Buffer.from(input), { key, padding: 6, saltLength: Number(alg.slice(2)) / 8 })
  }
  if (alg.startsWith("ES")) return signBytes(digest, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" })
  return signBytes(null, Buffer.from(input), key)
}

/** A token with that header and those claims, signed as its `alg` says. */
export const signed = (by: Signer, alg: string, claims: unknown, header: Record<string, unknown> = {}): string => {
  const head = { alg, typ: "JWT", ...(by.kid === undefined ? {} : { kid: by.kid }), ...header }
  const input = `${encoded(head)}.${encoded(claims)}`
  return `${input}.${signature(alg, by.privateKey, input).toString("base64url")}`
}

export const unsigned = (header: unknown, claims: unknown, rest = ""): string =>
  `${encoded(header)}.${encoded(claims)}.${rest}`

/** Signed with a secret, as whoever confuses algorithms hopes the verifier will read a public key. */
export const hmac = (secret: string | Buffer, header: unknown, claims: unknown, digest = "sha256"): string => {
  const input = `${encoded(header)}.${encoded(claims)}`
  return `${input}.${createHmac(digest, secret).update(input).digest("base64url")}`
}

export const jwks = (...keys: ReadonlyArray<Signer | Record<string, unknown>>): string =>
  JSON.stringify({ keys: keys.map((one) => (Object.hasOwn(Object(one), "privateKey") ? (one as Signer).jwk : one)) })
