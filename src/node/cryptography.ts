/** Computations on secrets with what Node has and, once they are needed, the libraries for tokens and passwords. */
import * as Redacted from "effect/Redacted"
import { createPrivateKey, createPublicKey, hash, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto"
import { open, seal } from "./sealing.ts"
import type { Cryptography, Signer } from "../../stages/ports/Cryptography.ts"

let jose: Promise<typeof import("jose")> | undefined
let passwords: Promise<typeof import("./passwords.ts")> | undefined

/** The algorithm a key signs with; undefined for kinds that nobody should use. */
const algorithmOf = ({ asymmetricKeyDetails, asymmetricKeyType }: KeyObject): string | undefined => {
  switch (asymmetricKeyType) {
    case "ed25519":
      return "EdDSA"
    case "rsa":
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 ? "RS256" : undefined
    case "ec":
      return { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" }[asymmetricKeyDetails?.namedCurve ?? ""]
    default:
      return undefined
  }
}

const privateKeyOf = (text: string): KeyObject | undefined => {
  try {
    return text.trimStart().startsWith("{")
      ? createPrivateKey({ key: JSON.parse(text) as Record<string, string>, format: "jwk" })
      : createPrivateKey(text)
  } catch {
    return undefined
  }
}

const signer = async (key: Redacted.Redacted, keyId: string | undefined): Promise<Signer | string> => {
  const privateKey = privateKeyOf(Redacted.value(key))
  if (privateKey === undefined) return "the key is neither a private key in PEM nor a JWK"
  const alg = algorithmOf(privateKey)
  if (alg === undefined) return "the key is of a kind that is not signed with: use P-256, P-384, P-521, Ed25519 or RSA"
  const { calculateJwkThumbprint, exportJWK, FlattenedSign } = await (jose ??= import("jose"))
  const half = await exportJWK(createPublicKey(privateKey))
  const kid = keyId ?? (await calculateJwkThumbprint(half))
  return {
    jwk: { ...half, kid, alg, use: "sig" },
    sign: async (payload, head) => {
      const signed = await new FlattenedSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ ...head, alg, kid })
        .sign(privateKey)
      return { protected: signed.protected ?? "", signature: signed.signature }
    },
  }
}

export const cryptography: Cryptography = {
  signer,
  sha256: (data) => hash("sha256", data),
  digest: (data) => hash("sha256", data, "base64url"),
  random: (bytes) => randomBytes(bytes).toString("base64url"),
  seal,
  open,
  equal: (a, b) => timingSafeEqual(hash("sha256", a, "buffer"), hash("sha256", b, "buffer")),
  verifyPassword: async (password, hashed) => (await (passwords ??= import("./passwords.ts"))).verify(password, hashed),
  verifySignature: async (token, jwk, algorithm) => {
    const { compactVerify } = await (jose ??= import("jose"))
    try {
      await compactVerify(token, jwk, { algorithms: [algorithm] })
      return true
    } catch {
      return false
    }
  },
}
