/** Entity tags (RFC 9110 §8.8.3) over bytes that are made here. */

/** FNV-1a over 64 bits, in two halves: it tells versions of one document apart, and protects nothing. */
const hash = (bytes: Uint8Array): string => {
  let low = 0x811c9dc5
  let high = 0xcbf29ce4
  for (const byte of bytes) {
    low = Math.imul(low ^ byte, 0x01000193)
    high = Math.imul(high ^ (byte + 0x5b), 0x01000193) ^ (low >>> 13)
  }
  return (high >>> 0).toString(16).padStart(8, "0") + (low >>> 0).toString(16).padStart(8, "0")
}

export const tagOf = (bytes: Uint8Array): string => `"${bytes.byteLength.toString(16)}-${hash(bytes)}"`

const opaque = (tag: string): string => (tag.startsWith("W/") ? tag.slice(2) : tag)

/** Whether `If-None-Match` names a tag; compared weakly, as that field is (RFC 9110 §13.1.2). */
export const namesTag = (field: string, tag: string): boolean =>
  field.trim() === "*" || field.split(",").some((one) => opaque(one.trim()) === opaque(tag))
