/**
 * The PROXY protocol, versions 1 and 2: a first message by which a load balancer says whose connection this is.
 */
import { formatIp, parseIp } from "./ip.ts"

/** The longest version 1 line, its line end included. */
export const PROXY_V1_BYTES_MAX = 107

/** The longest version 2 payload, addresses and extensions. */
export const PROXY_V2_PAYLOAD_MAX = 512

export interface Endpoint {
  readonly address: string
  readonly port: number
}

export interface Tlv {
  readonly type: number
  readonly value: Uint8Array
}

export interface ProxyHeader {
  readonly version: 1 | 2
  /** Undefined when the sender speaks for itself (LOCAL, UNKNOWN): the real addresses stand. */
  readonly addresses: { readonly source: Endpoint; readonly destination: Endpoint } | undefined
  /** Extensions of version 2, in order, unknown ones and the checksum included. */
  readonly tlvs: ReadonlyArray<Tlv>
}

export type ProxyResult =
  | { readonly _tag: "Header"; readonly header: ProxyHeader; /** How many bytes it took. */ readonly bytes: number }
  | { readonly _tag: "NeedMore" }
  /** The connection does not begin with a header: its bytes are the client's. */
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Malformed"; readonly reason: string }

export const TLV_AUTHORITY = 0x02
export const TLV_CRC32C = 0x03

const needMore: ProxyResult = { _tag: "NeedMore" }
const absent: ProxyResult = { _tag: "Absent" }
const malformed = (reason: string): ProxyResult => ({ _tag: "Malformed", reason })

const encoder = new TextEncoder()
const v1Start = encoder.encode("PROXY ")
const v2Start = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)
const V2_HEADER = 16

const begins = (bytes: Uint8Array, start: Uint8Array): boolean => {
  const length = Math.min(bytes.length, start.length)
  for (let i = 0; i < length; i++) if (bytes[i] !== start[i]) return false
  return true
}

/** Reads the bytes received so far. The caller decides which versions it allows and whether a header must come. */
export const readProxyHeader = (bytes: Uint8Array): ProxyResult => {
  if (bytes.length === 0) return needMore
  if (begins(bytes, v1Start)) return bytes.length < v1Start.length ? needMore : readV1(bytes)
  if (begins(bytes, v2Start)) return bytes.length < v2Start.length ? needMore : readV2(bytes)
  return absent
}

const v1Port = (text: string): number | undefined =>
  /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined

const v1Address = (family: string, text: string): string | undefined => {
  const address = parseIp(text)
  return address?.length === (family === "TCP4" ? 4 : 16) ? formatIp(address) : undefined
}

const readV1 = (bytes: Uint8Array): ProxyResult => {
  const end = bytes.subarray(0, PROXY_V1_BYTES_MAX).indexOf(0x0a)
  if (end < 0) return bytes.length >= PROXY_V1_BYTES_MAX ? malformed("line too long") : needMore
  if (bytes[end - 1] !== 0x0d) return malformed("line end")
  const line = String.fromCharCode(...bytes.subarray(v1Start.length, end - 1))
  const header = (addresses: ProxyHeader["addresses"]): ProxyResult => ({
    _tag: "Header",
    header: { version: 1, addresses, tlvs: [] },
    bytes: end + 1,
  })
  if (line === "UNKNOWN" || line.startsWith("UNKNOWN ")) return header(undefined)
  const [family = "", from = "", to = "", fromPort = "", toPort = "", ...more] = line.split(" ")
  if ((family !== "TCP4" && family !== "TCP6") || more.length > 0) return malformed("line")
  const source = v1Address(family, from)
  const destination = v1Address(family, to)
  const sourcePort = v1Port(fromPort)
  const destinationPort = v1Port(toPort)
  if (source === undefined || destination === undefined) return malformed("address")
  if (sourcePort === undefined || destinationPort === undefined) return malformed("port")
  return header({
    source: { address: source, port: sourcePort },
    destination: { address: destination, port: destinationPort },
  })
}

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)

const readTlvs = (payload: Uint8Array, start: number): ReadonlyArray<Tlv> | undefined => {
  const tlvs: Array<Tlv> = []
  for (let at = start; at < payload.length;) {
    if (payload.length - at < 3) return undefined
    const end = at + 3 + u16(payload, at + 1)
    if (end > payload.length) return undefined
    tlvs.push({ type: payload[at] as number, value: payload.slice(at + 3, end) })
    at = end
  }
  return tlvs
}

/** Whether each checksum in the header is that of the header with the checksum itself taken as zeros. */
const checksumHolds = (whole: Uint8Array, start: number, tlvs: ReadonlyArray<Tlv>): boolean => {
  let at = start
  for (const { type, value } of tlvs) {
    if (type === TLV_CRC32C) {
      if (value.length !== 4) return false
      const zeroed = whole.slice()
      zeroed.fill(0, at + 3, at + 7)
      if (crc32c(zeroed) !== u16(value, 0) * 65_536 + u16(value, 2)) return false
    }
    at += 3 + value.length
  }
  return true
}

