import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Headers } from "../../../protocols/http/headers.ts"
import { allows } from "../../../stages/5-policy/csrf.ts"

const origin = fc.oneof(
  fc.constantFrom("https://a.example", "http://a.example", "https://b.example", "https://c.example:8443", "null"),
  fc.string({ maxLength: 12 }),
)
const site = fc.option(fc.constantFrom("same-origin", "none", "same-site", "cross-site", "?"), { nil: undefined })

it("nothing passes that a browser says came from an origin that is neither its own nor trusted", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("GET", "POST", "DELETE"),
      site,
      fc.option(origin, { nil: undefined }),
      fc.constantFrom("http", "https"),
      fc.constantFrom("a.example", "b.example", "a.example:443"),
      (method, site, origin, scheme, authority) => {
        const flat = Array<string>()
        if (site !== undefined) flat.push("sec-fetch-site", site)
        if (origin !== undefined) flat.push("origin", origin)
        const passes = allows(
          new Set(["https://c.example:8443"]),
          { method, scheme, headers: new Headers(flat) },
          authority,
        )
        const url = origin === undefined ? null : URL.parse(origin)
        const own = URL.parse(`${scheme}://${authority}`)?.origin
        const isTrusted = origin === "https://c.example:8443"
        const isOwn = url !== null && url.origin === own && /^https?:\/\/[^/]+$/.test(origin ?? "")
        if (method === "GET" || site === "same-origin" || site === "none" || isTrusted) assert.isTrue(passes)
        else if (site !== undefined) assert.isFalse(passes)
        else assert.strictEqual(passes, origin === undefined || origin === "null" || isOwn)
      },
    ),
    { numRuns: 2000 },
  )
})
