import { assert, describe, it } from "@effect/vitest"
import type { Match } from "../../../ir/Match.ts"
import { compile, hostFrom } from "../../../stages/5-policy/urlRewrite.ts"
import { makeExchange, verdict } from "../exchange.ts"

const prefix = (path: string): Match => ({ path: { _tag: "Prefix", path }, headers: [], query: [] })

describe("a rewrite", () => {
  const rewritten = (url: string, policy: Parameters<typeof compile>[0], match?: Match) => {
    const exchange = makeExchange({ url, ...(match === undefined ? {} : { match }) })
    assert.strictEqual(verdict(compile(policy), exchange)._tag, "Pass")
    return exchange
  }

  it("changes the path and keeps the query", () => {
    const path = { _tag: "Full", path: "/new" } as const
    assert.strictEqual(rewritten("http://a/old?x=1", { _tag: "UrlRewrite", path }).request.target, "/new?x=1")
    const none = { _tag: "Full", path: "" } as const
    assert.strictEqual(rewritten("http://a/old", { _tag: "UrlRewrite", path: none }).request.target, "/")
    const part = { _tag: "Prefix", prefix: "/new/" } as const
    const under = rewritten("http://a/old/x", { _tag: "UrlRewrite", path: part }, prefix("/old"))
    assert.strictEqual(under.request.target, "/new/x")
  })

  it("with a host drops the port, with a port keeps the host, and with both takes both", () => {
    const of = (authority: NonNullable<Parameters<typeof compile>[0]["authority"]>) => {
      const { request } = rewritten("http://A.example:8080/", { _tag: "UrlRewrite", authority })
      return [request.authority, request.host]
    }
    assert.deepStrictEqual(of({ _tag: "Host", host: "B" }), ["b", "b"])
    assert.deepStrictEqual(of({ _tag: "Port", port: 90 }), ["a.example:90", "a.example"])
    assert.deepStrictEqual(of({ _tag: "Port", port: 80 }), ["a.example", "a.example"])
    assert.deepStrictEqual(of({ _tag: "Full", authority: "c:9" }), ["c:9", "c"])
  })

  it("remembers where the client meant to go, from the first rewrite on", () => {
    const step = (path: string) => compile({ _tag: "UrlRewrite", path: { _tag: "Full", path } })
    const exchange = makeExchange({ url: "http://a/first?q" })
    verdict(step("/second"), exchange)
    verdict(step("/third"), exchange)
    assert.deepStrictEqual(exchange.original, { scheme: "http", authority: "a", host: "a", path: "/first", query: "q" })
  })

  it("changes nothing where it refuses", () => {
    const exchange = makeExchange({
      url: "http://a/foo",
      match: { path: { _tag: "Exact", path: "/foo" }, headers: [], query: [] },
    })
    const step = compile({
      _tag: "UrlRewrite",
      authority: { _tag: "Host", host: "b" },
      path: { _tag: "Prefix", prefix: "/x" },
    })
    assert.strictEqual(verdict(step, exchange)._tag, "FilterFailed")
    assert.deepStrictEqual([exchange.request.authority, exchange.request.path], ["a", "/foo"])
    assert.isUndefined(exchange.original)
  })

  it("has no path to change in a tunnel", () => {
    const exchange = makeExchange({ method: "CONNECT", url: "http://a:1" })
    const step = compile({ _tag: "UrlRewrite", path: { _tag: "Full", path: "/x" } })
    assert.strictEqual(verdict(step, exchange)._tag, "Pass")
    assert.strictEqual(exchange.request.path, "/")
  })

  it("leaves the choice of the backend's own name to dispatch", () => {
    assert.strictEqual(hostFrom(undefined), "custom")
    assert.strictEqual(hostFrom({ _tag: "UrlRewrite", path: { _tag: "Full", path: "/" } }), "custom")
    assert.strictEqual(hostFrom({ _tag: "UrlRewrite", authority: { _tag: "Auto" } }), "backend")
    assert.strictEqual(hostFrom({ _tag: "UrlRewrite", authority: { _tag: "None" } }), "request")
    assert.strictEqual(hostFrom({ _tag: "UrlRewrite", authority: { _tag: "Host", host: "a" } }), "request")
    assert.isUndefined(compile({ _tag: "UrlRewrite", authority: { _tag: "Auto" } }))
  })

  it("refuses every request when it cannot be used", () => {
    const bad = compile({ _tag: "UrlRewrite", authority: { _tag: "Host", host: "a b" } })
    assert.strictEqual(verdict(bad, makeExchange())._tag, "FilterFailed")
  })
})
