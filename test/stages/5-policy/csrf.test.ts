import { assert, describe, it } from "@effect/vitest"
import { compile, parseOrigin } from "../../../stages/5-policy/csrf.ts"
import { makeExchange, verdict } from "../exchange.ts"

const step = compile({ _tag: "Csrf", additionalOrigins: ["https://App.example:443", "http://localhost:5173"] })

type Row = readonly [passes: boolean, headers: Record<string, string>, url?: string]

const rows: ReadonlyArray<Row> = [
  [true, {}],
  [true, { origin: "null" }],
  [true, { "sec-fetch-site": "same-origin", origin: "https://evil.example" }],
  [true, { "sec-fetch-site": "none" }],
  [false, { "sec-fetch-site": "cross-site" }],
  [false, { "sec-fetch-site": "same-site" }],
  [false, { "sec-fetch-site": "same-site", origin: "https://shop.example" }, "https://shop.example/"],
  [false, { "sec-fetch-site": "cross-site", origin: "null" }],
  [false, { "sec-fetch-site": "", origin: "https://evil.example" }],
  [true, { "sec-fetch-site": "cross-site", origin: "https://app.example" }],
  [true, { "sec-fetch-site": "same-site", origin: "http://localhost:5173" }],
  [false, { "sec-fetch-site": "cross-site", origin: "https://localhost:5173" }],
  [true, { origin: "https://shop.example" }, "https://shop.example/"],
  [true, { origin: "https://shop.example" }, "https://shop.example:443/"],
  [true, { origin: "http://shop.example:8080" }, "http://shop.example:8080/"],
  [false, { origin: "http://shop.example" }, "https://shop.example/"],
  [false, { origin: "https://shop.example:8443" }, "https://shop.example/"],
  [false, { origin: "https://shop.example" }, "http://shop.example/"],
  [true, { origin: "https://shop.example", "x-forwarded-proto": "https" }, "http://shop.example/"],
  [true, { origin: "https://shop.example", "x-forwarded-proto": "HTTPS, http" }, "http://shop.example/"],
  [false, { origin: "ftp://shop.example", "x-forwarded-proto": "ftp" }, "http://shop.example/"],
  [false, { origin: "https://shop.example.evil.example" }, "https://shop.example/"],
  [false, { origin: "https://evil.example/https://shop.example" }, "https://shop.example/"],
  [false, { origin: "https://shop.example@evil.example" }, "https://shop.example/"],
  [false, { origin: "" }, "https://shop.example/"],
  [false, { origin: "shop.example" }, "https://shop.example/"],
  [false, { origin: "https://\u0455hop.example" }, "https://shop.example/"],
  [false, { origin: "https://shop.example\u0000" }, "https://shop.example/"],
  [false, { origin: "https://shop.example, https://evil.example" }, "https://shop.example/"],
  [false, { origin: `https://${"a".repeat(1 << 20)}` }, "https://shop.example/"],
  [false, { "sec-fetch-site": "SAME-ORIGIN", origin: "https://evil.example" }],
  [false, { "sec-fetch-site": "same-origin, cross-site", origin: "https://evil.example" }],
]

describe("a request that may change something", () => {
  for (const [passes, headers, url] of rows) {
    it(`${passes ? "passes" : "is refused"}: ${JSON.stringify(headers)} ${url ?? ""}`, () => {
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get"]) {
        const exchange = makeExchange({ method, headers, url: url ?? "http://shop.example/" })
        const before = exchange.request.headers.flat.slice()
        assert.strictEqual(verdict(step, exchange)._tag, passes ? "Pass" : "CsrfFailed", method)
        assert.deepStrictEqual(exchange.request.headers.flat, before)
      }
    })
  }

  it("with two origins is judged by none of them alone", () => {
    const [own, evil] = ["https://shop.example", "https://evil.example"]
    for (const origins of [
      [own, evil],
      [evil, own],
    ]) {
      const headers = origins.map((one) => ["origin", one] as const)
      const exchange = makeExchange({ method: "POST", url: "https://shop.example/", headers })
      assert.strictEqual(verdict(step, exchange)._tag, "CsrfFailed", origins.join())
    }
  })

  it("is judged by where the browser sent it, wherever it goes since", () => {
    const exchange = makeExchange({
      method: "POST",
      url: "https://inner.example/",
      headers: { origin: "https://shop.example" },
    })
    assert.strictEqual(verdict(step, exchange)._tag, "CsrfFailed")
    exchange.original = {
      scheme: "https",
      authority: "shop.example",
      host: "shop.example",
      path: "/",
      query: undefined,
    }
    assert.strictEqual(verdict(step, exchange)._tag, "Pass")
  })
})

it("a request that changes nothing passes", () => {
  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    const headers = { "sec-fetch-site": "cross-site", origin: "https://evil.example" }
    assert.strictEqual(verdict(step, makeExchange({ method, headers }))._tag, "Pass")
  }
})

it("an origin is a scheme and an authority, and nothing else", () => {
  assert.strictEqual(parseOrigin("HTTPS://A.example:443"), "https://a.example")
  assert.strictEqual(parseOrigin("http://[::1]:80"), "http://[::1]")
  for (const text of ["null", "*", "https://", "https://a/", "https://a b", "//a", "https://a?b", "https://u@a"]) {
    assert.isUndefined(parseOrigin(text), text)
  }
})
