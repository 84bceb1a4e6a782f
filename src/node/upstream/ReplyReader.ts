/**
 * Replies of one connection over HTTP/1, from bytes to events, however the bytes are cut. It is strict: what two readers
 * could take for different messages is malformed, and a connection that carried it is not used again.
 */
import { type Relayed, relayReply } from "../../../protocols/http/hopByHop.ts"
import { parseReplyHead, parseTrailers } from "../../../protocols/http/replyHead.ts"

/** Upper bound for the head of a reply, and for the trailers behind its body. */
export const REPLY_HEAD_BYTES_MAX = 65_536

/** Upper bound for all extensions of the chunks of one body; nobody is known to send any. */
export const CHUNK_EXTENSION_BYTES_MAX = 16_384

/** How much of what arrived is looked through for the end of a head at once. */
const LOOK_BYTES = 4_096

/** More digits than any chunk's size has that can be counted exactly. */
const SIZE_DIGITS_MAX = 13

/** Who is told. Any of these may stop the reader. */
export interface ReplyEvents {
  /** An interim reply, other than a switch of protocols. */
  interim(status: number, head: Relayed, flat: Array<string>): void
  head(status: number, head: Relayed, flat: Array<string>): void
  data(chunk: Uint8Array): void
  /** `over` says that bytes follow which belong to no reply that was asked for. */
  end(trailers: Array<string> | undefined, over: boolean): void
  /** The connection belongs to another protocol from here on. */
  switched(status: number, head: Relayed, rest: Uint8Array): void
  malformed(message: string): void
}

const IDLE = 0
const HEAD = 1
const LENGTH = 2
const CHUNK_SIZE = 3
const CHUNK_EXTENSION = 4
const CHUNK_START = 5
const CHUNK = 6
const CHUNK_END = 7
const CHUNK_AFTER = 8
const TRAILERS = 9
const UNTIL_CLOSE = 10
const STOPPED = 11

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b

const start = "HTTP/1."

/** A line that ends without a carriage return ends for some readers and not for others. */
const bareLineFeed = /(?:^|[^\r])\n/

const hexadecimal = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

export class ReplyReader {
  private readonly events: ReplyEvents
  private state = IDLE
  private method = ""
  /** The beginning of a head or of trailers. */
  private held: Buffer | undefined
  /** What is still to come of a body or of a chunk. */
  private left = 0
  private digits = 0
  private extensions = 0

  constructor(events: ReplyEvents) {
    this.events = events
  }

  /** A reply to such a request is next. */
  expect(method: string): void {
    this.method = method
    this.state = HEAD
  }

  stop(): void {
    this.state = STOPPED
    this.held = undefined
  }

  /** Whether the end of the connection ends the body as well. */
  get endsByClosing(): boolean {
    return this.state === UNTIL_CLOSE
  }

  /** Whether bytes may come although nothing was asked: what was left of an earlier line end is no harm. */
  private idle(chunk: Buffer): number {
    for (const byte of chunk) if (byte !== CR && byte !== LF) return this.refuse("a reply that nobody asked for")
    return -1
  }

  read(chunk: Buffer): void {
    const end = chunk.byteLength
    let at = 0
    while (at >= 0 && at < end) {
      switch (this.state) {
        case HEAD:
          at = this.readHead(chunk, at)
          break
        case LENGTH:
        case CHUNK:
          at = this.readBody(chunk, at)
          break
        case CHUNK_SIZE:
          at = this.readSize(chunk, at)
          break
        case CHUNK_EXTENSION:
          at = this.readExtension(chunk, at)
          break
        case CHUNK_START:
          at = chunk[at] === LF ? this.chunkBegins(at + 1) : this.refuse("invalid line end after chunk size")
          break
        case CHUNK_END:
          at = chunk[at] === CR ? this.go(CHUNK_AFTER, at + 1) : this.refuse("invalid line end after chunk")
          break
        case CHUNK_AFTER:
          at = chunk[at] === LF ? this.go(CHUNK_SIZE, at + 1) : this.refuse("invalid line end after chunk")
          break
        case TRAILERS:
          at = this.readTrailers(chunk, at)
          break
        case UNTIL_CLOSE:
          this.events.data(at === 0 ? chunk : chunk.subarray(at))
          return
        case IDLE:
          at = this.idle(chunk)
          break
        default:
          return
      }
    }
  }

  private go(state: number, at: number): number {
    this.state = state
    return at
  }

  private refuse(message: string): number {
    this.stop()
    this.events.malformed(message)
    return -1
  }

  private finish(trailers: Array<string> | undefined, over: boolean): number {
    this.state = IDLE
    this.events.end(trailers, over)
    return -1
  }

  /** With what was held before it, as if it had come in one piece. */
  private whole(chunk: Buffer, at: number): Buffer {
    const held = this.held as Buffer
    this.held = undefined
    return Buffer.concat([held, at === 0 ? chunk : chunk.subarray(at)])
  }

  private hold(chunk: Buffer, at: number): number {
    // A copy, since what arrived may be part of something larger.
    this.held = Buffer.from(chunk.subarray(at))
    return -1
  }

