/**
 * Refuses requests that change something and that a page of another origin made a browser send. What browsers say of
 * themselves decides: `Sec-Fetch-Site` where it is sent, else `Origin`. Whoever sends neither is no browser, or one
 * that asks for nothing that could change something.
 */
import * as Effect from "effect/Effect"
import type { Csrf } from "../../ir/policy/Csrf.ts"
import { stripDefaultPort } from "../../protocols/http/authority.ts"
import type { Request, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { pass, type Step, type Verdict } from "./Step.ts"

const failed: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "CsrfFailed" })

/** As browsers write it: in lower case, without the default port of its scheme. */
export const originOf = (scheme: string, authority: string): string =>
  `${scheme}://${stripDefaultPort(scheme, authority)}`

/** The same for what people write; undefined where it is no origin. */
export const parseOrigin = (text: string): string | undefined => {
  const [, scheme, authority] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\s\\]+)$/.exec(text.trim().toLowerCase()) ?? []
  return scheme === undefined || authority === undefined ? undefined : originOf(scheme, authority)
}

/** Browsers let no page set the header, so it can be believed here: in front of a gateway TLS may have ended already. */
const schemeOf = ({ headers, scheme }: Pick<Request, "scheme" | "headers">): string => {
  const forwarded = headers.get("x-forwarded-proto")?.split(",", 1)[0]?.trim().toLowerCase()
  return forwarded === "http" || forwarded === "https" ? forwarded : scheme
}

/** Whether the request may go on; `trusted` are further origins whose pages may send it. */
export const allows = (
  trusted: ReadonlySet<string>,
  request: Pick<Request, "method" | "scheme" | "headers">,
  authority: string,
): boolean => {
  const { headers, method } = request
  if (method === "GET" || method === "HEAD" || method === "OPTIONS") return true
  const site = headers.get("sec-fetch-site")
  if (site === "same-origin" || site === "none") return true
  const origins = headers.all("origin")
  // No browser sends two: whoever reads the other one must not be told something else.
  if (origins.length > 1) return false
  const [written] = origins
  if (site === undefined && (written === undefined || written === "null")) return true
  const origin = written === undefined ? undefined : parseOrigin(written)
  if (origin === undefined) return false
  return trusted.has(origin) || (site === undefined && origin === originOf(schemeOf(request), authority))
}

export const compile = ({ additionalOrigins }: Csrf): Step<Subject> => {
  const trusted = new Set(additionalOrigins.flatMap((one) => parseOrigin(one) ?? []))
  return {
    kind: "Csrf",
    run: ({ exchange, request }) =>
      // Where it was sent since is nothing the browser knows of.
      allows(trusted, request, (exchange.original ?? request).authority) ? pass : failed,
  }
}
