/** HTTP/2 as bytes: frames and field blocks that no library would write, and just enough to read what comes back. */
import type { RawClient } from "../harness.ts"
import { until } from "../harness.ts"

export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PADDED = 8

export const MAGIC = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const none = Buffer.alloc(0)

export const frame = (type: number, flags: number, stream: number, payload: Buffer | string = none): Buffer => {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(bytes.byteLength, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, bytes])
}

export const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), number(value)])

/** An integer of HPACK with a prefix of seven bits. */
const integer = (value: number): ReadonlyArray<number> => {
  if (value < 127) return [value]
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return [...bytes, rest]
}

const string = (text: string): Buffer => {
  const bytes = Buffer.from(text, "latin1")
  return Buffer.concat([Buffer.from(integer(bytes.byteLength)), bytes])
}

export type Field = readonly [name: string, value: string]

/** Fields that neither use nor change the table, one character per byte. */
export const literal = (fields: ReadonlyArray<Field>): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0x00]), string(name), string(value)]))

/** A field that goes into the table. */
export const indexed = ([name, value]: Field): Buffer =>
  Buffer.concat([Buffer.from([0x40]), string(name), string(value)])

export const headers = (stream: number, fields: ReadonlyArray<Field>, flags = END_STREAM | END_HEADERS): Buffer =>
  frame(HEADERS, flags, stream, literal(fields))

/** The fields of a plain question. */
export const getting = (path: string, authority = "x.test"): ReadonlyArray<Field> => [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", path],
  [":authority", authority],
]

interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

const framesIn = (bytes: Buffer): ReadonlyArray<Frame> => {
  const frames: Array<Frame> = []
  for (let at = 0; at + 9 <= bytes.byteLength;) {
    const end = at + 9 + bytes.readUIntBE(at, 3)
    if (end > bytes.byteLength) break
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5) % 2 ** 31,
      payload: bytes.subarray(at + 9, end),
    })
    at = end
  }
  return frames
}

/** Digits in the code of HPACK (RFC 7541, appendix B). */
const digits = ["00000", "00001", "00010", "011001", "011010", "011011", "011100", "011101", "011110", "011111"]
const indexedStatus: Readonly<Record<number, number>> = { 8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500 }

const huffman = (bytes: Buffer): string => {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("")
  let text = ""
  for (;;) {
    const digit = digits.findIndex((code) => bits.startsWith(code))
    if (digit < 0 || text.length === 3) return text
    text += String(digit)
    bits = bits.slice((digits[digit] as string).length)
  }
}

/** The status at the beginning of a field block; the table of our side is empty, so it stands there or in the static one. */
const statusIn = (block: Buffer): number => {
  let at = 0
  while (((block[at] as number) & 0xe0) === 0x20) at++
  const first = block[at] as number
  if (first >= 0x80) return indexedStatus[first & 0x7f] ?? 0
  const size = block[at + 1] as number
  const text = block.subarray(at + 2, at + 2 + (size & 0x7f))
  return Number(size >= 0x80 ? huffman(text) : text.toString("latin1"))
}

/** What became of a stream, or of the connection under it. */
export type Outcome = number | "reset" | "goaway" | "close"

/** The other end of such a connection. */
export class FrameClient {
  readonly raw: RawClient
  constructor(raw: RawClient) {
    this.raw = raw
  }

  /** Says that it can do HTTP/2 and keeps no table. */
  open(settings: ReadonlyArray<Buffer> = []): this {
    this.raw.write(MAGIC)
    this.raw.write(frame(SETTINGS, 0, 0, Buffer.concat([setting(1, 0), ...settings])))
    this.raw.write(frame(SETTINGS, ACK, 0))
    return this
  }

  get frames(): ReadonlyArray<Frame> {
    return framesIn(this.raw.bytes)
  }

  get isGone(): boolean {
    return this.raw.ended || this.raw.closed
  }

  /** Final only: interim replies are passed over. */
  statusOf(stream: number): number | undefined {
    for (const { payload, stream: of, type } of this.frames) {
      if (of !== stream || type !== HEADERS) continue
      const status = statusIn(payload)
      if (status >= 200) return status
    }
    return undefined
  }

  /** Whether the other side has ended or reset it. */
  isOver(stream: number): boolean {
    return this.frames.some(
      ({ flags, stream: of, type }) =>
        of === stream && (type === RST_STREAM || ((type === HEADERS || type === DATA) && (flags & END_STREAM) !== 0)),
    )
  }

  isReset(stream: number): boolean {
    return this.frames.some(({ stream: of, type }) => of === stream && type === RST_STREAM)
  }

  bodyOf(stream: number): string {
    return Buffer.concat(
      this.frames.filter(({ stream: of, type }) => of === stream && type === DATA).map(({ payload }) => payload),
    ).toString("latin1")
  }

  /** The reason of a GOAWAY that is not a friendly one. */
  get complaint(): number | undefined {
    for (const { payload, type } of this.frames) {
      if (type === GOAWAY && payload.readUInt32BE(4) !== 0) return payload.readUInt32BE(4)
    }
    return undefined
  }

  async outcomeOf(stream: number, millis?: number): Promise<Outcome> {
    await until(
      `the end of stream ${stream}`,
      () => this.isOver(stream) || this.complaint !== undefined || this.isGone,
      millis,
    )
    const status = this.statusOf(stream)
    if (status !== undefined) return status
    if (this.isReset(stream)) return "reset"
    return this.complaint === undefined ? "close" : "goaway"
  }
}
