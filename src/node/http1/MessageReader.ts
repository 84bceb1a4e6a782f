/**
 * Messages of one connection over HTTP/1, from bytes to their parts, however the bytes are cut. It is strict: what two
 * readers could take for different messages is malformed, and a connection that carried it is not used again.
 */
import { parseTrailers } from "../../../protocols/http/fieldLines.ts"
import { word } from "../../../protocols/http/token.ts"

/** Upper bound for the extensions of one chunk; nobody is known to send any. */
export const CHUNK_EXTENSION_BYTES_MAX = 16_384

/** How much of what arrived is looked through for the end of a head at once. */
const LOOK_BYTES = 4_096

/** More digits than any chunk's size has that can be counted exactly. */
const SIZE_DIGITS_MAX = 13

const BETWEEN = 0
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

const emptyLine = "\r\n\r\n"

/** A line that ends without a carriage return ends for some readers and not for others. */
const bareLineFeed = /[^\r]\n/

const unreadableExtension = /[^\t\x20-\x7e]/

/** What follows the first semicolon of a chunk's size (RFC 9112 §7.1.1). */
const extension = `[ \\t]*${word}(?:[ \\t]*=[ \\t]*(?:${word}|"(?:[^"\\\\]|\\\\.)*"))?`
const extensions = new RegExp(`^${extension}(?:[ \\t]*;${extension})*$`)

const hexadecimal = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** How the body behind a head is told from what follows it. */
export type Frame = "none" | "chunks" | "untilClose" | number

export abstract class MessageReader {
  private readonly headBytesMax: number
  private state = BETWEEN
  /** The beginning of a head or of trailers. */
  private held = ""
  /** Its last letters: the empty line may come in two pieces. */
  private seam = ""
  /** What is still to come of a body or of a chunk. */
  private left = 0
  private digits = 0
  private extensions = ""

  constructor(headBytesMax: number) {
    this.headBytesMax = headBytesMax
  }

  /** What is already wrong about the beginning of a head. */
  protected abstract wrongSoFar(text: string): { readonly status: number; readonly message: string } | undefined
  /** The text of a head up to its empty line, and where what follows it begins; to be answered by `begin` or a refusal. */
  protected abstract head(text: string, chunk: Buffer, at: number): number
  protected abstract data(chunk: Buffer): void
  protected abstract end(trailers: Array<string> | undefined, over: boolean): void
  protected abstract malformed(status: number, message: string): void

  /** Whether no message has begun. */
  get between(): boolean {
    return this.state === BETWEEN || (this.state === HEAD && this.held === "")
  }

  get stopped(): boolean {
    return this.state === STOPPED
  }

  /** Whether the end of the connection ends the body as well. */
  get endsByClosing(): boolean {
    return this.state === UNTIL_CLOSE
  }

  /** A head is next. */
  protected expectHead(): void {
    this.state = HEAD
  }

  stop(): void {
    this.state = STOPPED
    this.taken()
  }

  protected refuse(message: string, status = 400): number {
    this.stop()
    this.malformed(status, message)
    return -1
  }

  /** The head is understood: what follows it is to be read so. */
  protected begin(frame: Frame): void {
    this.extensions = ""
    this.left = 0
    this.digits = 0
    if (frame === "chunks") this.state = CHUNK_SIZE
    else if (frame === "untilClose") this.state = UNTIL_CLOSE
    else if (frame === "none" || frame === 0) this.state = BETWEEN
    else {
      this.left = frame
      this.state = LENGTH
    }
  }

  /** Whether everything that is to be read behind the head was read. */
  protected get ended(): boolean {
    return this.state === BETWEEN
  }

  /** Reads on until everything was read or one message has ended; where it stopped, or -1 where nothing can follow. */
  protected advance(chunk: Buffer, from: number): number {
    const end = chunk.byteLength
    let at = from
    while (at >= 0 && at < end) {
      switch (this.state) {
        case HEAD:
          at = this.readHead(chunk, at)
          if ((this.state as number) === BETWEEN) return at
          break
        case LENGTH:
        case CHUNK:
          at = this.readBody(chunk, at)
          if ((this.state as number) === BETWEEN) return at
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
          if ((this.state as number) === BETWEEN) return at
          break
        case UNTIL_CLOSE:
          this.data(at === 0 ? chunk : chunk.subarray(at))
          return end
        default:
          return at
      }
    }
    return at
  }