  private readHead(chunk: Buffer, from: number): number {
    if (this.held !== undefined) {
      this.read(this.whole(chunk, from))
      return -1
    }
    let at = from
    while (chunk[at] === CR || chunk[at] === LF) at++
    if (at === chunk.byteLength) return -1
    const text = chunk.toString("latin1", at, Math.min(chunk.byteLength, at + LOOK_BYTES))
    let end = text.indexOf("\r\n\r\n")
    let head = text
    if (end < 0) {
      const found = chunk.indexOf("\r\n\r\n", at, "latin1")
      head = chunk.toString("latin1", at, found < 0 ? chunk.byteLength : found)
      if (found < 0) {
        if (!start.startsWith(head.slice(0, start.length))) return this.refuse("not HTTP/1.1")
        if (head.length > REPLY_HEAD_BYTES_MAX) return this.refuse("reply head too large")
        return bareLineFeed.test(head) ? this.refuse("bare line feed in the head") : this.hold(chunk, at)
      }
      end = found - at
    }
    if (end > REPLY_HEAD_BYTES_MAX) return this.refuse("reply head too large")
    const parsed = parseReplyHead(head.slice(0, end))
    if (typeof parsed === "string") return this.refuse(parsed)
    const { flat, status, version } = parsed
    const relayed = relayReply(flat, version)
    if (relayed.malformed !== undefined) return this.refuse(relayed.malformed)
    return this.begin(chunk, at + end + 4, status, relayed, flat)
  }

  private begin(chunk: Buffer, at: number, status: number, head: Relayed, flat: Array<string>): number {
    const { events, method } = this
    if (status === 101 || (method === "CONNECT" && status >= 200 && status < 300)) {
      this.state = STOPPED
      events.switched(status, head, chunk.subarray(at))
      return -1
    }
    if (status < 200) {
      events.interim(status, head, flat)
      return this.state === STOPPED ? -1 : at
    }
    const bodiless = method === "HEAD" || status === 204 || status === 304
    this.left = head.contentLength ?? 0
    this.extensions = 0
    this.state = bodiless
      ? IDLE
      : head.chunked
        ? this.sizeBegins()
        : head.contentLength === undefined
          ? UNTIL_CLOSE
          : LENGTH
    const ends = this.state === IDLE || (this.state === LENGTH && this.left === 0)
    events.head(status, head, flat)
    if ((this.state as number) === STOPPED) return -1
    return ends ? this.finish(undefined, at < chunk.byteLength) : at
  }

  private readBody(chunk: Buffer, at: number): number {
    const here = chunk.byteLength - at
    const taken = here < this.left ? here : this.left
    const isChunk = this.state === CHUNK
    this.left -= taken
    const next = at + taken
    this.events.data(taken === chunk.byteLength ? chunk : chunk.subarray(at, next))
    if ((this.state as number) === STOPPED) return -1
    if (this.left > 0) return next
    return isChunk ? this.go(CHUNK_END, next) : this.finish(undefined, next < chunk.byteLength)
  }

  private sizeBegins(): number {
    this.left = 0
    this.digits = 0
    return CHUNK_SIZE
  }

  private readSize(chunk: Buffer, from: number): number {
    if (this.digits === 0) this.left = 0
    for (let at = from; at < chunk.byteLength; at++) {
      const code = chunk[at] as number
      const digit = hexadecimal(code)
      if (digit >= 0) {
        if (++this.digits > SIZE_DIGITS_MAX) return this.refuse("chunk size too large")
        this.left = this.left * 16 + digit
      } else if (this.digits > 0 && code === CR) return this.go(CHUNK_START, at + 1)
      else if (this.digits > 0 && code === SEMICOLON) return this.go(CHUNK_EXTENSION, at + 1)
      else return this.refuse("invalid chunk size")
    }
    return chunk.byteLength
  }

  private readExtension(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.byteLength; at++) {
      const code = chunk[at] as number
      if (code === CR) return this.go(CHUNK_START, at + 1)
      if ((code < 0x20 && code !== 0x09) || code >= 0x7f) return this.refuse("invalid chunk extension")
      if (++this.extensions > CHUNK_EXTENSION_BYTES_MAX) return this.refuse("chunk extensions too large")
    }
    return chunk.byteLength
  }

  private chunkBegins(at: number): number {
    this.digits = 0
    return this.go(this.left === 0 ? TRAILERS : CHUNK, at)
  }

  private readTrailers(chunk: Buffer, at: number): number {
    if (this.held !== undefined) {
      this.read(this.whole(chunk, at))
      return -1
    }
    if (chunk[at] === CR && chunk[at + 1] === LF) return this.finish(undefined, at + 2 < chunk.byteLength)
    const found = chunk.indexOf("\r\n\r\n", at, "latin1")
    const text = chunk.toString("latin1", at, found < 0 ? chunk.byteLength : found)
    if (text.length > REPLY_HEAD_BYTES_MAX) return this.refuse("trailers too large")
    if (found < 0) return bareLineFeed.test(text) ? this.refuse("bare line feed in the trailers") : this.hold(chunk, at)
    const trailers = parseTrailers(text)
    if (trailers === undefined) return this.refuse("invalid trailers")
    return this.finish(trailers, found + 4 < chunk.byteLength)
  }
}
