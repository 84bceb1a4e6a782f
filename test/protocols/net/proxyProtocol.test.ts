import { assert, describe, it } from "@effect/vitest"
import { detectPreface } from "../../../protocols/net/preface.ts"
import {
  authorityOf,
  crc32c,
  encodeProxyV1,
  encodeProxyV2,
  PROXY_V2_PAYLOAD_MAX,
  readProxyHeader,
  TLV_AUTHORITY,
  TLV_CRC32C,
} from "../../../protocols/net/proxyProtocol.ts"

const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))
const reasonOf = (bytes: Uint8Array) => {
  const result = readProxyHeader(bytes)
  return result._tag === "Malformed" ? result.reason : result._tag
}
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
const v2 = (command: number, family: number, payload: ReadonlyArray<number>) =>
  Uint8Array.of(...signature, command, family, payload.length >> 8, payload.length & 0xff, ...payload)
const inet = [10, 0, 0, 1, 10, 0, 0, 2, 0x1f, 0x90, 0x01, 0xbb]
const addresses = { source: { address: "10.0.0.1", port: 8080 }, destination: { address: "10.0.0.2", port: 443 } }

describe("PROXY protocol, version 1", () => {
  it("names both ends and leaves the rest to the client", () => {
    assert.deepStrictEqual(readProxyHeader(bytesOf("PROXY TCP4 10.0.0.1 10.0.0.2 8080 443\r\nGET /")), {
      _tag: "Header",
      header: { version: 1, addresses, tlvs: [] },
      bytes: 39,
    })
    const six = readProxyHeader(bytesOf("PROXY TCP6 2001:DB8::1 ::1 1 65535\r\n"))
    assert.strictEqual(six._tag === "Header" ? six.header.addresses?.source.address : undefined, "2001:db8::1")
  })

  it("may not know", () => {
    for (const line of ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 whatever\r\n"]) {
      assert.deepStrictEqual(readProxyHeader(bytesOf(line)), {
        _tag: "Header",
        header: { version: 1, addresses: undefined, tlvs: [] },
        bytes: line.length,
      })
    }
  })

  it("waits for its line, but not for ever", () => {
    assert.strictEqual(reasonOf(bytesOf("PRO")), "NeedMore")
    assert.strictEqual(reasonOf(bytesOf("PROXY TCP4 1.1.1.1")), "NeedMore")
    assert.strictEqual(reasonOf(bytesOf(`PROXY UNKNOWN ${"x".repeat(91)}\r\n`)), "Header")
    assert.strictEqual(reasonOf(bytesOf(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`)), "line too long")
  })

  it.each([
    ["line", "PROXY TCP5 1.1.1.1 1.1.1.1 1 1"],
    ["line", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1"],
    ["line", "PROXY "],
    ["address", "PROXY TCP4 ::1 ::1 1 1"],
    ["address", "PROXY TCP4 1.1.1 1.1.1.1 1 1"],
    ["address", "PROXY TCP6 1.1.1.1 1.1.1.1 1 1"],
    ["line", "PROXY TCP4  1.1.1.1 1.1.1.1 1 1"],
    ["port", "PROXY TCP4 1.1.1.1 1.1.1.1 65536 1"],
    ["port", "PROXY TCP4 1.1.1.1 1.1.1.1 01 1"],
    ["port", "PROXY TCP4 1.1.1.1 1.1.1.1 1"],
  ])("with a wrong %s is malformed: %s", (reason, line) => {
    assert.strictEqual(reasonOf(bytesOf(`${line}\r\n`)), reason)
  })

  it("ends in CR LF", () => {
    assert.strictEqual(reasonOf(bytesOf("PROXY UNKNOWN\n")), "line end")
  })
})

describe("PROXY protocol, version 2", () => {
  it("names both ends", () => {
    assert.deepStrictEqual(readProxyHeader(v2(0x21, 0x11, inet)), {
      _tag: "Header",
      header: { version: 2, addresses, tlvs: [] },
      bytes: 28,
    })
  })

  it("speaks for itself when LOCAL or of no family", () => {
    for (const bytes of [v2(0x20, 0x00, []), v2(0x20, 0x31, [1, 2, 3]), v2(0x21, 0x00, [])]) {
      const result = readProxyHeader(bytes)
      assert.strictEqual(result._tag, "Header")
      if (result._tag === "Header") {
        assert.strictEqual(result.header.addresses, undefined)
        assert.strictEqual(result.bytes, bytes.length)
      }
    }
  })

  it("keeps its extensions, the authority among them", () => {
    const result = readProxyHeader(v2(0x21, 0x11, [...inet, TLV_AUTHORITY, 0, 3, 97, 46, 98, 0xea, 0, 1, 5]))
    assert.strictEqual(result._tag, "Header")
    if (result._tag !== "Header") return
    assert.strictEqual(authorityOf(result.header), "a.b")
    assert.deepStrictEqual(result.header.tlvs[1], { type: 0xea, value: Uint8Array.of(5) })
  })

  it("is refused when its checksum does not hold", () => {
    const bytes = encodeProxyV2({ version: 2, addresses, tlvs: [{ type: TLV_CRC32C, value: new Uint8Array(4) }] })
    assert.isDefined(bytes)
    assert.strictEqual(reasonOf(bytes), "Header")
    for (const at of [16, 30, 34]) {
      const broken = bytes.slice()
      broken[at] = (broken[at] ?? 0) ^ 1
      assert.notStrictEqual(reasonOf(broken), "Header", String(at))
    }
    assert.strictEqual(crc32c(bytesOf("123456789")), 0xe3069283)
  })

  it.each([
    [
      "unix address",
      v2(
        0x21,
        0x31,
        Array.from({ length: 216 }, () => 0),
      ),
    ],
    ["version", v2(0x11, 0x11, inet)],
    ["command", v2(0x22, 0x11, inet)],
    ["family", v2(0x21, 0x41, inet)],
    ["family", v2(0x21, 0x12, inet)],
    ["addresses", v2(0x21, 0x11, inet.slice(1))],
    ["addresses", v2(0x21, 0x21, inet)],
    ["extensions", v2(0x21, 0x11, [...inet, 1])],
    ["extensions", v2(0x21, 0x11, [...inet, 1, 0, 2, 0])],
    ["checksum", v2(0x21, 0x11, [...inet, TLV_CRC32C, 0, 1, 0])],
    [
      "payload too long",
      v2(
        0x20,
        0,
        Array.from({ length: PROXY_V2_PAYLOAD_MAX + 1 }, () => 0),
      ),
    ],
  ] as const)("with a wrong %s is malformed", (reason, bytes) => {
    assert.strictEqual(reasonOf(bytes), reason)
  })

  it("refuses a long payload before it arrives", () => {
    assert.strictEqual(reasonOf(Uint8Array.of(...signature, 0x21, 0x11, 0xff, 0xff)), "payload too long")
  })
})

describe("a PROXY header that cannot be written", () => {
  it("mixes families, or is too long", () => {
    const mixed = { source: { address: "::1", port: 1 }, destination: { address: "1.1.1.1", port: 1 } }
    assert.strictEqual(encodeProxyV1({ version: 1, addresses: mixed, tlvs: [] }), undefined)
    assert.strictEqual(encodeProxyV2({ version: 2, addresses: mixed, tlvs: [] }), undefined)
    assert.strictEqual(
      encodeProxyV2({ version: 2, addresses, tlvs: [{ type: 9, value: new Uint8Array(510) }] }),
      undefined,
    )
  })
})

describe("absent", () => {
  it("is a header that other protocols do not begin with", () => {
    for (const text of ["GET / HTTP/1.1", "POST", "\x16\x03\x01", "\r\n\r\nGET"])
      assert.strictEqual(reasonOf(bytesOf(text)), "Absent")
  })
})

describe("preface", () => {
  it("is told as soon as it can be", () => {
    const http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for (let i = 0; i < http2.length; i++) assert.strictEqual(detectPreface(bytesOf(http2.slice(0, i))), "needMore")
    assert.strictEqual(detectPreface(bytesOf(http2)), "http2")
    assert.strictEqual(detectPreface(bytesOf(`${http2}\0\0`)), "http2")
    for (const text of ["G", "PR ", "PRI * HTTP/1.1\r\n", "\0", "PRI * HTTP/2.0\r\n\r\nSX"]) {
      assert.strictEqual(detectPreface(bytesOf(text)), "http1", text)
    }
    assert.strictEqual(detectPreface(Uint8Array.of(0x16)), "tls")
  })
})