  private go(state: number, at: number): number {
    this.state = state
    return at
  }

  private finish(trailers: Array<string> | undefined, at: number, over: boolean): number {
    this.state = BETWEEN
    this.end(trailers, over)
    return at
  }

  private readHead(chunk: Buffer, from: number): number {
    let at = from
    if (this.held === "") {
      while (chunk[at] === CR || chunk[at] === LF) at++
      if (at === chunk.byteLength) return at
    }
    const next = this.section(chunk, at, "head")
    if (next >= 0) return this.head(this.taken(), chunk, next)
    if (this.state === STOPPED) return -1
    const wrong = this.held.length <= LOOK_BYTES ? this.wrongSoFar(this.held) : undefined
    return wrong === undefined ? chunk.byteLength : this.refuse(wrong.message, wrong.status)
  }

  /**
   * Adds what arrived to what is held, up to the empty line, and tells where what follows that begins; -1 where it is
   * still to come, or will not be waited for.
   */
  private section(chunk: Buffer, from: number, what: string): number {
    const { byteLength } = chunk
    for (let at = from; at < byteLength; at += LOOK_BYTES) {
      const { held, seam } = this
      const piece = chunk.toString("latin1", at, Math.min(byteLength, at + LOOK_BYTES))
      const text = seam === "" ? piece : seam + piece
      const found = text.indexOf(emptyLine)
      if (held.length - seam.length + (found < 0 ? text.length : found) > this.headBytesMax) {
        return this.refuse(`${what} too large`, 431)
      }
      if (found >= 0) {
        this.held = seam === "" ? text.slice(0, found) : held.slice(0, held.length - seam.length) + text.slice(0, found)
        return at + found + emptyLine.length - seam.length
      }
      if (bareLineFeed.test(text)) return this.refuse(`bare line feed in the ${what}`)
      this.held = held + piece
      this.seam = text.slice(-3)
    }
    return -1
  }

  private taken(): string {
    const { held } = this
    this.held = ""
    this.seam = ""
    return held
  }

  private readBody(chunk: Buffer, at: number): number {
    const here = chunk.byteLength - at
    const taken = here < this.left ? here : this.left
    const isChunk = this.state === CHUNK
    this.left -= taken
    const next = at + taken
    this.data(taken === chunk.byteLength ? chunk : chunk.subarray(at, next))
    if ((this.state as number) === STOPPED) return -1
    if (this.left > 0) return next
    return isChunk ? this.go(CHUNK_END, next) : this.finish(undefined, next, next < chunk.byteLength)
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

  /** Nobody uses them, but what a reader takes for one decides where it sees the chunk begin. */
  private readExtension(chunk: Buffer, from: number): number {
    const found = chunk.indexOf(CR, from)
    const end = found < 0 ? chunk.byteLength : found
    const { length } = this.extensions
    if (length + end - from > CHUNK_EXTENSION_BYTES_MAX) return this.refuse("chunk extensions too large", 413)
    this.extensions += chunk.toString("latin1", from, end)
    if (unreadableExtension.test(this.extensions.slice(length))) return this.refuse("invalid chunk extension")
    if (found < 0) return end
    return extensions.test(this.extensions) ? this.go(CHUNK_START, end + 1) : this.refuse("invalid chunk extension")
  }

  private chunkBegins(at: number): number {
    this.digits = 0
    this.extensions = ""
    return this.go(this.left === 0 ? TRAILERS : CHUNK, at)
  }

  private readTrailers(chunk: Buffer, at: number): number {
    if (this.held === "") {
      if (chunk[at] === CR && chunk[at + 1] === LF) return this.finish(undefined, at + 2, at + 2 < chunk.byteLength)
      if (chunk[at] === LF) return this.refuse("bare line feed in the trailers")
    } else if (this.held === "\r" && chunk[at] === LF) {
      this.taken()
      return this.finish(undefined, at + 1, at + 1 < chunk.byteLength)
    }
    const next = this.section(chunk, at, "trailers")
    if (next < 0) return this.state === STOPPED ? -1 : chunk.byteLength
    const trailers = parseTrailers(this.taken())
    if (trailers === undefined) return this.refuse("invalid trailers")
    return this.finish(trailers, next, next < chunk.byteLength)
  }
}
