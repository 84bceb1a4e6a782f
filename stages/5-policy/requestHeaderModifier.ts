/**
 * Fixed edits of the request's headers. `:method`, `:scheme`, `:authority`, `:path` and `host` stand for parts of the
 * request line: adding one is setting it, and none can be removed.
 */
import { token } from "../../protocols/http/token.ts"
import type { HeaderEdits } from "../../ir/policy/HeaderEdits.ts"
import { type Authority, formatAuthority, parseAuthority } from "../../protocols/http/authority.ts"
import { parseTarget } from "../../protocols/http/target.ts"
import type { Request, Subject } from "../Exchange.ts"
import { applyFields, compileFields, type FieldEdits, isIdle } from "./headerEdits.ts"
import { pass, type Step, unusable } from "./Step.ts"

export interface RequestEdits {
  readonly fields: FieldEdits
  readonly method: string | undefined
  readonly scheme: string | undefined
  readonly authority: Authority | undefined
  readonly target: { readonly path: string; readonly query: string | undefined } | undefined
}

/** A text says why the edits cannot be made. */
export const compileEdits = (edits: HeaderEdits): RequestEdits | string => {
  let method: string | undefined
  let scheme: string | undefined
  let authority: Authority | undefined
  let target: RequestEdits["target"]
  const fields = compileFields(edits, (name, value) => {
    const isLine = name === "host" || name.startsWith(":")
    if (!isLine || value === undefined) return isLine
    switch (name) {
      case ":method":
        // A tunnel is another kind of exchange: none becomes one, or ceases to be one, by a header.
        if (!token.test(value) || value === "CONNECT") return `${JSON.stringify(value)} cannot be set as a method`
        method = value
        return true
      case ":scheme":
        if (value !== "http" && value !== "https") return `${JSON.stringify(value)} is not a scheme of HTTP`
        scheme = value
        return true
      case ":path": {
        const parsed = parseTarget("GET", value)
        if (parsed?.form !== "origin") return `${JSON.stringify(value)} is not a path`
        target = { path: parsed.path, query: parsed.query }
        return true
      }
      case "host":
      case ":authority":
        authority = parseAuthority(value)
        return authority === undefined ? `${JSON.stringify(value)} is not an authority` : true
      default:
        return `${name} is not part of a request`
    }
  })
  return typeof fields === "string" ? fields : { fields, method, scheme, authority, target }
}

export const applyEdits = (edits: RequestEdits, request: Request): void => {
  applyFields(edits.fields, request.headers)
  if (edits.scheme !== undefined) request.scheme = edits.scheme
  if (edits.authority !== undefined) {
    request.authority = formatAuthority(edits.authority)
    request.host = edits.authority.host
    request.isNamed = true
  }
  // A tunnel leads to an authority: it has no other target and no other method.
  if (request.method === "CONNECT") return
  if (edits.method !== undefined) request.method = edits.method
  if (edits.target !== undefined) {
    request.path = edits.target.path
    request.query = edits.target.query
  }
}

const changesLine = ({ authority, method, scheme, target }: RequestEdits): boolean =>
  authority !== undefined || method !== undefined || scheme !== undefined || target !== undefined

export const compile = (policy: HeaderEdits): Step<Subject> | undefined => {
  const edits = compileEdits(policy)
  if (typeof edits === "string") return unusable("RequestHeaderModifier", edits)
  if (isIdle(edits.fields) && !changesLine(edits)) return undefined
  return {
    kind: "RequestHeaderModifier",
    run: ({ request }) => {
      applyEdits(edits, request)
      return pass
    },
  }
}
