/** Sealing with AES-256-GCM; the purpose is authenticated with the text. */
import { createCipheriv, createDecipheriv, hash, randomBytes } from "node:crypto"
import type { Sealer } from "../../stages/ports/Sealer.ts"

const nonceBytes = 12
const tagBytes = 16

/** A new key, for a gateway that was given none. */
export const freshKey = (): Uint8Array => randomBytes(32)

/** What everything sealed with a key begins with, and nothing else is likely to: not even what another gateway sealed. */
const markOf = (key: Uint8Array): string =>
  `slc1${hash("sha256", Buffer.concat([Buffer.from("mark"), key]), "base64url").slice(0, 5)}.`

export const sealer = (key: Uint8Array): Sealer => {
  const mark = markOf(key)
  return {
    mark,
    seal: (text, purpose) => {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv("aes-256-gcm", key, nonce)
      cipher.setAAD(Buffer.from(purpose))
      const sealed = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()])
      return `${mark}${sealed.toString("base64url")}`
    },
    open: (sealed, purpose) => {
      if (!sealed.startsWith(mark)) return undefined
      const bytes = Buffer.from(sealed.slice(mark.length), "base64url")
      // Letters that stand for no bits would make two names of one thing.
      if (bytes.byteLength < nonceBytes + tagBytes || `${mark}${bytes.toString("base64url")}` !== sealed)
        return undefined
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes))
      decipher.setAAD(Buffer.from(purpose))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString(
          "utf8",
        )
      } catch {
        return undefined
      }
    },
    secret: () => randomBytes(18).toString("base64url"),
    digest: (text) => hash("sha256", text),
  }
}
