/** The field lines of HTTP/1 (RFC 9112 §5), from their text to the list that everything else works with. */
import { token } from "./token.ts"

const SPACE = 0x20
const TAB = 0x09

export const control = /[\0-\x08\x0a-\x1f\x7f]/

/** Where a line holds no field: the name of the next one is empty or was folded into the one before. */
export const noField = "invalid field line"

const isBlank = (code: number): boolean => code === SPACE || code === TAB

/**
 * Names as they were spelled, and values without the white space around them. What single names and values may hold is
 * judged where they are relayed; undefined where a line is none.
 */
export const parseFieldLines = (text: string, from: number): Array<string> | undefined => {
  const flat: Array<string> = []
  for (let at = from; at < text.length;) {
    let end = text.indexOf("\r\n", at)
    if (end < 0) end = text.length
    const colon = text.indexOf(":", at)
    if (colon <= at || colon >= end) return undefined
    let start = colon + 1
    let stop = end
    while (start < stop && isBlank(text.charCodeAt(start))) start++
    while (stop > start && isBlank(text.charCodeAt(stop - 1))) stop--
    flat.push(text.slice(at, colon), text.slice(start, stop))
    at = end + 2
  }
  return flat
}

/** A message that was framed already cannot be framed anew. */
const frames = /^(?:content-length|transfer-encoding)$/i

/** The fields of a trailer section; undefined where it is none, or where one of them is malformed. */
export const parseTrailers = (text: string): Array<string> | undefined => {
  const flat = parseFieldLines(text, 0)
  if (flat === undefined) return undefined
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] as string
    if (!token.test(name) || frames.test(name) || control.test(flat[i + 1] as string)) return undefined
  }
  return flat
}
