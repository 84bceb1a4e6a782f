import { SPELLINGS_MAX } from "../../../protocols/http/KnownFields.ts"
import { assert, describe, it } from "@effect/vitest"
import {
  CONNECTION_OPTIONS_MAX,
  relayReply,
  relayRequest,
  relayTrailers,
  type HttpVersion,
} from "../../../protocols/http/hopByHop.ts"

const malformed = (flat: ReadonlyArray<string>, version?: HttpVersion) => relayRequest(flat, version).malformed

describe("a request on its way to the next hop", () => {
  it("keeps end-to-end fields in order, with names in lower case, and reports host and length", () => {
    const relayed = relayRequest(["Host", "a.b:80", "X-One", "1", "Content-Length", "12", "x-one", "2"])
    assert.deepStrictEqual(relayed.headers.flat, ["x-one", "1", "content-length", "12", "x-one", "2"])
    assert.strictEqual(relayed.host, "a.b:80")
    assert.strictEqual(relayed.contentLength, 12)
    assert.strictEqual(relayed.malformed, undefined)
    assert.isFalse(relayed.chunked)
  })

  it("loses everything that belongs to the hop", () => {
    const relayed = relayRequest(
      [
        "Connection",
        "keep-alive",
        "Proxy-Connection",
        "x",
        "Keep-Alive",
        "timeout=5",
        "Proxy-Authenticate",
        "Basic",
      ].concat([
        "Transfer-Encoding",
        "Chunked",
        "Trailer",
        "x",
        "Upgrade",
        "websocket",
        "HTTP2-Settings",
        "AAA",
        "Expect",
        "100-continue",
      ]),
    )
    assert.deepStrictEqual(relayed.headers.flat, [])
    assert.isTrue(relayed.chunked)
    assert.strictEqual(relayed.upgrade, undefined, "an Upgrade that Connection does not name")
    assert.strictEqual(relayed.expect, "100-continue")
  })

  it("keeps proxy-authorization, which basic authentication may read", () => {
    assert.deepStrictEqual(relayRequest(["Proxy-Authorization", "Basic x"]).headers.flat, [
      "proxy-authorization",
      "Basic x",
    ])
  })

  it("loses what Connection names, wherever it stands and however it is spelled", () => {
    const relayed = relayRequest(["X-Hop", "1", "Connection", "close , x-HOP,,x-late", "X-Late", "1", "X-End", "1"])
    assert.deepStrictEqual(relayed.headers.flat, ["x-end", "1"])
  })

  it("does not let Connection erase identity, framing or the trail of trusted hops", () => {
    const fields = ["authorization", "a", "cookie", "b=c", "x-forwarded-for", "1.2.3.4", "content-length", "0"].concat([
      "forwarded",
      "for=x",
      "content-type",
      "t",
      "x-api-key",
      "k",
      "mcp-session-id",
      "s",
      "sec-fetch-site",
      "none",
    ])
    const names = fields.filter((_, i) => i % 2 === 0)
    const relayed = relayRequest(["Host", "h", "Connection", `host, ${names.join(", ")}`, ...fields])
    assert.deepStrictEqual(relayed.headers.flat, fields)
    assert.strictEqual(relayed.host, "h")
  })

  it("passes on only the trailers token of te", () => {
    assert.deepStrictEqual(relayRequest(["TE", "gzip;q=0.5, Trailers;q=1", "Connection", "te"]).headers.flat, [
      "te",
      "trailers",
    ])
    assert.deepStrictEqual(relayRequest(["TE", "gzip, xtrailers"]).headers.flat, [])
  })

  it("offers an upgrade that Connection vouches for", () => {
    assert.strictEqual(relayRequest(["Connection", "Keep-Alive, Upgrade", "Upgrade", "WebSocket"]).upgrade, "WebSocket")
    assert.strictEqual(relayRequest(["Upgrade", "websocket", "connection", "upgrade"], "1.0").upgrade, undefined)
  })

  it("never offers an upgrade to HTTP or TLS, which would pass every policy by", () => {
    for (const value of ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.2,websocket"]) {
      assert.strictEqual(
        relayRequest(["Connection", "upgrade, http2-settings", "Upgrade", value]).upgrade,
        undefined,
        value,
      )
    }
  })

  it("joins the crumbs of a cookie", () => {
    assert.deepStrictEqual(relayRequest(["cookie", "a=1", "x", "y", "cookie", "b=2"], "2.0").headers.flat, [
      "cookie",
      "a=1; b=2",
      "x",
      "y",
    ])
  })

  it("takes the authority of HTTP/2 for the host and drops pseudo fields", () => {
    const relayed = relayRequest([":method", "GET", ":authority", "a.b", ":path", "/", "x", "1"], "2.0")
    assert.deepStrictEqual(relayed.headers.flat, ["x", "1"])
    assert.strictEqual(relayed.host, "a.b")
    assert.strictEqual(malformed([":authority", "a.b", "host", "A.b"], "2.0"), undefined)
  })

  it("remembers no more spellings than its bound and still knows every name", () => {
    for (let i = 0; i < SPELLINGS_MAX * 2 + 10; i++) {
      const relayed = relayRequest([`X-Made-Up-${i}`, "1", "Host", "h"])
      assert.deepStrictEqual(relayed.headers.flat, [`x-made-up-${i}`, "1"])
      assert.strictEqual(relayed.host, "h")
    }
  })

  it.each([
    ["duplicate host", ["Host", "a", "host", "a"]],
    ["invalid content-length", ["Content-Length", "+1"]],
    ["invalid content-length", ["Content-Length", "1, 1"]],
    ["invalid content-length", ["Content-Length", ""]],
    ["invalid content-length", ["Content-Length", "0x10"]],
    ["invalid content-length", ["Content-Length", "9999999999999999"]],
    ["duplicate content-length", ["Content-Length", "1", "content-length", "1"]],
    ["duplicate content-length", ["Content-Length", "1", "content-length", "2"]],
    ["content-length with transfer-encoding", ["Content-Length", "1", "Transfer-Encoding", "chunked"]],
    ["unsupported transfer-encoding", ["Transfer-Encoding", "gzip, chunked"]],
    ["unsupported transfer-encoding", ["Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"]],
    ["unsupported transfer-encoding", ["Transfer-Encoding", "xchunked"]],
    ["invalid field value", ["Transfer-Encoding", "\x0bchunked"]],
    ["unsupported transfer-encoding", ["Transfer-Encoding", ""]],
    ["invalid field name", ["Transfer-Encoding ", "chunked"]],
    ["invalid field name", ["", "x"]],
    ["invalid field name", ["a\r\nb", "x"]],
    ["invalid field name", [":path", "/"]],
    ["invalid field name", ["näme", "x"]],
    ["invalid field value", ["x", "a\nb"]],
    ["invalid field value", ["x", "a\rb"]],
    ["invalid field value", ["Content-Type", "a\0b"]],
    ["too many connection options", ["Connection", "a,".repeat(CONNECTION_OPTIONS_MAX)]],
  ] as const)("is refused for its %s: %j", (reason, flat) => {
    assert.strictEqual(malformed(flat), reason)
  })

  it("is refused for what its version does not know", () => {
    assert.strictEqual(malformed(["Transfer-Encoding", "chunked"], "1.0"), "transfer-encoding in http/1.0")
    for (const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]) {
      assert.strictEqual(malformed([name, "chunked"], "2.0"), "connection field in http/2", name)
    }
    assert.strictEqual(malformed([":authority", "a", "host", "b"], "2.0"), "host differs from authority")
  })
})

