/** Changes where a request says it is going; the query always stays. */
import * as Effect from "effect/Effect"
import type { UrlRewrite } from "../../ir/policy/UrlRewrite.ts"
import type { Match } from "../../ir/Match.ts"
import type { Request, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import {
  type AuthorityChange,
  compileAuthority,
  compilePath,
  noPrefix,
  type PathChange,
  replacePath,
  rewriteAuthority,
} from "./destination.ts"
import { pass, type Step, unusable, type Verdict } from "./Step.ts"

/**
 * Whose name the backend is called by: what the request says, the backend's own, or whichever is the custom for that
 * kind of backend.
 */
export const hostFrom = (policy: UrlRewrite | undefined): "request" | "backend" | "custom" =>
  policy?.authority === undefined ? "custom" : policy.authority._tag === "Auto" ? "backend" : "request"

export interface Rewrite {
  readonly authority: AuthorityChange | undefined
  readonly path: PathChange | undefined
}

/** A text says why the rewrite cannot be made. */
export const compileRewrite = ({ authority, path }: UrlRewrite): Rewrite | string => {
  const newAuthority =
    authority === undefined || authority._tag === "Auto" || authority._tag === "None"
      ? undefined
      : compileAuthority(authority)
  const newPath = path === undefined ? undefined : compilePath(path)
  if (typeof newAuthority === "string") return newAuthority
  return typeof newPath === "string" ? newPath : { authority: newAuthority, path: newPath }
}

/** Rewrites the request in place; false where there is no prefix to replace, and then nothing is changed. */
export const rewrite = ({ authority, path }: Rewrite, request: Request, match: Match | undefined): boolean => {
  // A tunnel leads to an authority: it has no path to replace.
  if (path !== undefined && request.method !== "CONNECT") {
    const replaced = replacePath(path, request.path, match)
    if (replaced === undefined) return false
    request.path = replaced
  }
  if (authority !== undefined) {
    request.authority = rewriteAuthority(authority, request)
    if (authority._tag !== "Port") request.host = authority.host
    request.isNamed = true
  }
  return true
}

const failed: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "FilterFailed", detail: noPrefix })

export const compile = (policy: UrlRewrite): Step<Subject> | undefined => {
  const made = compileRewrite(policy)
  if (typeof made === "string") return unusable("UrlRewrite", made)
  if (made.authority === undefined && made.path === undefined) return undefined
  return {
    kind: "UrlRewrite",
    run: ({ exchange, request }) => {
      const { authority, host, path, query, scheme } = request
      if (!rewrite(made, request, exchange.match)) return failed
      exchange.original ??= { authority, host, path, query, scheme }
      return pass
    },
  }
}
