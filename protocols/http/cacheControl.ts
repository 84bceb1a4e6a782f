/** For how long a reply may be kept by whoever asked for it (RFC 9111 §4.2). */
import { parseHttpDate } from "./date.ts"
import type { Headers } from "./headers.ts"

/** What is left of `max-age`, or else the time until `Expires`; undefined where the server says neither. */
export const freshMillis = (headers: Headers, nowMillis: number): number | undefined => {
  const directives = headers
    .all("cache-control")
    .join(",")
    .toLowerCase()
    .split(",")
    .map((one) => one.trim())
  if (directives.some((one) => /^no-(?:cache|store)\b/.test(one))) return 0
  for (const one of directives) {
    const seconds = /^max-age="?(\d{1,10})"?$/.exec(one)?.[1]
    if (seconds === undefined) continue
    const age = headers.get("age") ?? ""
    return Math.max(0, Number(seconds) - (/^\d{1,10}$/.test(age) ? Number(age) : 0)) * 1000
  }
  const expires = headers.get("expires")
  if (expires === undefined) return undefined
  const date = parseHttpDate(expires, nowMillis)
  // What is no date stands for the past.
  return date === undefined ? 0 : Math.max(0, date - nowMillis)
}
