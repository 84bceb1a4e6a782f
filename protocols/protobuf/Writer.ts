/**
 * Writes protobuf into one buffer that grows. What telemetry writes for every exchange is short, mostly ASCII text inside
 * nested messages, so lengths are put where room was left for them, and nothing is copied unless a guess was wrong.
 */

/** Wire types of fields. */
export const VARINT = 0
export const BIT64 = 1
export const BYTES = 2
export const BIT32 = 5

const encoder = new TextEncoder()

/** Shorter texts are written by a loop, which is cheaper than a call into the engine. */
const loopMax = 0x7f

const half = 2 ** 32

const bytesOfVarint = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

export class Writer {
  private bytes: Uint8Array
  private view: DataView
  private at = 0
  /** Where the messages that are open begin. */
  private readonly open: Array<number> = []

  constructor(size = 1024) {
    this.bytes = new Uint8Array(size)
    this.view = new DataView(this.bytes.buffer)
  }

  get length(): number {
    return this.at
  }

  /** A copy of what was written; the writer begins anew in the room it has. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.at)
    taken.set(this.bytes.subarray(0, this.at))
    this.at = 0
    return taken
  }

  /** What was written, in the writer's own room: it writes nothing more. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.at)
  }

  /** Whatever was written after the first so many bytes is not. */
  rewind(length: number): void {
    this.at = length
    this.open.length = 0
  }

  tag(field: number, type: number): this {
    return this.uint32(field * 8 + type)
  }

  uint32(value: number): this {
    this.room(10)
    this.varint(value)
    return this
  }

  bool(value: boolean): this {
    return this.uint32(value ? 1 : 0)
  }

  /** A safe integer, or any integer of 64 bits. */
  int64(value: number | bigint): this {
    if (typeof value === "number" && value >= 0) return this.uint32(value)
    this.room(10)
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest > 0x7fn) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.bytes[this.at++] = Number(rest)
    return this
  }

  sint32(value: number): this {
    return this.uint32(((value << 1) ^ (value >> 31)) >>> 0)
  }

  sint64(value: number | bigint): this {
    const wide = BigInt(value)
    return this.int64(BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n)))
  }

  fixed32(value: number): this {
    this.room(4)
    this.view.setUint32(this.at, value, true)
    this.at += 4
    return this
  }

  fixed64(value: number): this {
    return this.fixed32(value % half).fixed32(Math.floor(value / half))
  }

  double(value: number): this {
    this.room(8)
    this.view.setFloat64(this.at, value, true)
    this.at += 8
    return this
  }

  /** As it is, without a length. */
  raw(value: Uint8Array): this {
    this.room(value.byteLength)
    this.bytes.set(value, this.at)
    this.at += value.byteLength
    return this
  }

  byte(value: number): this {
    this.room(1)
    this.bytes[this.at++] = value
    return this
  }

  blob(value: Uint8Array): this {
    return this.uint32(value.byteLength).raw(value)
  }

  string(value: string): this {
    const { length } = value
    // No text takes more than three bytes for each unit, and its length no more than five.
    this.room(length * 3 + 5)
    if (length <= loopMax && this.ascii(value, length)) return this
    const guess = bytesOfVarint(length)
    const start = this.at + guess
    const { written } = encoder.encodeInto(value, this.bytes.subarray(start))
    const needed = bytesOfVarint(written)
    if (needed !== guess) this.bytes.copyWithin(this.at + needed, start, start + written)
    this.varint(written)
    this.at += written
    return this
  }

  /** A message begins; room is left for a length of so many bytes. */
  fork(lengthBytes = 1): this {
    this.room(lengthBytes)
    this.open.push(this.at, lengthBytes)
    this.at += lengthBytes
    return this
  }

  /** The message that was begun last is over. */
  join(): this {
    const guess = this.open.pop()
    const mark = this.open.pop()
    if (guess === undefined || mark === undefined) throw new Error("no message is open")
    const start = mark + guess
    const length = this.at - start
    const needed = bytesOfVarint(length)
    if (needed !== guess) {
      this.room(needed)
      this.bytes.copyWithin(mark + needed, start, this.at)
    }
    this.at = mark
    this.varint(length)
    this.at += length
    return this
  }

  /** Whether it was plain text, and is written. */
  private ascii(value: string, length: number): boolean {
    const { bytes } = this
    let at = this.at + 1
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[at++] = code
    }
    bytes[this.at] = length
    this.at = at
    return true
  }

  private varint(value: number): void {
    const { bytes } = this
    let rest = value
    while (rest > 0x7f) {
      bytes[this.at++] = (rest & 0x7f) | 0x80
      rest = rest < half / 2 ? rest >>> 7 : Math.floor(rest / 128)
    }
    bytes[this.at++] = rest
  }

  private room(more: number): void {
    const needed = this.at + more
    if (needed <= this.bytes.byteLength) return
    const bytes = new Uint8Array(Math.max(needed, this.bytes.byteLength * 2))
    bytes.set(this.bytes.subarray(0, this.at))
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}
