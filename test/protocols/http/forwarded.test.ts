import { assert, describe, it } from "@effect/vitest"
import {
  appendForwardedFor,
  dropForwarded,
  FORWARDED_ELEMENTS_MAX,
  formatForwarded,
  forwardedFor,
  forwardedNode,
  offerForwarded,
  parseForwarded,
} from "../../../protocols/http/forwarded.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { isWebSocket, refuseUpgrade } from "../../../protocols/http/upgrade.ts"

const read = (value: string) => parseForwarded(value)?.map((element) => Object.fromEntries(element))

describe("X-Forwarded", () => {
  it("grows by one address, in one field", () => {
    const headers = new Headers(["x-forwarded-for", "1.1.1.1", "a", "b", "x-forwarded-for", " 2.2.2.2,,3.3.3.3"])
    appendForwardedFor(headers, "4.4.4.4")
    assert.deepStrictEqual(forwardedFor(headers), ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"])
    assert.strictEqual(headers.all("x-forwarded-for").length, 1)
    const none = new Headers()
    appendForwardedFor(none, "::1")
    assert.deepStrictEqual(none.flat, ["x-forwarded-for", "::1"])
  })

  it("states scheme and host unless a hop before did, and forgets when told to", () => {
    const headers = new Headers(["x-forwarded-proto", "https"])
    offerForwarded(headers, "http", "a.b")
    assert.deepStrictEqual(headers.flat, ["x-forwarded-proto", "https", "x-forwarded-host", "a.b"])
    dropForwarded(headers)
    assert.deepStrictEqual(headers.flat, [])
  })
})

describe("Forwarded", () => {
  it("is read hop by hop, quotes and case aside", () => {
    assert.deepStrictEqual(read('For="[2001:db8::1]:80";proto=http ; by=_x, for=1.2.3.4,host="a\\"b,c;d"'), [
      { for: "[2001:db8::1]:80", proto: "http", by: "_x" },
      { for: "1.2.3.4" },
      { host: 'a"b,c;d' },
    ])
    assert.deepStrictEqual(read(""), [])
    assert.deepStrictEqual(read(" , for=a;, ,"), [{ for: "a" }])
  })

  it("is nothing when any part is malformed", () => {
    for (const value of [
      "for",
      "for=",
      'for="a',
      "for=a b",
      "for=a=b",
      "for=[::1]",
      "for=a;for=b",
      "for =a",
      "=a",
      'for="a"b',
    ]) {
      assert.strictEqual(read(value), undefined, value)
    }
    assert.strictEqual(read("for=a,".repeat(FORWARDED_ELEMENTS_MAX + 1)), undefined)
  })

  it("is written with quotes where they are needed", () => {
    assert.strictEqual(
      formatForwarded([
        new Map([
          ["for", forwardedNode("::1", 80)],
          ["proto", "https"],
        ]),
        new Map([["for", "a"]]),
      ]),
      'for="[::1]:80";proto=https, for=a',
    )
    assert.strictEqual(forwardedNode("1.2.3.4"), "1.2.3.4")
  })
})

describe("an upgrade", () => {
  it("passes when the server chose from what was offered", () => {
    assert.strictEqual(refuseUpgrade("websocket", "WebSocket"), undefined)
    assert.strictEqual(refuseUpgrade("foo/2, websocket", "foo/2"), undefined)
  })

  it("is refused otherwise", () => {
    assert.isDefined(refuseUpgrade(undefined, "websocket"))
    assert.isDefined(refuseUpgrade("websocket", undefined))
    assert.isDefined(refuseUpgrade("websocket", ""))
    assert.isDefined(refuseUpgrade("websocket", "websocket, h2c"))
    assert.include(refuseUpgrade("websocket", "h2c") ?? "", '"h2c"')
  })

  it("is for WebSocket by name alone", () => {
    assert.isTrue(isWebSocket("WebSocket"))
    assert.isFalse(isWebSocket("websocket, x"))
    assert.isFalse(isWebSocket(undefined))
  })
})
