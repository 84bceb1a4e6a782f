/** Answers with another address, made from the one the client asked for. */
import * as Effect from "effect/Effect"
import type { Match } from "../../ir/Match.ts"
import type { RequestRedirect } from "../../ir/policy/RequestRedirect.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { pathAndQuery } from "../../protocols/http/target.ts"
import * as Body from "../Body.ts"
import type { Destination, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import {
  type AuthorityChange,
  compileAuthority,
  compilePath,
  noPrefix,
  type PathChange,
  redirectAuthority,
  replacePath,
} from "./destination.ts"
import { answer, type Step, unusable, type Verdict } from "./Step.ts"

export interface Redirect {
  readonly scheme: string | undefined
  readonly authority: AuthorityChange | undefined
  readonly path: PathChange | undefined
  readonly status: number
}

export const isScheme = (text: string): boolean => /^[a-z][a-z0-9+.-]*$/i.test(text)

/** A text says why the redirect cannot be made. */
export const compileRedirect = ({ authority, path, scheme, status }: RequestRedirect): Redirect | string => {
  const newScheme = scheme?.toLowerCase()
  if (scheme !== undefined && !isScheme(scheme)) return `${JSON.stringify(scheme)} is not a scheme`
  if (status < 200 || status > 599) return `${status} is not the status of a final reply`
  const newAuthority = authority === undefined ? undefined : compileAuthority(authority)
  if (typeof newAuthority === "string") return newAuthority
  const newPath = path === undefined ? undefined : compilePath(path)
  return typeof newPath === "string" ? newPath : { scheme: newScheme, authority: newAuthority, path: newPath, status }
}

/** The address to go to; undefined where there is no prefix to replace. */
export const location = (redirect: Redirect, from: Destination, match: Match | undefined): string | undefined => {
  const path = redirect.path === undefined ? from.path : replacePath(redirect.path, from.path, match)
  if (path === undefined) return undefined
  const authority = redirectAuthority(redirect.authority, redirect.scheme, from)
  return `${redirect.scheme ?? from.scheme}://${authority}${path === "*" ? "" : pathAndQuery(path, from.query)}`
}

const failed: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "FilterFailed", detail: noPrefix })

export const compile = (policy: RequestRedirect): Step<Subject> => {
  const redirect = compileRedirect(policy)
  if (typeof redirect === "string") return unusable("RequestRedirect", redirect)
  return {
    kind: "RequestRedirect",
    run: ({ exchange, request }) => {
      const to = location(redirect, exchange.original ?? request, exchange.match)
      if (to === undefined) return failed
      const headers = new Headers(["location", to])
      return answer({ status: redirect.status, headers, body: Body.empty, origin: "gateway" })
    },
  }
}
