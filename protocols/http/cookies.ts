/** Cookies as a gateway meets them (RFC 6265): read one, take some away, set one. */
import { token } from "./token.ts"
import type { Headers } from "./headers.ts"

const trimmed = (text: string, start: number, end: number): string => {
  while (start < end && (text.charCodeAt(start) === 0x20 || text.charCodeAt(start) === 0x09)) start++
  while (end > start && (text.charCodeAt(end - 1) === 0x20 || text.charCodeAt(end - 1) === 0x09)) end--
  return text.slice(start, end)
}

/** The first cookie of that name in one `Cookie` value; names are compared exactly, quotes belong to the value. */
export const cookieIn = (value: string, name: string): string | undefined => {
  let equals = value.indexOf("=")
  for (let start = 0; equals >= 0;) {
    let end = value.indexOf(";", start)
    if (end < 0) end = value.length
    if (equals < end) {
      if (trimmed(value, start, equals) === name) return trimmed(value, equals + 1, end)
      equals = value.indexOf("=", end)
    }
    start = end + 1
  }
  return undefined
}

/** The first cookie of that name in a request. */
export const cookieOf = (headers: Headers, name: string): string | undefined => {
  for (const value of headers.all("cookie")) {
    const found = cookieIn(value, name)
    if (found !== undefined) return found
  }
  return undefined
}

/** A `Cookie` value without the cookies whose name satisfies the predicate; empty when none is left. */
export const withoutCookies = (value: string, remove: (name: string) => boolean): string => {
  const pairs = value.split(";")
  const kept = pairs.filter((pair) => {
    const equals = pair.indexOf("=")
    return !remove((equals < 0 ? pair : pair.slice(0, equals)).trim())
  })
  if (kept.length === pairs.length) return value
  return kept
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .join("; ")
}

/** Takes cookies out of a request; a `Cookie` field that held nothing else goes with them. */
export const removeCookies = (headers: Headers, remove: (name: string) => boolean): void => {
  const values = headers.all("cookie")
  if (values.length === 0) return
  const kept = values.map((value) => withoutCookies(value, remove)).filter((value) => value !== "")
  if (kept.length === 0) headers.remove("cookie")
  else headers.set("cookie", kept.join("; "))
}

/** Adds or replaces one cookie of a request; false when its name or value cannot be written. */
export const setCookie = (headers: Headers, name: string, value: string): boolean => {
  if (!token.test(name) || !cookieValue.test(value)) return false
  removeCookies(headers, (other) => other === name)
  const rest = headers.get("cookie")
  headers.set("cookie", rest === undefined ? `${name}=${value}` : `${rest}; ${name}=${value}`)
  return true
}

export interface SetCookie {
  readonly name: string
  readonly value: string
  readonly path?: string
  readonly domain?: string
  readonly maxAgeSeconds?: number
  readonly secure?: boolean
  readonly httpOnly?: boolean
  readonly sameSite?: "Strict" | "Lax" | "None"
}

const cookieValue = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/
const attribute = /^[\x20-\x3a\x3c-\x7e]*$/

/** A `Set-Cookie` value; undefined when a part could end early and become an attribute. */
export const formatSetCookie = (cookie: SetCookie): string | undefined => {
  if (!token.test(cookie.name) || !cookieValue.test(cookie.value)) return undefined
  if (!attribute.test(cookie.path ?? "") || !attribute.test(cookie.domain ?? "")) return undefined
  let text = `${cookie.name}=${cookie.value}`
  if (cookie.path !== undefined) text += `; Path=${cookie.path}`
  if (cookie.domain !== undefined) text += `; Domain=${cookie.domain}`
  if (cookie.maxAgeSeconds !== undefined) text += `; Max-Age=${Math.trunc(cookie.maxAgeSeconds)}`
  if (cookie.secure === true) text += "; Secure"
  if (cookie.httpOnly === true) text += "; HttpOnly"
  if (cookie.sameSite !== undefined) text += `; SameSite=${cookie.sameSite}`
  return text
}
