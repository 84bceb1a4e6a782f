import { assert, describe, it } from "@effect/vitest"
import { parseTarget, pathAndQuery } from "../../../protocols/http/target.ts"

const nowhere = { scheme: undefined, authority: undefined }

describe("request target", () => {
  it("in origin form splits at the first question mark and decodes nothing", () => {
    const read = (text: string) => parseTarget("GET", text)
    assert.deepStrictEqual(read("/a/../%2e?b=/c?d"), { form: "origin", ...nowhere, path: "/a/../%2e", query: "b=/c?d" })
    assert.deepStrictEqual(read("/"), { form: "origin", ...nowhere, path: "/", query: undefined })
    assert.deepStrictEqual(read("/?"), { form: "origin", ...nowhere, path: "/", query: "" })
    assert.deepStrictEqual(read("//host/x"), { form: "origin", ...nowhere, path: "//host/x", query: undefined })
  })

  it("in absolute form carries scheme and authority", () => {
    const there = { form: "absolute", scheme: "http", authority: "A.b:8" }
    assert.deepStrictEqual(parseTarget("GET", "HTTP://A.b:8/x?y"), { ...there, path: "/x", query: "y" } as never)
    assert.deepStrictEqual(parseTarget("GET", "http://A.b:8?y=/z"), { ...there, path: "/", query: "y=/z" } as never)
    assert.deepStrictEqual(parseTarget("GET", "http://A.b:8"), { ...there, path: "/", query: undefined } as never)
    assert.strictEqual(parseTarget("OPTIONS", "http://A.b:8")?.path, "*")
    assert.strictEqual(parseTarget("GET", "https://[::1]/")?.authority, "[::1]")
  })

  it("in authority form is for CONNECT alone, with a port", () => {
    assert.deepStrictEqual(parseTarget("CONNECT", "a:1"), {
      form: "authority",
      scheme: undefined,
      authority: "a:1",
      path: "",
      query: undefined,
    })
    assert.strictEqual(parseTarget("CONNECT", "a"), undefined)
    assert.strictEqual(parseTarget("CONNECT", "/"), undefined)
    assert.strictEqual(parseTarget("GET", "a:1"), undefined)
  })

  it("as an asterisk is for OPTIONS alone", () => {
    assert.strictEqual(parseTarget("OPTIONS", "*")?.form, "asterisk")
    assert.strictEqual(parseTarget("GET", "*"), undefined)
  })

  it.each(
    [
      "",
      "a",
      "?x",
      "/a#b",
      "/a?b#c",
      "/a b",
      "/a\tb",
      "/a\0",
      "/ä",
      "/a\x7f",
      "/a\\b",
      "\\a",
      "http://u@a/",
      "http:///x",
      "http:/x",
    ].concat(["ftp://a/", "ws://a/", "http://a b/", "http://a\\b/", "http://a/\\", "http://a#b", "://a/", "http://"]),
  )("%j is refused", (text) => {
    assert.strictEqual(parseTarget("GET", text), undefined)
  })

  it("keeps a backslash in the query, as browsers send it", () => {
    assert.strictEqual(parseTarget("GET", "/?a\\b")?.query, "a\\b")
  })

  it("puts path and query together again", () => {
    assert.strictEqual(pathAndQuery("/a", "b"), "/a?b")
    assert.strictEqual(pathAndQuery("/a", ""), "/a?")
    assert.strictEqual(pathAndQuery("/a", undefined), "/a")
  })
})
