/** Bytes inside an address (RFC 2397), the form in which OpenAI's formats carry images and files. */
import { textToBase64 } from "../base64.ts"
import type { Source } from "./Conversation.ts"

const dataUrl = /^data:([^;,]*)((?:;[^;,]*)*),/i

/** Undefined for an address that is no data URL. */
const readDataUrl = (url: string): Extract<Source, { kind: "base64" }> | undefined => {
  const head = dataUrl.exec(url.slice(0, 512))
  if (head === null) return undefined
  const [whole, mediaType = "", parameters = ""] = head
  const payload = url.slice(whole.length)
  const type = mediaType === "" ? "text/plain" : mediaType.toLowerCase()
  if (/;base64$/i.test(parameters)) return { kind: "base64", mediaType: type, data: payload }
  try {
    return { kind: "base64", mediaType: type, data: textToBase64(decodeURIComponent(payload)) }
  } catch {
    return undefined
  }
}

export const writeDataUrl = (mediaType: string, data: string): string => `data:${mediaType};base64,${data}`

/** An address as a source: the bytes themselves where they are in it. */
export const sourceOfUrl = (url: string, mediaType?: string): Source =>
  readDataUrl(url) ?? { kind: "url", url, mediaType }
