/**
 * Reads along with one direction of a WebSocket (RFC 6455): text messages, put together from their frames, however the
 * bytes are cut. What an extension has transformed is not understood, and neither is what breaks the framing.
 */

const CONTINUATION = 0
const TEXT = 1
const CLOSE = 8
const FIRST_CONTROL = 8

const HEAD_BYTES_MAX = 14

/** How long a frame's head is, told by its second byte. */
const headBytes = (second: number): number => {
  const length = second & 0x7f
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

export class WebSocketReader {
  private readonly onText: (text: string) => void
  private readonly bytesMax: number
  private readonly decoder = new TextDecoder()
  private readonly head = new Uint8Array(HEAD_BYTES_MAX)
  private headLength = 0
  /** Of the payload of the frame that is being read. */
  private left = 0
  private opcode = 0
  private isFinal = false
  private isMasked = false
  private maskAt = 0
  /** The pieces of the message that is being read; absent: it is no text, or too long. */
  private pieces: Array<Uint8Array> | undefined
  private size = 0
  /** A message has begun whose last frame has not come. */
  private isFragmented = false
  /** Nothing more can be understood. */
  isBlind = false

  constructor(onText: (text: string) => void, bytesMax: number) {
    this.onText = onText
    this.bytesMax = bytesMax
  }

  /** Whether a message of somebody else's can be put here. */
  get isBetween(): boolean {
    return this.left === 0 && this.headLength === 0 && !this.isFragmented && !this.isBlind
  }

  /** Reads on to the end of a message, or of the bytes; says where that is. */
  feedMessage(chunk: Uint8Array): number {
    let at = 0
    while (at < chunk.byteLength) {
      this.feed(chunk.subarray(at, ++at))
      if (this.isBetween) return at
    }
    return at
  }

  feed(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.byteLength && !this.isBlind) {
      if (this.left === 0) at = this.readHead(chunk, at)
      else {
        const taken = chunk.subarray(at, at + this.left)
        at += taken.byteLength
        this.left -= taken.byteLength
        this.payload(taken)
        if (this.left === 0) this.frameOver()
      }
    }
  }

  private readHead(chunk: Uint8Array, from: number): number {
    let at = from
    const { head } = this
    while (at < chunk.byteLength) {
      head[this.headLength++] = chunk[at++] as number
      if (this.headLength >= 2 && this.headLength === headBytes(head[1] as number)) {
        this.headLength = 0
        this.begin()
        return at
      }
    }
    return at
  }

  private begin(): void {
    const [first = 0, second = 0] = this.head
    const view = new DataView(this.head.buffer)
    const short = second & 0x7f
    const length = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short
    this.isFinal = (first & 0x80) !== 0
    this.opcode = first & 0x0f
    this.isMasked = (second & 0x80) !== 0
    this.maskAt = headBytes(second) - 4
    this.left = length
    const isControl = this.opcode >= FIRST_CONTROL
    // A bit that is reserved says that an extension was agreed upon.
    if ((first & 0x70) !== 0 || !Number.isSafeInteger(length) || (isControl && (!this.isFinal || length > 125))) {
      this.isBlind = true
      this.pieces = undefined
      return
    }
    if (!isControl) this.isFragmented = !this.isFinal
    if (!isControl && this.opcode !== CONTINUATION) {
      this.size = 0
      this.pieces = this.opcode === TEXT ? [] : undefined
    }
    if (length === 0) this.frameOver()
  }

  private payload(bytes: Uint8Array): void {
    if (this.opcode >= FIRST_CONTROL || this.pieces === undefined) return
    this.size += bytes.byteLength
    if (this.size > this.bytesMax) {
      this.pieces = undefined
      return
    }
    this.pieces.push(this.isMasked ? this.unmasked(bytes) : bytes)
  }

  private unmasked(bytes: Uint8Array): Uint8Array {
    const clear = new Uint8Array(bytes.byteLength)
    for (let i = 0; i < bytes.byteLength; i++) {
      clear[i] = (bytes[i] as number) ^ (this.head[this.maskAt + (i & 3)] as number)
    }
    // The next piece of this frame goes on where this one ends in the mask.
    const turn = bytes.byteLength & 3
    if (turn > 0) {
      const mask = this.head.slice(this.maskAt, this.maskAt + 4)
      for (let i = 0; i < 4; i++) this.head[this.maskAt + i] = mask[(i + turn) & 3] as number
    }
    return clear
  }

  private frameOver(): void {
    if (!this.isFinal || this.opcode >= FIRST_CONTROL) return
    const { pieces } = this
    this.pieces = undefined
    if (pieces === undefined) return
    let text = ""
    for (const piece of pieces) text += this.decoder.decode(piece, { stream: true })
    this.onText(text + this.decoder.decode())
  }
}

const encoder = new TextEncoder()

/** A whole message, as servers frame it. */
const frame = (opcode: number, payload: Uint8Array): Uint8Array => {
  const { byteLength } = payload
  const headLength = byteLength < 126 ? 2 : byteLength < 0x1_0000 ? 4 : 10
  const bytes = new Uint8Array(headLength + byteLength)
  const view = new DataView(bytes.buffer)
  bytes[0] = 0x80 | opcode
  bytes[1] = headLength === 2 ? byteLength : headLength === 4 ? 126 : 127
  if (headLength === 4) view.setUint16(2, byteLength)
  if (headLength === 10) view.setBigUint64(2, BigInt(byteLength))
  bytes.set(payload, headLength)
  return bytes
}

export const textFrame = (text: string): Uint8Array => frame(TEXT, encoder.encode(text))

/** No reason is longer than a control frame has room for. */
const REASON_BYTES_MAX = 123

export const closeFrame = (code: number, reason: string): Uint8Array => {
  const payload = new Uint8Array(2 + REASON_BYTES_MAX)
  new DataView(payload.buffer).setUint16(0, code)
  const { written } = encoder.encodeInto(reason, payload.subarray(2))
  return frame(CLOSE, payload.subarray(0, 2 + written))
}
