import { assert, describe, it } from "@effect/vitest"
import { duplexPair } from "node:stream"
import * as tls from "node:tls"
import { CLIENT_HELLO_BYTES_MAX, readClientHello } from "../../../protocols/net/clientHello.ts"
import { encodeHandshake, serverNameBody, toRecords } from "./encodeClientHello.ts"

const realHello = (options: tls.ConnectionOptions): Promise<Uint8Array> =>
  new Promise((resolve) => {
    const [near, far] = duplexPair()
    const client = tls.connect({ ...options, socket: near })
    client.on("error", () => {})
    far.once("data", (bytes: Uint8Array) => {
      resolve(bytes)
      client.destroy()
      far.destroy()
    })
  })

const reasonOf = (bytes: Uint8Array) => {
  const result = readClientHello(bytes)
  return result._tag === "Malformed" ? result.reason : result._tag
}
const reasonFor = (extensions: ReadonlyArray<readonly [number, ReadonlyArray<number>]>) =>
  reasonOf(toRecords(encodeHandshake({ extensions })))

describe("client hello", () => {
  it("of a real client says what it wants", async () => {
    const result = readClientHello(
      await realHello({ servername: "Api.Example.com", ALPNProtocols: ["h2", "http/1.1"], minVersion: "TLSv1.2" }),
    )
    assert.strictEqual(result._tag, "ClientHello")
    if (result._tag !== "ClientHello") return
    assert.strictEqual(result.serverName, "api.example.com")
    assert.deepStrictEqual(result.alpn, ["h2", "http/1.1"])
    assert.include(result.versions, 0x0304)
    assert.include(result.versions, 0x0303)
  })

  it("may leave everything out", () => {
    assert.deepStrictEqual(readClientHello(toRecords(encodeHandshake({ sessionIdBytes: 0 }))), {
      _tag: "ClientHello",
      serverName: undefined,
      alpn: [],
      versions: [0x0303],
    })
  })

  it("asks for as many bytes as it surely needs", () => {
    const bytes = toRecords(encodeHandshake({ serverName: "a.b" }), [1, 2, 3])
    let have = 0
    let calls = 0
    for (;;) {
      const result = readClientHello(bytes.subarray(0, have))
      calls++
      if (result._tag !== "NeedMore") {
        assert.strictEqual(result._tag, "ClientHello")
        break
      }
      assert.isAbove(result.bytes, have)
      have = result.bytes
    }
    assert.strictEqual(have, bytes.length)
    assert.isBelow(calls, 12)
  })

  it("cut into records of one byte costs few calls", () => {
    const message = encodeHandshake({ extensions: [[21, Array.from({ length: 8000 }, () => 0)]], serverName: "a.b" })
    const bytes = toRecords(
      message,
      message.map(() => 1),
    )
    assert.isBelow(bytes.length, CLIENT_HELLO_BYTES_MAX)
    let have = 0
    let calls = 0
    for (let result = readClientHello(bytes.subarray(0, 0)); result._tag === "NeedMore"; calls++) {
      have = result.bytes
      result = readClientHello(bytes.subarray(0, have))
    }
    assert.strictEqual(have, bytes.length)
    assert.isBelow(calls, 100)
  })

  it("is not what other protocols begin with", () => {
    for (const text of ["GET / HTTP/1.1", "\x80\x2e\x01", "\x16\x02"]) {
      assert.strictEqual(reasonOf(Uint8Array.from(text, (char) => char.charCodeAt(0))), "NotTls")
    }
    assert.strictEqual(reasonOf(new Uint8Array()), "NeedMore")
  })

  it("is refused when readers could disagree about it", () => {
    assert.strictEqual(
      reasonFor([
        [0, serverNameBody("a")],
        [0, serverNameBody("b")],
      ]),
      "repeated extension",
    )
    assert.strictEqual(reasonFor([[0, [0, 8, 0, 0, 1, 97, 0, 0, 1, 98]]]), "server name")
    for (const name of ["", "a b", "a\0b", "a/b", "a:", "a:80", "[::1]", "..", "\xe4"]) {
      assert.strictEqual(reasonFor([[0, serverNameBody(name)]]), "server name", JSON.stringify(name))
    }
    assert.strictEqual(reasonFor([[0, []]]), "server name")
    assert.strictEqual(reasonFor([[16, [0, 1, 0]]]), "application protocols")
    assert.strictEqual(reasonFor([[16, [0, 3, 9, 104, 50]]]), "application protocols")
    assert.strictEqual(reasonFor([[43, [1, 3]]]), "supported versions")
    assert.strictEqual(reasonFor([[43, []]]), "supported versions")
  })

  it("is refused when its frame is wrong", () => {
    const good = toRecords(encodeHandshake({ serverName: "a.b" }))
    const changed = (at: number, value: number) => {
      const bytes = good.slice()
      bytes[at] = value
      return reasonOf(bytes)
    }
    assert.strictEqual(changed(5, 2), "not a client hello")
    assert.strictEqual(changed(6, 1), "too large")
    assert.strictEqual(changed(3, 0x7f), "record length")
    assert.strictEqual(reasonOf(Uint8Array.of(22, 3, 1, 0, 0, 1)), "record length")
    assert.strictEqual(changed(9, 2), "client hello")
    assert.strictEqual(reasonOf(Uint8Array.of(22, 3, 1, 0, 1, 1, 21, 3, 1, 0, 1, 0)), "record")
    assert.strictEqual(reasonOf(toRecords([1, 0, 0, 3, 3, 3, 0])), "client hello")
  })

  it("is refused before it passes its bound", () => {
    const message = [1, 0, 0xff, 0xff]
    assert.strictEqual(reasonOf(toRecords(message)), "too large")
  })
})
