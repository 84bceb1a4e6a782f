import { assert, describe, it } from "@effect/vitest"
import {
  defaultPort,
  formatAuthority,
  hostOf,
  parseAuthority,
  portOf,
  stripDefaultPort,
  unbracket,
} from "../../../protocols/http/authority.ts"

describe("authority", () => {
  it.each([
    ["example.com", "example.com", undefined],
    ["EXAMPLE.com:8080", "example.com", 8080],
    ["example.com.", "example.com", undefined],
    ["example.com.:1", "example.com", 1],
    ["example.com:", "example.com", undefined],
    ["a_b-c~d.x", "a_b-c~d.x", undefined],
    ["[::1]:", "[::1]", undefined],
    ["127.0.0.1:65535", "127.0.0.1", 65535],
    ["[::1]", "[::1]", undefined],
    ["[FE80::1:2]:443", "[fe80::1:2]", 443],
    ["[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]", 1],
  ])("%s is read", (text, host, port) => {
    assert.deepStrictEqual(parseAuthority(text), { host, port })
    assert.strictEqual(hostOf(text), host)
    assert.strictEqual(portOf(text), port)
  })

  it.each(
    [
      "",
      ".",
      "..",
      "a..b",
      ".a",
      ":80",
      "a:0",
      "a:65536",
      "a:123456",
      "a:8x",
      "a:-1",
      "a b",
      "a/b",
      "u@a",
      "u:p@a",
      "a,b",
      "a\\b",
    ].concat(
      [
        "a%41",
        "a#",
        "a?b",
        "*.a",
        "ä",
        "a\0",
        "a\n",
        "[::1",
        "[]",
        "[1]",
        "[::1]x",
        "[::1]80",
        "::1",
        "[fe80::1%25eth0]",
      ],
      ["[:::]", "[1::2::3]", "[1:2:3:4:5:6:7:8:9]", "[v1.x]", "a[::1]", "x".repeat(255), "a:1:2"],
    ),
  )("%j is refused", (text) => {
    assert.strictEqual(parseAuthority(text), undefined)
  })

  it("routes by the very string it was given when there is nothing to change", () => {
    assert.strictEqual(hostOf("api.example.com"), "api.example.com")
    assert.strictEqual(hostOf(""), "")
    assert.strictEqual(hostOf("[x"), "[x")
  })

  it("drops only the default port of the scheme", () => {
    assert.strictEqual(stripDefaultPort("https", "a:443"), "a")
    assert.strictEqual(stripDefaultPort("http", "a:443"), "a:443")
    assert.strictEqual(stripDefaultPort("http", "[::1]:80"), "[::1]")
    assert.strictEqual(stripDefaultPort("http", "[::80]"), "[::80]")
    assert.strictEqual(stripDefaultPort("http", "a"), "a")
    assert.strictEqual(defaultPort("wss"), 443)
    assert.strictEqual(defaultPort("ftp"), undefined)
  })

  it("formats what it parsed", () => {
    assert.strictEqual(formatAuthority({ host: "[::1]", port: 5 }), "[::1]:5")
    assert.strictEqual(unbracket("[::1]"), "::1")
    assert.strictEqual(unbracket("a"), "a")
  })
})