describe("a reply on its way back", () => {
  it("loses the hop and keeps the rest, several cookies apart", () => {
    const relayed = relayReply([
      "Set-Cookie",
      "a=1",
      "Set-Cookie",
      "b=2",
      "Connection",
      "close, x",
      "X",
      "1",
      "Host",
      "odd",
    ])
    assert.deepStrictEqual(relayed.headers.flat, ["set-cookie", "a=1", "set-cookie", "b=2", "host", "odd"])
  })

  it("reports an accepted upgrade and its framing", () => {
    assert.strictEqual(relayReply(["Upgrade", "websocket", "Connection", "Upgrade"]).upgrade, "websocket")
    assert.isTrue(relayReply(["Transfer-Encoding", "chunked"]).chunked)
    assert.strictEqual(relayReply(["Content-Length", "5", "Content-Length", "6"]).malformed, "duplicate content-length")
  })
})

describe("trailers", () => {
  it("may not change what was already decided", () => {
    const trailers = relayTrailers(
      ["Grpc-Status", "0", "Content-Length", "3", "Authorization", "x", "Set-Cookie", "a=b", "Connection", "x"].concat([
        "bad name",
        "1",
        "X-Sum",
        "9",
        "X-Bad",
        "a\r\nb",
      ]),
    )
    assert.deepStrictEqual(trailers.flat, ["grpc-status", "0", "x-sum", "9"])
  })
})
