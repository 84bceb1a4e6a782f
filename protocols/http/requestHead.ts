/** The head of a request over HTTP/1, from its text to its parts (RFC 9112 §3 and §5). */
import { noField, parseFieldLines } from "./fieldLines.ts"
import { isMethod } from "./methods.ts"

export interface RequestHead {
  readonly method: string
  readonly target: string
  readonly version: "1.0" | "1.1"
  readonly flat: Array<string>
}

/** Why bytes are no request, and the status that says so. */
export interface Unreadable {
  readonly status: number
  readonly message: string
}

const unwritable = /[^\x21-\x7e]/
const otherVersion = /^HTTP\/\d\.\d$/

const noMethod: Unreadable = { status: 400, message: "invalid method" }
const noTarget: Unreadable = { status: 400, message: "invalid request target" }
const noLine: Unreadable = { status: 400, message: "invalid request line" }
const notSupported: Unreadable = { status: 505, message: "HTTP version not supported" }
const noFieldLine: Unreadable = { status: 400, message: noField }

interface RequestLine {
  readonly method: string
  readonly target: string
  readonly version: "1.0" | "1.1"
}

/** `end` is where the line ends in the text. */
const parseRequestLine = (text: string, end: number): RequestLine | Unreadable => {
  const space = text.indexOf(" ")
  if (space < 0 || space >= end) return noLine
  const method = text.slice(0, space)
  if (!isMethod(method)) return noMethod
  const second = text.indexOf(" ", space + 1)
  if (second < 0 || second >= end) return noLine
  const target = text.slice(space + 1, second)
  if (target === "" || unwritable.test(target)) return noTarget
  // "HTTP/1.1" has eight letters.
  if (end - second === 9 && text.startsWith("HTTP/1.", second + 1)) {
    const minor = text.charCodeAt(second + 8)
    if (minor === 0x31) return { method, target, version: "1.1" }
    if (minor === 0x30) return { method, target, version: "1.0" }
  }
  return otherVersion.test(text.slice(second + 1, end)) ? notSupported : noLine
}

/** From the text in front of the empty line. */
export const parseRequestHead = (text: string): RequestHead | Unreadable => {
  let end = text.indexOf("\r\n")
  if (end < 0) end = text.length
  const line = parseRequestLine(text, end)
  if ("status" in line) return line
  const flat = parseFieldLines(text, end + 2)
  if (flat === undefined) return noFieldLine
  return { method: line.method, target: line.target, version: line.version, flat }
}

/** A method and what follows it, as far as it has come. */
const beginning = /^[A-Z_-]+(?: [\x21-\x7e]*(?: [HTP/.\d]*\r?)?)?$/

/** What is already wrong about the beginning of a head. */
export const wrongFromTheStart = (text: string): Unreadable | undefined => {
  const end = text.indexOf("\r\n")
  if (end < 0) return text === "" || beginning.test(text) ? undefined : noLine
  const line = parseRequestLine(text, end)
  return "status" in line ? line : undefined
}
