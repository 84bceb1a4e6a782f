import { describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type ClientHelloResult, CLIENT_HELLO_BYTES_MAX, readClientHello } from "../../../protocols/net/clientHello.ts"
import { formatIp, parseIp } from "../../../protocols/net/ip.ts"
import { detectPreface } from "../../../protocols/net/preface.ts"
import {
  encodeProxyV1,
  encodeProxyV2,
  type ProxyHeader,
  PROXY_V1_BYTES_MAX,
  PROXY_V2_PAYLOAD_MAX,
  readProxyHeader,
  TLV_CRC32C,
} from "../../../protocols/net/proxyProtocol.ts"
import { encodeHandshake, toRecords } from "../../../test/protocols/net/encodeClientHello.ts"

const bytes = fc.uint8Array({ maxLength: 200 })
const port = fc.integer({ min: 0, max: 65_535 })
const addresses = fc.constantFrom(4, 16).chain((length) => {
  const endpoint = fc.record({ address: fc.uint8Array({ minLength: length, maxLength: length }).map(formatIp), port })
  return fc.record({ source: endpoint, destination: endpoint })
})
const maybeAddresses = fc.option(addresses, { nil: undefined })
const tlv = fc.record({
  type: fc.integer({ min: 0, max: 255 }).filter((type) => type !== TLV_CRC32C),
  value: fc.uint8Array({ maxLength: 40 }),
})
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

describe("IP addresses", () => {
  it("parse after format is the same address, as the URL parser writes it", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
        (ip) => same(parseIp(formatIp(ip)), ip),
      ),
    )
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const ip = parseIp(text)
        if (ip === undefined) return false
        // The URL parser writes a mapped address in groups; every other one alike.
        return formatIp(ip).startsWith("::ffff:") || `[${formatIp(ip)}]` === new URL(`http://[${text}]`).hostname
      }),
    )
  })

  it("parsing never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => [undefined, 4, 16].includes(parseIp(text)?.length)))
  })
})

describe("PROXY protocol", () => {
  it("read after write is the same header, unknown extensions included, and what follows is untouched", () => {
    fc.assert(
      fc.property(maybeAddresses, fc.array(tlv, { maxLength: 6 }), bytes, (addresses, tlvs, rest) => {
        const one: ProxyHeader = { version: 1, addresses, tlvs: [] }
        const two: ProxyHeader = { version: 2, addresses, tlvs }
        for (const [header, written] of [
          [one, encodeProxyV1(one)],
          [two, encodeProxyV2(two)],
        ] as const) {
          if (written === undefined) return false
          const result = readProxyHeader(Uint8Array.of(...written, ...rest))
          if (result._tag !== "Header" || result.bytes !== written.length || !same(result.header, header)) return false
        }
        return true
      }),
    )
  })

  it("any changed bit breaks the checksum", () => {
    fc.assert(
      fc.property(addresses, fc.nat(), fc.nat(7), (addresses, at, bit) => {
        const written = encodeProxyV2({ version: 2, addresses, tlvs: [{ type: TLV_CRC32C, value: new Uint8Array(4) }] })
        if (written === undefined) return false
        // The type of the extension itself is what says that there is a checksum.
        const index = 16 + (at % (written.length - 16))
        if (index >= written.length - 7 && index < written.length - 4) return true
        written[index] = (written[index] ?? 0) ^ (1 << bit)
        return readProxyHeader(written)._tag === "Malformed"
      }),
    )
  })

  it("every prefix asks for more or already knows the same answer", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          addresses.map((addresses) => encodeProxyV2({ version: 2, addresses, tlvs: [] })),
          addresses.map((addresses) => encodeProxyV1({ version: 1, addresses, tlvs: [] })),
          bytes,
        ),
        (whole) => {
          if (whole === undefined) return false
          const last = readProxyHeader(whole)
          for (let i = 0; i < whole.length; i++) {
            const result = readProxyHeader(whole.subarray(0, i))
            if (result._tag !== "NeedMore" && !same(result, last)) return false
          }
          return true
        },
      ),
    )
  })

  it("never throws and never waits beyond its bounds", () => {
    const starts = fc.constantFrom("PROXY ", "PROXY TCP4 ", "\r\n\r\n\0\r\nQUIT\n", "\r\n\r\n\0\r\nQUIT\n\x21\x11", "")
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 700 }), (start, rest) => {
        const input = Uint8Array.of(...Array.from(start, (char) => char.charCodeAt(0)), ...rest)
        const result = readProxyHeader(input)
        if (result._tag !== "NeedMore") return true
        return input.length < (input[0] === 0x50 ? PROXY_V1_BYTES_MAX : 16 + PROXY_V2_PAYLOAD_MAX)
      }),
    )
  })
})

const hello = fc.record({
  serverName: fc.option(fc.domain(), { nil: undefined }),
  alpn: fc.array(fc.stringMatching(/^[a-z0-9/.]{1,12}$/), { minLength: 1, maxLength: 4 }),
  versions: fc.array(fc.integer({ min: 0x0300, max: 0xfafa }), { minLength: 1, maxLength: 5 }),
  extensions: fc.uniqueArray(
    fc.tuple(fc.integer({ min: 44, max: 60_000 }), fc.array(fc.nat(255), { maxLength: 300 })),
    {
      selector: ([type]) => type,
      maxLength: 5,
    },
  ),
  sessionIdBytes: fc.nat(32),
})
const sizes = fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 30 })

const readAsAsked = (whole: Uint8Array): ClientHelloResult => {
  let result = readClientHello(whole.subarray(0, 0))
  while (result._tag === "NeedMore" && result.bytes <= whole.length)
    result = readClientHello(whole.subarray(0, result.bytes))
  return result
}

describe("client hello", () => {
  it("read after write is the same, whatever the records", () => {
    fc.assert(
      fc.property(hello, sizes, bytes, (parts, sizes, rest) => {
        const whole = toRecords(encodeHandshake(parts), sizes)
        const result = readClientHello(Uint8Array.of(...whole, ...rest))
        return (
          result._tag === "ClientHello" &&
          result.serverName === parts.serverName?.toLowerCase() &&
          same(result.alpn, parts.alpn) &&
          same(result.versions, parts.versions) &&
          same(readAsAsked(whole), result)
        )
      }),
    )
  })

  it("every prefix of a hello asks for more, by no more than is missing", () => {
    fc.assert(
      fc.property(hello, sizes, (parts, sizes) => {
        const whole = toRecords(encodeHandshake(parts), sizes)
        for (let i = 0; i < whole.length; i++) {
          const result = readClientHello(whole.subarray(0, i))
          if (result._tag !== "NeedMore" || result.bytes <= i || result.bytes > whole.length) return false
        }
        return true
      }),
      { numRuns: 30 },
    )
  })

  it("never throws, however a hello was damaged, and never waits beyond its bound", () => {
    fc.assert(
      fc.property(hello, sizes, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (parts, sizes, damage) => {
        const whole = toRecords(encodeHandshake(parts), sizes)
        for (const [at, value] of damage) whole[at % whole.length] = value
        const result = readClientHello(whole)
        return result._tag !== "NeedMore" || (result.bytes > whole.length && result.bytes <= CLIENT_HELLO_BYTES_MAX)
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(
        bytes,
        (input) => readClientHello(input)._tag !== "ClientHello" && detectPreface(input) !== undefined,
      ),
    )
  })
})
