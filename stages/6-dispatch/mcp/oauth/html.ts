/** Pages for people: plain, without scripts, and with nothing in them that somebody else could have written unescaped. */
import { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"

export const escaped = (text: string): string =>
  text
    .replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
    .replace(/[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, " ")

const style =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;color:#222;background:#fff}" +
  "h1{font-size:1.4rem}button{font:inherit;padding:.5rem 1rem}table{border-collapse:collapse;width:100%}" +
  "td,th{text-align:left;padding:.4rem .6rem .4rem 0;border-bottom:1px solid #ddd}code{word-break:break-all}" +
  "@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}td,th{border-color:#333}}"

/** `content` is HTML. */
export const page = (status: number, title: string, content: string, cookies: ReadonlyArray<string> = []): Reply => ({
  status,
  headers: new Headers([
    "content-type",
    "text/html; charset=utf-8",
    "cache-control",
    "no-store",
    "content-security-policy",
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "x-frame-options",
    "DENY",
    "x-content-type-options",
    "nosniff",
    "referrer-policy",
    "no-referrer",
    "cross-origin-opener-policy",
    "same-origin",
    ...cookies.flatMap((cookie) => ["set-cookie", cookie]),
  ]),
  body: Body.text(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${style}</style></head><body><main><h1>${escaped(title)}</h1>${content}</main></body></html>`,
  ),
  origin: "gateway",
})

export const says = (status: number, title: string, text: string, cookies: ReadonlyArray<string> = []): Reply =>
  page(status, title, `<p>${escaped(text)}</p>`, cookies)

/** `fields` go with it unseen. */
export const form = (action: string, button: string, fields: Readonly<Record<string, string>>): string =>
  `<form method="post" action="${escaped(action)}">${Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`)
    .join("")}<button>${escaped(button)}</button></form>`

export const redirect = (location: string, cookies: ReadonlyArray<string>): Reply => ({
  status: 303,
  headers: new Headers([
    "location",
    location,
    "cache-control",
    "no-store",
    "referrer-policy",
    "no-referrer",
    ...cookies.flatMap((cookie) => ["set-cookie", cookie]),
  ]),
  body: Body.empty,
  origin: "gateway",
})
