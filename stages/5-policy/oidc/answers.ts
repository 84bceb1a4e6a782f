/** What browsers and providers are answered. */
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"

type Kind = "OidcLogin" | "OidcCallback" | "OidcFailed" | "OidcUnavailable"

export const refusal = (kind: Kind, detail: string, headers: ReadonlyArray<string> = []): Refusal => ({
  _tag: kind,
  detail,
  headers,
})

export const unavailable = (detail: string, headers: ReadonlyArray<string> = []): Refusal =>
  refusal("OidcUnavailable", detail, ["retry-after", "15", ...headers])

export const keysUnavailable = (headers?: ReadonlyArray<string>): Refusal =>
  unavailable("the keys of the provider cannot be fetched", headers)

export const cookieFields = (cookies: ReadonlyArray<string>): ReadonlyArray<string> =>
  cookies.flatMap((cookie) => ["set-cookie", cookie])

export const redirect = (location: string, cookies: ReadonlyArray<string>): Reply => ({
  status: 302,
  headers: new Headers(["location", location, "cache-control", "no-store", ...cookieFields(cookies)]),
  body: Body.empty,
  origin: "gateway",
})

export const told = (status: number, text: string): Reply => ({
  status,
  headers: new Headers(["cache-control", "no-store", ...(text === "" ? [] : ["content-type", "application/json"])]),
  body: Body.text(text),
  origin: "gateway",
})
