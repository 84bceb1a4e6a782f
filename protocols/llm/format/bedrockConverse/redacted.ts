/** Thoughts that only their vendor can read, in the only form this interface has for them: bytes, written in Base64. */
import { fromBase64, textToBase64 } from "../../../base64.ts"
import type { Signature } from "../../Conversation.ts"
import { markSignature, readSignature } from "../../signature.ts"

const utf8 = new TextDecoder()

/** Undefined for what is no Base64 of a text. */
const textIn = (data: string): string | undefined => {
  try {
    return utf8.decode(fromBase64(data))
  } catch {
    return undefined
  }
}

export const writeRedacted = (hidden: Signature): string =>
  hidden.vendor === "anthropic" ? hidden.value : textToBase64(markSignature(hidden, "anthropic"))

export const readRedacted = (data: string): Signature => {
  const text = textIn(data)
  const signature = text === undefined ? undefined : readSignature(text, "anthropic")
  return signature === undefined || signature.vendor === "anthropic" ? { vendor: "anthropic", value: data } : signature
}
