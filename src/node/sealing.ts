/** Sealing with AES-256-GCM: the context is authenticated beside the text, so that one thing never passes for another. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import * as Redacted from "effect/Redacted"
import type { Cryptography } from "../../stages/ports/Cryptography.ts"

const IV_BYTES = 12
const TAG_BYTES = 16

const keys = new WeakMap<Redacted.Redacted, Buffer>()

const keyOf = (secret: Redacted.Redacted): Buffer => {
  let key = keys.get(secret)
  if (key === undefined) keys.set(secret, (key = Buffer.from(Redacted.value(secret), "hex")))
  return key
}

export const seal: Cryptography["seal"] = (secret, text, context) => {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv("aes-256-gcm", keyOf(secret), iv)
  cipher.setAAD(Buffer.from(context))
  const sealed = [iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat(sealed).toString("base64url")
}

export const open: Cryptography["open"] = (secret, sealed, context) => {
  const bytes = Buffer.from(sealed, "base64url")
  if (bytes.byteLength < IV_BYTES + TAG_BYTES) return undefined
  try {
    const cipher = createDecipheriv("aes-256-gcm", keyOf(secret), bytes.subarray(0, IV_BYTES))
    cipher.setAAD(Buffer.from(context))
    cipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    const text = cipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES))
    return Buffer.concat([text, cipher.final()]).toString("utf8")
  } catch {
    return undefined
  }
}