const readV2 = (bytes: Uint8Array): ProxyResult => {
  if (bytes.length < V2_HEADER) return needMore
  const version = (bytes[12] as number) >> 4
  const command = (bytes[12] as number) & 15
  const family = (bytes[13] as number) >> 4
  const transport = (bytes[13] as number) & 15
  const length = u16(bytes, 14)
  if (version !== 2) return malformed("version")
  if (command > 1) return malformed("command")
  if (length > PROXY_V2_PAYLOAD_MAX) return malformed("payload too long")
  if (bytes.length < V2_HEADER + length) return needMore
  const whole = bytes.slice(0, V2_HEADER + length)
  const payload = whole.subarray(V2_HEADER)
  const header = (addresses: ProxyHeader["addresses"], tlvs: ReadonlyArray<Tlv>): ProxyResult => ({
    _tag: "Header",
    header: { version: 2, addresses, tlvs },
    bytes: whole.length,
  })
  // LOCAL: whatever follows means nothing, whichever family it claims.
  if (command === 0) return header(undefined, [])
  if (family === 3) return malformed("unix address")
  if (family > 3 || transport > 1) return malformed("family")
  const width = family === 1 ? 4 : family === 2 ? 16 : 0
  const start = width === 0 ? 0 : width * 2 + 4
  if (payload.length < start) return malformed("addresses")
  const tlvs = readTlvs(payload, start)
  if (tlvs === undefined) return malformed("extensions")
  if (!checksumHolds(whole, V2_HEADER + start, tlvs)) return malformed("checksum")
  if (width === 0) return header(undefined, tlvs)
  return header(
    {
      source: { address: formatIp(payload.subarray(0, width)), port: u16(payload, width * 2) },
      destination: { address: formatIp(payload.subarray(width, width * 2)), port: u16(payload, width * 2 + 2) },
    },
    tlvs,
  )
}

/** The host name the client asked the load balancer for. */
export const authorityOf = (header: ProxyHeader): string | undefined => {
  const tlv = header.tlvs.find(({ type }) => type === TLV_AUTHORITY)
  return tlv === undefined ? undefined : new TextDecoder().decode(tlv.value)
}

/** Undefined when the addresses are not two IP addresses of one family. */
export const encodeProxyV1 = (header: ProxyHeader): Uint8Array | undefined => {
  if (header.addresses === undefined) return encoder.encode("PROXY UNKNOWN\r\n")
  const { source, destination } = header.addresses
  const from = parseIp(source.address)
  const to = parseIp(destination.address)
  if (from === undefined || to === undefined || from.length !== to.length) return undefined
  const family = from.length === 4 ? "TCP4" : "TCP6"
  return encoder.encode(`PROXY ${family} ${formatIp(from)} ${formatIp(to)} ${source.port} ${destination.port}\r\n`)
}

/**
 * Undefined when the addresses are not two IP addresses of one family, or the payload would be too long.
 * A checksum among the extensions is filled in.
 */
export const encodeProxyV2 = (header: ProxyHeader): Uint8Array | undefined => {
  const addresses = header.addresses
  const from = addresses === undefined ? undefined : parseIp(addresses.source.address)
  const to = addresses === undefined ? undefined : parseIp(addresses.destination.address)
  if (from?.length !== to?.length || (addresses !== undefined && from === undefined)) return undefined
  const payload: Array<number> = []
  if (addresses !== undefined && from !== undefined && to !== undefined) {
    payload.push(...from, ...to)
    for (const { port } of [addresses.source, addresses.destination]) payload.push(port >> 8, port & 0xff)
  }
  const checksums: Array<number> = []
  for (const { type, value } of header.tlvs) {
    if (value.length > PROXY_V2_PAYLOAD_MAX) return undefined
    payload.push(type, value.length >> 8, value.length & 0xff)
    if (type === TLV_CRC32C) {
      checksums.push(V2_HEADER + payload.length)
      payload.push(0, 0, 0, 0)
      payload[payload.length - 5] = 4
      payload[payload.length - 6] = 0
    } else payload.push(...value)
  }
  if (payload.length > PROXY_V2_PAYLOAD_MAX || checksums.length > 1) return undefined
  // Without addresses but with extensions it is still PROXY, of no family; LOCAL could not carry them.
  const command = addresses === undefined && header.tlvs.length === 0 ? 0x20 : 0x21
  const family = from === undefined ? 0x00 : from.length === 4 ? 0x11 : 0x21
  const bytes = Uint8Array.of(...v2Start, command, family, payload.length >> 8, payload.length & 0xff, ...payload)
  for (const at of checksums) new DataView(bytes.buffer).setUint32(at, crc32c(bytes))
  return bytes
}

const crcTable = Uint32Array.from({ length: 256 }, (_, i) => {
  let crc = i
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** CRC-32C (Castagnoli), as an unsigned number. */
export const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
