/** Thoughts that only their vendor can read, in the only form this interface has for them: bytes, written in Base64. */
import type { Signature } from "../../Conversation.ts"
import { markSignature, readSignature } from "../../signature.ts"

const utf8 = new TextDecoder()

const base64 = (text: string): string => {
  let binary = ""
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** Undefined for what is no Base64 of a text. */
const textIn = (data: string): string | undefined => {
  try {
    return utf8.decode(Uint8Array.from(atob(data), (character) => character.charCodeAt(0)))
  } catch {
    return undefined
  }
}

export const writeRedacted = (hidden: Signature): string =>
  hidden.vendor === "anthropic" ? hidden.value : base64(markSignature(hidden, "anthropic"))

export const readRedacted = (data: string): Signature => {
  const text = textIn(data)
  const signature = text === undefined ? undefined : readSignature(text, "anthropic")
  return signature === undefined || signature.vendor === "anthropic" ? { vendor: "anthropic", value: data } : signature
}
