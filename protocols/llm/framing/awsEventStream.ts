/**
 * Messages of an AWS event stream (`application/vnd.amazon.eventstream`): a prelude with two lengths, headers, a
 * payload, and a checksum over the prelude and one over everything.
 */
import { join } from "../../bytes.ts"

/** The value of a header; the types of numbers and times do not matter to us. */
export type HeaderValue = string | number | bigint | boolean | Uint8Array

export interface EventStreamMessage {
  readonly headers: ReadonlyMap<string, HeaderValue>
  readonly payload: Uint8Array
}

/** Larger messages are not what a model sends. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
const HEADERS_BYTES_MAX = 128 * 1024
const OVERHEAD_BYTES = 16

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})

/** CRC-32 as in Ethernet and zip. */
export const crc32 = (bytes: Uint8Array): number => {
  let c = 0xffffffff
  for (let i = 0; i < bytes.length; i++) c = (table[(c ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

const utf8 = new TextDecoder()

/** Undefined where the bytes are no headers. */
const readHeaders = (bytes: Uint8Array): ReadonlyMap<string, HeaderValue> | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headers = new Map<string, HeaderValue>()
  let at = 0
  const has = (count: number): boolean => at + count <= bytes.length
  while (at < bytes.length) {
    const nameLength = bytes[at++] ?? 0
    if (nameLength === 0 || !has(nameLength + 1)) return undefined
    const name = utf8.decode(bytes.subarray(at, at + nameLength))
    at += nameLength
    const type = bytes[at++]
    let value: HeaderValue
    switch (type) {
      case 0:
      case 1:
        value = type === 0
        break
      case 2:
        if (!has(1)) return undefined
        value = view.getInt8(at)
        at += 1
        break
      case 3:
        if (!has(2)) return undefined
        value = view.getInt16(at)
        at += 2
        break
      case 4:
        if (!has(4)) return undefined
        value = view.getInt32(at)
        at += 4
        break
      case 5:
      case 8:
        if (!has(8)) return undefined
        value = view.getBigInt64(at)
        at += 8
        break
      case 6:
      case 7: {
        if (!has(2)) return undefined
        const length = view.getUint16(at)
        at += 2
        if (!has(length)) return undefined
        const raw = bytes.subarray(at, at + length)
        value = type === 7 ? utf8.decode(raw) : raw
        at += length
        break
      }
      case 9:
        if (!has(16)) return undefined
        value = bytes.subarray(at, at + 16)
        at += 16
        break
      default:
        return undefined
    }
    headers.set(name, value)
  }
  return headers
}

/** Reads messages however the bytes were cut. */
export class EventStreamDecoder {
  private readonly onMessage: (message: EventStreamMessage) => void
  private readonly bytesMax: number
  private pieces: Array<Uint8Array> = []
  private held = 0
  private problem: string | undefined

  constructor(onMessage: (message: EventStreamMessage) => void, bytesMax: number = MESSAGE_BYTES_MAX) {
    this.onMessage = onMessage
    this.bytesMax = bytesMax
  }

  /** A reason once the bytes are no event stream; whatever follows is ignored. */
  feed(chunk: Uint8Array): string | undefined {
    if (this.problem !== undefined || chunk.length === 0) return this.problem
    this.pieces.push(chunk)
    this.held += chunk.length
    while (this.problem === undefined && this.held >= 12) {
      const prelude = this.peek(12)
      const view = new DataView(prelude.buffer, prelude.byteOffset, 12)
      const total = view.getUint32(0)
      const headersLength = view.getUint32(4)
      if (crc32(prelude.subarray(0, 8)) !== view.getUint32(8)) return this.fail("the checksum of a prelude is wrong")
      if (total > this.bytesMax) return this.fail(`a message is larger than ${this.bytesMax} bytes`)
      if (total < OVERHEAD_BYTES || headersLength > Math.min(total - OVERHEAD_BYTES, HEADERS_BYTES_MAX))
        return this.fail("the lengths of a message contradict each other")
      if (this.held < total) return undefined
      this.read(this.peek(total), headersLength)
      this.discard(total)
    }
    return this.problem
  }

  /** A reason where the stream ended inside a message. */
  end(): string | undefined {
    return this.problem ?? (this.held > 0 ? this.fail("the stream ended inside a message") : undefined)
  }

  private read(message: Uint8Array, headersLength: number): void {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
    const sum = message.length - 4
    if (crc32(message.subarray(0, sum)) !== view.getUint32(sum)) {
      this.fail("the checksum of a message is wrong")
      return
    }
    const headers = readHeaders(message.subarray(12, 12 + headersLength))
    if (headers === undefined) {
      this.fail("the headers of a message cannot be read")
      return
    }
    this.onMessage({ headers, payload: message.subarray(12 + headersLength, sum) })
  }

  private fail(problem: string): string {
    this.problem = problem
    this.pieces = []
    this.held = 0
    return problem
  }

  /** The first bytes as one piece. */
  private peek(count: number): Uint8Array {
    const first = this.pieces[0]
    if (first !== undefined && first.length >= count) return first.subarray(0, count)
    const whole = join(this.pieces, this.held)
    this.pieces = [whole]
    return whole.subarray(0, count)
  }

  private discard(count: number): void {
    const first = this.pieces[0]
    if (first === undefined) return
    this.held -= count
    if (first.length === count) this.pieces.shift()
    else this.pieces[0] = first.subarray(count)
  }
}

/** One message with headers that are strings. */
export const encodeEventStreamMessage = (
  headers: Readonly<Record<string, string>>,
  payload: Uint8Array,
): Uint8Array => {
  const encoder = new TextEncoder()
  const encoded = Object.entries(headers).map(([name, value]) => [encoder.encode(name), encoder.encode(value)] as const)
  const headersLength = encoded.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
  const message = new Uint8Array(OVERHEAD_BYTES + headersLength + payload.length)
  const view = new DataView(message.buffer)
  view.setUint32(0, message.length)
  view.setUint32(4, headersLength)
  view.setUint32(8, crc32(message.subarray(0, 8)))
  let at = 12
  for (const [name, value] of encoded) {
    message[at++] = name.length
    message.set(name, at)
    at += name.length
    message[at++] = 7
    view.setUint16(at, value.length)
    message.set(value, at + 2)
    at += 2 + value.length
  }
  message.set(payload, at)
  view.setUint32(message.length - 4, crc32(message.subarray(0, message.length - 4)))
  return message
}
