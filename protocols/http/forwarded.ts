/**
 * Who asked, as proxies tell each other: `X-Forwarded-*` by custom, `Forwarded` by RFC 7239.
 * Nothing here decides whom to believe: values come from whoever sent them.
 */
import { token } from "./token.ts"
import type { Headers } from "./headers.ts"

/** Adds the address of the peer behind those already there, folding several fields into one. */
export const appendForwardedFor = (headers: Headers, address: string): void => {
  const before = headers.all("x-forwarded-for")
  headers.set("x-forwarded-for", before.length === 0 ? address : `${before.join(", ")}, ${address}`)
}

/** States the scheme or host the client used, unless a hop before us already did. */
export const offerForwarded = (headers: Headers, scheme: "http" | "https", authority: string): void => {
  if (!headers.has("x-forwarded-proto")) headers.append("x-forwarded-proto", scheme)
  if (!headers.has("x-forwarded-host")) headers.append("x-forwarded-host", authority)
}

/** Forgets what hops before us claimed, for when they are not to be believed. */
export const dropForwarded = (headers: Headers): void => {
  for (const name of ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"]) {
    headers.remove(name)
  }
}

/** The addresses of `X-Forwarded-For`, farthest first. */
export const forwardedFor = (headers: Headers): ReadonlyArray<string> =>
  headers
    .all("x-forwarded-for")
    .flatMap((value) => value.split(","))
    .map((address) => address.trim())
    .filter((address) => address !== "")

/** One hop of `Forwarded`; parameter names are in lower case, values without their quotes. */
export type ForwardedElement = ReadonlyMap<string, string>

/** More hops than any honest chain has. */
export const FORWARDED_ELEMENTS_MAX = 64

const pair = /[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\.)*)")[ \t]*/y

/** Reads a `Forwarded` value; undefined when any part of it is malformed, since half a chain is a wrong chain. */
export const parseForwarded = (value: string): ReadonlyArray<ForwardedElement> | undefined => {
  const elements: Array<ForwardedElement> = []
  let element = new Map<string, string>()
  pair.lastIndex = 0
  for (let at = 0; ; at++) {
    pair.lastIndex = at
    const found = pair.exec(value)
    if (found !== null) {
      at = pair.lastIndex
      const name = (found[1] as string).toLowerCase()
      if (element.has(name)) return undefined
      element.set(name, found[2] ?? (found[3] as string).replaceAll(/\\(.)/g, "$1"))
    } else {
      // Empty elements and a stray `;` are allowed by the list grammar and by custom.
      while (value[at] === " " || value[at] === "\t") at++
    }
    const separator = value[at]
    if (separator === undefined || separator === ",") {
      if (element.size > 0) elements.push(element)
      if (elements.length > FORWARDED_ELEMENTS_MAX) return undefined
      if (separator === undefined) return elements
      element = new Map()
    } else if (separator !== ";") return undefined
  }
}

/** Writes a `Forwarded` value, quoting what is not a token. */
export const formatForwarded = (elements: Iterable<ForwardedElement>): string =>
  Array.from(elements, (element) =>
    Array.from(element, ([name, value]) =>
      token.test(value) ? `${name}=${value}` : `${name}="${value.replaceAll(/["\\]/g, "\\$&")}"`,
    ).join(";"),
  ).join(", ")

/** An address as `for=` and `by=` take it: IPv6 in brackets. */
export const forwardedNode = (address: string, port?: number): string => {
  const node = address.includes(":") && !address.startsWith("[") ? `[${address}]` : address
  return port === undefined ? node : `${node}:${port}`
}
