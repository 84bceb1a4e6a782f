/** The head of a reply over HTTP/1, from its text to its parts (RFC 9112 §4 and §5). */
import { token } from "./token.ts"

export interface ReplyHead {
  readonly status: number
  readonly version: "1.0" | "1.1"
  /** Names as they were spelled, and values without the white space around them. */
  readonly flat: Array<string>
}

const SPACE = 0x20
const TAB = 0x09

const control = /[\0-\x08\x0a-\x1f\x7f]/

/** Where a field line holds no field: the name of the next one is empty or was folded into the one before. */
const noField = "invalid field line"

/** From the text in front of the empty line. What single names and values may hold is judged where they are relayed. */
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
  const flat: Array<string> = []
  for (let at = lineEnd + 2; at < text.length;) {
    let end = text.indexOf("\r\n", at)
    if (end < 0) end = text.length
    const colon = text.indexOf(":", at)
    if (colon <= at || colon >= end) return noField
    let from = colon + 1
    let to = end
    while (from < to && isBlank(text.charCodeAt(from))) from++
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--
    flat.push(text.slice(at, colon), text.slice(from, to))
    at = end + 2
  }
  return { status: hundreds * 100 + tens * 10 + ones, version: minor === 0 ? "1.0" : "1.1", flat }
}

const isBlank = (code: number): boolean => code === SPACE || code === TAB

/** The fields of a trailer section, from its text in front of the empty line; undefined where it is none. */
export const parseTrailers = (text: string): Array<string> | undefined => {
  const parsed = parseReplyHead(`HTTP/1.1 200\r\n${text}`)
  if (typeof parsed === "string") return undefined
  const { flat } = parsed
  for (let i = 0; i + 1 < flat.length; i += 2) {
    if (!token.test(flat[i] as string) || control.test(flat[i + 1] as string)) return undefined
  }
  return flat
}
