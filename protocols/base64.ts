/** Base64 in the standard alphabet (RFC 4648 §4). */

/** How many arguments a call is sure to take. */
const AT_ONCE = 8_192

const encoder = new TextEncoder()

export const toBase64 = (bytes: Uint8Array): string => {
  let binary = ""
  for (let at = 0; at < bytes.byteLength; at += AT_ONCE) {
    binary += String.fromCharCode(...bytes.subarray(at, at + AT_ONCE))
  }
  return btoa(binary)
}

/** Of a text in UTF-8. */
export const textToBase64 = (text: string): string => toBase64(encoder.encode(text))

/** Throws at what is none. */
export const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
