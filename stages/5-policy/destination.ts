/** Replacing parts of where a request goes: what rewrites and redirects have in common. */
import type { Match } from "../../ir/Match.ts"
import type { AuthorityReplacement, PathReplacement } from "../../ir/policy/Rewrite.ts"
import { defaultPort, formatAuthority, parseAuthority, portOf } from "../../protocols/http/authority.ts"
import { trimmed } from "../4-route/Entry.ts"
import type { Destination } from "../Exchange.ts"

export type PathChange =
  | { readonly _tag: "Full"; readonly path: string }
  | {
      readonly _tag: "Prefix"
      /** In place of a path that is the matched prefix and nothing more. */
      readonly whole: string
      /** In front of the rest, which begins with a slash. */
      readonly stem: string
    }

/** No white space, no control character, nothing that ends a path or that some readers take for a slash. */
const isPath = (text: string): boolean => /^[\x21\x22\x24-\x3e\x40-\x5b\x5d-\x7e]*$/.test(text)

const rooted = (path: string): string => (path.startsWith("/") ? path : `/${path}`)

/** A text says why the path cannot be used. */
export const compilePath = (replacement: PathReplacement): PathChange | string => {
  const text = replacement._tag === "Full" ? replacement.path : replacement.prefix
  if (!isPath(text)) return `${JSON.stringify(text)} is not a path`
  const path = rooted(text)
  return replacement._tag === "Full" ? { _tag: "Full", path } : { _tag: "Prefix", whole: path, stem: trimmed(path) }
}

/** Undefined where there is no prefix to replace. */
export const replacePath = (change: PathChange, path: string, match: Match | undefined): string | undefined => {
  if (change._tag === "Full") return change.path
  if (match === undefined || match.path._tag !== "Prefix") return undefined
  const prefix = trimmed(match.path.path)
  if (path.length === prefix.length) return path === prefix ? change.whole : undefined
  return path.charCodeAt(prefix.length) === 0x2f && path.startsWith(prefix)
    ? change.stem + path.slice(prefix.length)
    : undefined
}

export const noPrefix = "the request was not matched by a path prefix, so there is none to replace"

/** The parts of a new authority that are given; the port of `Full` is part of its host. */
export type AuthorityChange =
  | { readonly _tag: "Full"; readonly authority: string; readonly host: string }
  | { readonly _tag: "Host"; readonly host: string }
  | { readonly _tag: "Port"; readonly port: number }

/** A text says why the authority cannot be used. */
export const compileAuthority = (replacement: AuthorityReplacement): AuthorityChange | string => {
  switch (replacement._tag) {
    case "Full": {
      const parsed = parseAuthority(replacement.authority)
      if (parsed === undefined) return `${JSON.stringify(replacement.authority)} is not an authority`
      return { _tag: "Full", authority: formatAuthority(parsed), host: parsed.host }
    }
    case "Host": {
      const parsed = parseAuthority(replacement.host)
      if (parsed === undefined || parsed.port !== undefined) return `${JSON.stringify(replacement.host)} is not a host`
      return { _tag: "Host", host: parsed.host }
    }
    case "Port":
      return { _tag: "Port", port: replacement.port }
  }
}

export const withPort = (scheme: string, host: string, port: number | undefined): string =>
  port === undefined || port === defaultPort(scheme) ? host : `${host}:${port}`

/** The authority that a redirect names; `scheme` is the one it changes to, if any. */
export const redirectAuthority = (
  change: AuthorityChange | undefined,
  scheme: string | undefined,
  from: Destination,
): string => {
  if (change === undefined) return from.authority
  switch (change._tag) {
    case "Full":
      return change.authority
    case "Host":
      return scheme === "http" || scheme === "https"
        ? change.host
        : withPort(scheme ?? from.scheme, change.host, portOf(from.authority))
    case "Port":
      return withPort(scheme ?? from.scheme, from.host, change.port)
  }
}

/** The authority that a rewritten request has: a new host comes without the old port. */
export const rewriteAuthority = (change: AuthorityChange, from: Destination): string => {
  switch (change._tag) {
    case "Full":
      return change.authority
    case "Host":
      return change.host
    case "Port":
      return withPort(from.scheme, from.host, change.port)
  }
}
