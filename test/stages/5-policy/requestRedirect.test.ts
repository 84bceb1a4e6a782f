import { assert, describe, it } from "@effect/vitest"
import type { Match } from "../../../ir/Match.ts"
import type { RequestRedirect } from "../../../ir/policy/RequestRedirect.ts"
import * as redirects from "../../../stages/5-policy/requestRedirect.ts"
import * as rewrites from "../../../stages/5-policy/urlRewrite.ts"
import { answerOf, makeAttempt, makeExchange, verdict } from "../exchange.ts"

const prefix = (path: string): Match => ({ path: { _tag: "Prefix", path }, headers: [], query: [] })

const redirect = (policy: Partial<RequestRedirect>) =>
  redirects.compile({ _tag: "RequestRedirect", status: 302, ...policy })

const location = (url: string, policy: Partial<RequestRedirect>, match?: Match) =>
  answerOf(redirect(policy), makeExchange({ url, ...(match === undefined ? {} : { match }) })).headers.get("location")

const https: Partial<RequestRedirect> = { scheme: "https" }
const host = (name: string): Partial<RequestRedirect> => ({ authority: { _tag: "Host", host: name } })
const port = (number: number): Partial<RequestRedirect> => ({ authority: { _tag: "Port", port: number } })
const full = (path: string): Partial<RequestRedirect> => ({ path: { _tag: "Full", path } })
const stem = (path: string): Partial<RequestRedirect> => ({ path: { _tag: "Prefix", prefix: path } })

describe("a redirect", () => {
  it("answers with its status, an empty body and nothing but the address", () => {
    const reply = answerOf(redirect({ ...https, status: 308 }), makeExchange({ url: "http://a/b?c=d" }))
    assert.strictEqual(reply.status, 308)
    assert.strictEqual(reply.body._tag, "Empty")
    assert.strictEqual(reply.origin, "gateway")
    assert.deepStrictEqual([...reply.headers], [["location", "https://a/b?c=d"]])
  })

  it("keeps the authority of the request where none is given, whatever its port", () => {
    assert.strictEqual(location("http://a:8080/", {}), "http://a:8080/")
    assert.strictEqual(location("http://a:8080/", https), "https://a:8080/")
  })

  it("replaces host and port by a full authority", () => {
    const authority = { _tag: "Full", authority: "b:81" } as const
    assert.strictEqual(location("http://a:8080/x", { authority }), "http://b:81/x")
  })

  it("with a host keeps the port of the request, unless it is the default or the scheme changes too", () => {
    assert.strictEqual(location("http://a:8080/", host("b")), "http://b:8080/")
    assert.strictEqual(location("http://a:80/", host("b")), "http://b/")
    assert.strictEqual(location("http://a:443/", host("b")), "http://b:443/")
    assert.strictEqual(location("http://a/", host("b")), "http://b/")
    assert.strictEqual(location("http://a:8080/", { ...host("b"), ...https }), "https://b/")
  })

  it("with a port keeps the host, and leaves out the default of the new scheme", () => {
    assert.strictEqual(location("http://a/", port(8443)), "http://a:8443/")
    assert.strictEqual(location("http://a:8080/", port(80)), "http://a/")
    assert.strictEqual(location("http://a:8080/", { ...port(443), ...https }), "https://a/")
    assert.strictEqual(location("http://a:8080/", { ...port(80), ...https }), "https://a:80/")
    assert.strictEqual(location("http://[::1]:8080/", port(9)), "http://[::1]:9/")
  })

  it("replaces the whole path, and keeps the query", () => {
    assert.strictEqual(location("http://a/x/y?q=/r?s", full("/z")), "http://a/z?q=/r?s")
    assert.strictEqual(location("http://a/x?", full("")), "http://a/?")
    assert.strictEqual(location("http://a/x", full("z")), "http://a/z")
  })

  it("replaces the matched prefix without doubling slashes", () => {
    for (const [path, matched, replacement, expected] of [
      ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
      ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
      ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
      ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
      ["/foo", "/foo", "/xyz", "/xyz"],
      ["/foo/", "/foo", "/xyz", "/xyz/"],
      ["/foo/bar", "/foo", "", "/bar"],
      ["/foo/", "/foo", "", "/"],
      ["/foo", "/foo", "", "/"],
      ["/foo/", "/foo", "/", "/"],
      ["/foo", "/foo", "/", "/"],
      ["/foo/bar", "/foo", "/", "/bar"],
      ["/bar", "/", "/xyz", "/xyz/bar"],
      ["/", "/", "/xyz", "/xyz/"],
      ["/foo//bar", "/foo", "/x", "/x//bar"],
    ] as const) {
      assert.strictEqual(location(`http://a${path}`, stem(replacement), prefix(matched)), `http://a${expected}`, path)
    }
  })

  it("of a prefix refuses requests that were not matched by one", () => {
    for (const path of [{ _tag: "Exact", path: "/foo" } as const, { _tag: "Regex", pattern: "/f.*" } as const]) {
      const exchange = makeExchange({ url: "http://a/foo", match: { path, headers: [], query: [] } })
      assert.strictEqual(verdict(redirect(stem("/x")), exchange)._tag, "FilterFailed")
    }
    // An earlier policy may have given the request another path than the one that was matched.
    for (const path of ["/elsewhere", "/bar", "/bar/x", "/foobar", "/fo"]) {
      const moved = makeExchange({ url: `http://a${path}`, match: prefix("/foo") })
      assert.strictEqual(verdict(redirect(stem("/x")), moved)._tag, "FilterFailed", path)
    }
  })

  it("refuses every request when it cannot be used", () => {
    for (const policy of [
      { scheme: "ht tp" },
      { authority: { _tag: "Full", authority: "a/b" } as const },
      host("a:1"),
      full("/a?b"),
      full("/a\r\nx: y"),
      stem("/\\evil"),
      { status: 100 },
    ]) {
      assert.strictEqual(verdict(redirect(policy), makeExchange())._tag, "FilterFailed", JSON.stringify(policy))
    }
  })

  it("keeps to the address before a rewrite, in the route as in the backend", () => {
    const exchange = makeExchange({ url: "http://a/foo/1?q", match: prefix("/foo") })
    const rewrite = rewrites.compile({
      _tag: "UrlRewrite",
      authority: { _tag: "Host", host: "inside" },
      path: { _tag: "Full", path: "/inner" },
    })
    assert.strictEqual(verdict(rewrite, exchange)._tag, "Pass")
    const step = redirect({ ...https, ...stem("/bar") })
    for (const x of [exchange, makeAttempt(exchange)]) {
      assert.strictEqual(answerOf(step, x).headers.get("location"), "https://a/bar/1?q")
    }
  })
})
