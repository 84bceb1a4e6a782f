/**
 * The request-target in its four forms (RFC 9112 §3.2), also the `:path` of HTTP/2.
 * Nothing is decoded or normalised: the path that is matched is the path that is sent.
 */
import { parseAuthority } from "./authority.ts"

export interface Target {
  readonly form: "origin" | "absolute" | "authority" | "asterisk"
  /** Only in absolute form. */
  readonly scheme: "http" | "https" | undefined
  /** Only in absolute and authority form; spelled as it was sent. */
  readonly authority: string | undefined
  /** Begins with `/`, or is `*`; empty in authority form. */
  readonly path: string
  /** Without its `?`; undefined when there was none. */
  readonly query: string | undefined
}

const ASTERISK: Target = { form: "asterisk", scheme: undefined, authority: undefined, path: "*", query: undefined }

/**
 * The index of the `?` (or the length), or -1 when a character does not belong. A `#` would be cut off by some readers
 * and not by others, and a backslash in the path is a slash to WHATWG parsers: both are ways around a path rule.
 * In a query browsers send backslashes, so there they stay.
 */
const queryStart = (text: string, start: number): number => {
  let mark = -1
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return -1
    if (mark < 0) {
      if (code === 0x3f) mark = i
      else if (code === 0x5c) return -1
    }
  }
  return mark < 0 ? text.length : mark
}

const absolute = (method: string, text: string): Target | undefined => {
  const colon = text.indexOf("://")
  if (colon < 4 || colon > 5) return undefined
  const scheme = text.slice(0, colon).toLowerCase()
  if (scheme !== "http" && scheme !== "https") return undefined
  const start = colon + 3
  const mark = queryStart(text, start)
  if (mark < 0) return undefined
  const slash = text.indexOf("/", start)
  const end = slash >= 0 && slash < mark ? slash : mark
  const authority = text.slice(start, end)
  if (parseAuthority(authority) === undefined) return undefined
  const query = mark < text.length ? text.slice(mark + 1) : undefined
  // RFC 9112 §3.2.4: OPTIONS for a whole server arrives at a proxy as an absolute form without a path.
  const empty = method === "OPTIONS" && query === undefined ? "*" : "/"
  return { form: "absolute", scheme, authority, path: end < mark ? text.slice(end, mark) : empty, query }
}

/** Reads a request-target; undefined when it is malformed or its form does not suit the method. */
export const parseTarget = (method: string, text: string): Target | undefined => {
  if (method === "CONNECT") {
    if (parseAuthority(text)?.port === undefined) return undefined
    return { form: "authority", scheme: undefined, authority: text, path: "", query: undefined }
  }
  if (text.charCodeAt(0) === 0x2f) {
    const mark = queryStart(text, 1)
    if (mark < 0) return undefined
    return mark === text.length
      ? { form: "origin", scheme: undefined, authority: undefined, path: text, query: undefined }
      : {
          form: "origin",
          scheme: undefined,
          authority: undefined,
          path: text.slice(0, mark),
          query: text.slice(mark + 1),
        }
  }
  if (text === "*") return method === "OPTIONS" ? ASTERISK : undefined
  return absolute(method, text)
}

/** Path and query as they go on the wire. */
export const pathAndQuery = (path: string, query: string | undefined): string =>
  query === undefined ? path : `${path}?${query}`
