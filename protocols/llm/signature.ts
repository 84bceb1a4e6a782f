/**
 * Signatures and hidden thoughts on their way through a client of another family. Only the vendor that made one
 * accepts it, so whoever carries it abroad must know where it is from: there, it is marked.
 */
import type { Signature, Vendor } from "./Conversation.ts"

const marked = /^sluice\.(anthropic|openai|google)\.([^]*)$/

/** As a client of `home` is given it. */
export const markSignature = (signature: Signature, home: Vendor): string =>
  signature.vendor === home ? signature.value : `sluice.${signature.vendor}.${signature.value}`

/** As a client of `home` gives it back. */
export const readSignature = (text: string, home: Vendor): Signature => {
  const [, vendor, value] = marked.exec(text) ?? []
  return vendor === undefined || value === undefined
    ? { vendor: home, value: text }
    : { vendor: vendor as Vendor, value }
}

/** Tool calls of Gemini are signed, and the only field that every client gives back unchanged is the id of the call. */
const separator = "__thought__"

export const signedId = (id: string, signature: Signature | undefined): string =>
  signature?.vendor === "google"
    ? `${id}${separator}${signature.value.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`
    : id

export const unsignedId = (id: string): { readonly id: string; readonly signature: Signature | undefined } => {
  const place = id.indexOf(separator)
  if (place < 0) return { id, signature: undefined }
  const plain = id
    .slice(place + separator.length)
    .replaceAll("-", "+")
    .replaceAll("_", "/")
  const value = plain.padEnd(Math.ceil(plain.length / 4) * 4, "=")
  return { id: id.slice(0, place), signature: { vendor: "google", value } }
}
