/** Base64 as it may stand in an address or a token (RFC 4648 §5). */
import { fromBase64, textToBase64 } from "./base64.ts"

/** Of a text in UTF-8. */
export const toBase64Url = (text: string): string =>
  textToBase64(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")

/** Either alphabet is read; throws at what is none. */
export const bytesOfBase64Url = (text: string): Uint8Array => fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"))

export const fromBase64Url = (text: string): string | undefined => {
  try {
    return new TextDecoder().decode(bytesOfBase64Url(text))
  } catch {
    return undefined
  }
}
