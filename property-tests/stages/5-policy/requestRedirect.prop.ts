import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { RequestRedirect } from "../../../ir/policy/RequestRedirect.ts"
import { compile } from "../../../stages/5-policy/requestRedirect.ts"
import { answerOf, makeExchange, verdict } from "../../../test/stages/exchange.ts"
import {
  authorityOf,
  facts,
  host,
  matchedPath,
  path,
  type Place,
  place,
  port,
  prefixMatch,
  replacedBySegments,
  scheme,
  urlOf,
} from "./worlds.ts"

type Authority = NonNullable<RequestRedirect["authority"]>

const authority: fc.Arbitrary<Authority | undefined> = fc.option(
  fc.oneof(
    fc.record({ _tag: fc.constant("Host" as const), host }),
    fc.record({ _tag: fc.constant("Port" as const), port: fc.constantFrom(80, 443, 9000) }),
    fc.record({
      _tag: fc.constant("Full" as const),
      authority: fc.record({ host, port }).map(authorityOf),
    }),
  ),
  { nil: undefined },
)

const standard = { http: "80", https: "443" } as Record<string, string>

/** Host and port as the rules name them one by one; no port means that none is written. */
const expectedAuthority = (
  at: Place,
  change: Authority | undefined,
  to: string | undefined,
): readonly [string, string] => {
  const own = at.port === undefined ? "" : String(at.port)
  const unlessStandard = (number: string) => (number === standard[to ?? at.scheme] ? "" : number)
  switch (change?._tag) {
    case undefined:
      return [at.host, own]
    case "Full": {
      const [name = "", number = ""] = change.authority.split(":")
      return [name, number]
    }
    case "Host":
      return [change.host, to === undefined ? unlessStandard(own) : ""]
    case "Port":
      return [at.host, unlessStandard(String(change.port))]
  }
}

it("a redirect leads where the parts say, read by another parser of URLs", () => {
  fc.assert(
    fc.property(
      place,
      matchedPath,
      fc.option(scheme, { nil: undefined }),
      authority,
      fc.option(fc.tuple(fc.constantFrom("Full" as const, "Prefix" as const), path), { nil: undefined }),
      (where, matched, to, change, replacement) => {
        const at = { ...where, path: matched.path }
        const exchange = makeExchange({ url: urlOf(at), match: prefixMatch(matched.prefix) })
        const before = facts(exchange.request)
        const step = compile({
          _tag: "RequestRedirect",
          status: 302,
          ...(to === undefined ? {} : { scheme: to }),
          ...(change === undefined ? {} : { authority: change }),
          ...(replacement === undefined
            ? {}
            : {
                path:
                  replacement[0] === "Full"
                    ? { _tag: "Full", path: replacement[1] }
                    : { _tag: "Prefix", prefix: replacement[1] },
              }),
        })
        const location = answerOf(step, exchange).headers.get("location") ?? ""
        const [name, number] = expectedAuthority(at, change, to)
        const target =
          replacement === undefined
            ? at.path
            : replacement[0] === "Full"
              ? replacement[1]
              : replacedBySegments(at.path, matched.prefix, replacement[1])
        const expected = new URL(`${to ?? at.scheme}://${name}${number === "" ? "" : `:${number}`}`)
        expected.pathname = target
        if (at.query !== undefined && at.query !== "") expected.search = at.query
        const read = new URL(location)
        assert.strictEqual(read.origin, expected.origin)
        assert.strictEqual(read.pathname, expected.pathname)
        assert.strictEqual(read.search, expected.search)
        assert.strictEqual(location.split("/")[2], number === "" ? name : `${name}:${number}`)
        assert.deepStrictEqual(facts(exchange.request), before)
      },
    ),
    { numRuns: 500 },
  )
})

it("a redirect answers or refuses, whatever text it is made of, and never breaks the header", () => {
  fc.assert(
    fc.property(
      place,
      fc.string({ unit: "binary", minLength: 1 }),
      fc.string({ unit: "binary", minLength: 1 }),
      fc.string({ unit: "binary" }),
      fc.integer({ min: 100, max: 999 }),
      fc.constantFrom("scheme", "authority", "path", "all"),
      (at, text, name, target, status, used) => {
        const step = compile({
          _tag: "RequestRedirect",
          status,
          ...(used === "scheme" || used === "all" ? { scheme: text } : {}),
          ...(used === "authority" || used === "all" ? { authority: { _tag: "Full", authority: name } } : {}),
          ...(used === "path" || used === "all" ? { path: { _tag: "Full", path: target } } : {}),
        })
        const said = verdict(step, makeExchange({ url: urlOf(at) }))
        if (said._tag !== "Answer") assert.strictEqual(said._tag, "FilterFailed")
        else {
          assert.match(said.reply.headers.get("location") ?? "", /^[!-~]+$/)
          assert.strictEqual(said.reply.status, status)
        }
      },
    ),
    { numRuns: 300 },
  )
})
