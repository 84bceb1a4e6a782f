/** The head of a reply over HTTP/1, from its text to its parts (RFC 9112 §4 and §5). */
import { control, noField, parseFieldLines } from "./fieldLines.ts"

export interface ReplyHead {
  readonly status: number
  readonly version: "1.0" | "1.1"
  readonly flat: Array<string>
}

const SPACE = 0x20

/** From the text in front of the empty line. */
export const parseReplyHead = (text: string): ReplyHead | string => {
  if (!text.startsWith("HTTP/1.")) return "not HTTP/1.1"
  const minor = text.charCodeAt(7) - 0x30
  if (minor !== 0 && minor !== 1) return "HTTP version not supported"
  const hundreds = text.charCodeAt(9) - 0x30
  const tens = text.charCodeAt(10) - 0x30
  const ones = text.charCodeAt(11) - 0x30
  const isNumber = hundreds >= 1 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9
  let lineEnd = text.indexOf("\r\n", 12)
  if (lineEnd < 0) lineEnd = text.length
  if (text.charCodeAt(8) !== SPACE || !isNumber) return "invalid status line"
  if (lineEnd > 12 && (text.charCodeAt(12) !== SPACE || control.test(text.slice(13, lineEnd)))) {
    return "invalid status line"
  }
  const flat = parseFieldLines(text, lineEnd + 2)
  if (flat === undefined) return noField
  return { status: hundreds * 100 + tens * 10 + ones, version: minor === 0 ? "1.0" : "1.1", flat }
}
