import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { AuthorityReplacement } from "../../../ir/policy/Rewrite.ts"
import { compile } from "../../../stages/5-policy/urlRewrite.ts"
import { makeExchange, verdict } from "../../../test/stages/exchange.ts"
import { facts, host, matchedPath, path, place, port, prefixMatch, replacedBySegments, urlOf } from "./worlds.ts"

it("a rewritten prefix is what replacing its segments gives", () => {
  fc.assert(
    fc.property(place, matchedPath, path, (at, matched, replacement) => {
      const exchange = makeExchange({ url: urlOf({ ...at, path: matched.path }), match: prefixMatch(matched.prefix) })
      const step = compile({ _tag: "UrlRewrite", path: { _tag: "Prefix", prefix: replacement } })
      assert.strictEqual(verdict(step, exchange)._tag, "Pass")
      assert.strictEqual(exchange.request.path, replacedBySegments(matched.path, matched.prefix, replacement))
      assert.strictEqual(exchange.request.query, at.query)
    }),
  )
})

const authority: fc.Arbitrary<AuthorityReplacement> = fc.oneof(
  fc.record({ _tag: fc.constant("Host" as const), host }),
  fc.record({ _tag: fc.constant("Port" as const), port: fc.constantFrom(80, 443, 9000) }),
  fc.record({
    _tag: fc.constant("Full" as const),
    authority: fc.tuple(host, port).map(([name, number]) => (number === undefined ? name : `${name}:${number}`)),
  }),
)

it("a rewritten authority is one that the parts make, and nothing but it and the path changes", () => {
  fc.assert(
    fc.property(place, authority, path, (at, change, replacement) => {
      const exchange = makeExchange({ url: urlOf(at), method: "POST", headers: { a: "1" }, body: "x" })
      const before = facts(exchange.request)
      const step = compile({ _tag: "UrlRewrite", authority: change, path: { _tag: "Full", path: replacement } })
      assert.strictEqual(verdict(step, exchange)._tag, "Pass")
      const standard = at.scheme === "https" ? 443 : 80
      const expected =
        change._tag === "Full"
          ? change.authority
          : change._tag === "Host"
            ? change.host
            : change.port === standard
              ? at.host
              : `${at.host}:${change.port}`
      assert.deepStrictEqual(facts(exchange.request), {
        ...before,
        authority: expected,
        host: expected.split(":")[0] as string,
        path: replacement,
      })
      assert.deepStrictEqual(exchange.original, {
        scheme: before.scheme,
        authority: before.authority,
        host: before.host,
        path: before.path,
        query: before.query,
      })
    }),
  )
})

it("a rewrite passes or refuses, whatever text it is made of, and what it lets pass is a path", () => {
  fc.assert(
    fc.property(place, fc.string({ unit: "binary" }), fc.string(), fc.boolean(), (at, text, name, isPrefix) => {
      const exchange = makeExchange({ url: urlOf(at) })
      const before = facts(exchange.request)
      const step = compile({
        _tag: "UrlRewrite",
        authority: { _tag: "Full", authority: name === "" ? "a" : name },
        path: isPrefix ? { _tag: "Prefix", prefix: text } : { _tag: "Full", path: text },
      })
      const said = verdict(step, exchange)
      if (said._tag === "Pass") assert.match(exchange.request.path, /^\/[!-~]*$/)
      else {
        assert.strictEqual(said._tag, "FilterFailed")
        assert.deepStrictEqual(facts(exchange.request), before)
      }
    }),
  )
})
