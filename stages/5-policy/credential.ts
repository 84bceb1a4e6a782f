/** Finding a credential in a request, taking it out, and putting one in. */
import type { Expression } from "../../ir/Expression.ts"
import type { CredentialLocation } from "../../ir/policy/CredentialLocation.ts"
import { cookieOf, removeCookies, setCookie } from "../../protocols/http/cookies.ts"
import type { Request, Subject } from "../Exchange.ts"
import { readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import type { Layer } from "./order.ts"
import type { PolicyPorts } from "./steps.ts"

export interface Credential {
  /** The first one there is; undefined also where its prefix is missing. */
  readonly extract: (subject: Subject) => string | undefined
  /** Takes away everything at that place, so that nobody further on reads another one than we did. */
  readonly remove: (request: Request) => void
  /** False when the value cannot be written there. */
  readonly insert: (request: Request, value: string) => boolean
  /** Whether it is looked for in the body. */
  readonly readsBody: boolean
}

const upper = (code: number): number => (code >= 0x61 && code <= 0x7a ? code - 0x20 : code)

/** Without regard to the case of ASCII letters, and of no others. */
export const beginsWith = (text: string, prefix: string): boolean => {
  if (text.length < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) {
    if (upper(text.charCodeAt(i)) !== upper(prefix.charCodeAt(i))) return false
  }
  return true
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

/** The rest of a value, without blanks around it. */
const after = (value: string, start: number): string => {
  let from = start
  let to = value.length
  while (from < to && isBlank(value.charCodeAt(from))) from++
  while (to > from && isBlank(value.charCodeAt(to - 1))) to--
  return value.slice(from, to)
}

const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

const inHeader = (name: string, prefix: string): Credential => ({
  readsBody: false,
  extract: ({ request }) => {
    const value = request.headers.get(name)
    if (value === undefined || prefix === "") return value
    return beginsWith(value, prefix) ? after(value, prefix.length) : undefined
  },
  remove: ({ headers }) => headers.remove(name),
  insert: ({ headers }, value) => {
    if (!fieldValue.test(value)) return false
    headers.set(name, prefix + value)
    return true
  },
})

/** As forms are encoded; what is not well-formed stands for itself, so that it is judged rather than overlooked. */
const decoded = (text: string): string => {
  if (!text.includes("%") && !text.includes("+")) return text
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    return text
  }
}

const nameOf = (pair: string): string => {
  const equals = pair.indexOf("=")
  return decoded(equals < 0 ? pair : pair.slice(0, equals))
}

const inQuery = (name: string): Credential => {
  const encodedName = encodeURIComponent(name)
  return {
    readsBody: false,
    extract: ({ request: { query } }) => {
      if (query === undefined) return undefined
      for (const pair of query.split("&")) {
        if (nameOf(pair) !== name) continue
        const equals = pair.indexOf("=")
        return equals < 0 ? "" : decoded(pair.slice(equals + 1))
      }
      return undefined
    },
    remove: (request) => {
      if (request.query === undefined) return
      const pairs = request.query.split("&")
      const kept = pairs.filter((pair) => nameOf(pair) !== name)
      if (kept.length < pairs.length) request.query = kept.length === 0 ? undefined : kept.join("&")
    },
    insert: (request, value) => {
      if (!value.isWellFormed()) return false
      const kept = request.query === undefined ? [] : request.query.split("&").filter((pair) => nameOf(pair) !== name)
      request.query = [...kept, `${encodedName}=${encodeURIComponent(value)}`].join("&")
      return true
    },
  }
}

const inCookie = (name: string): Credential => ({
  readsBody: false,
  extract: ({ request }) => cookieOf(request.headers, name),
  remove: ({ headers }) => removeCookies(headers, (other) => other === name),
  insert: ({ headers }, value) => setCookie(headers, name, value),
})

const asText = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** Where it was found is not known, so it stays in the request. */
const computed = (source: Expression, ports: PolicyPorts, layer: Layer): Credential => {
  const expressions = expressionsOf(ports)
  const expression = expressions.compile(source, layer, "credential")
  return {
    readsBody: readsRequestBody(expression),
    extract: (subject) => expression.as(Facts.of(expressions.around, subject), asText),
    remove: () => {},
    insert: () => false,
  }
}

export const compile = (location: CredentialLocation, ports: PolicyPorts, layer: Layer): Credential => {
  switch (location._tag) {
    case "Header":
      return inHeader(location.name, location.prefix ?? "")
    case "Query":
      return inQuery(location.name)
    case "Cookie":
      return inCookie(location.name)
    case "Computed":
      return computed(location.expression, ports, layer)
  }
}

/** Whether it is where browsers and proxies look for what to answer a challenge with. */
export const isHeader = (location: CredentialLocation, name: string): boolean =>
  location._tag === "Header" && location.name.toLowerCase() === name
