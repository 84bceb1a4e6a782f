/**
 * A body in signed chunks, as Amazon S3 takes it where the body is not signed as a whole: every chunk carries a signature
 * over its bytes and over the signature of the chunk before it.
 */
import type { Flow, Sink, Source } from "../../Body.ts"
import { flowFailure } from "../../Body.ts"

/** Of every chunk but the last. */
export const CHUNK_BYTES = 65_536

const overhead = (size: number): number => size.toString(16).length + ";chunk-signature=".length + 64 + 4

/** How long the body becomes. */
export const chunkedLength = (length: number): number => {
  const whole = Math.floor(length / CHUNK_BYTES)
  const rest = length % CHUNK_BYTES
  return whole * (CHUNK_BYTES + overhead(CHUNK_BYTES)) + (rest === 0 ? 0 : rest + overhead(rest)) + overhead(0)
}

const ascii = new TextEncoder()
const newline = ascii.encode("\r\n")
const none = new Uint8Array(0)

export const chunked = (flow: Flow, length: number, sign: (chunk: Uint8Array) => string): Flow => ({
  _tag: "Flow",
  length: chunkedLength(length),
  open: (sink) => {
    const cutter = new Cutter(sink, length, sign)
    const source: Source = flow.open(cutter)
    cutter.source = source
    return source
  },
})

class Cutter implements Sink {
  source: Source | undefined
  private readonly sink: Sink
  private readonly sign: (chunk: Uint8Array) => string
  private readonly chunk = new Uint8Array(CHUNK_BYTES)
  private filled = 0
  private left: number
  private isOver = false

  constructor(sink: Sink, length: number, sign: (chunk: Uint8Array) => string) {
    this.sink = sink
    this.sign = sign
    this.left = length
  }

  write(bytes: Uint8Array): boolean {
    if (this.isOver) return true
    this.left -= bytes.byteLength
    if (this.left < 0) {
      this.fail(flowFailure("malformed", "the body is longer than it was said to be"))
      this.source?.cancel()
      return true
    }
    let mayGoOn = true
    for (let at = 0; at < bytes.byteLength;) {
      const part = bytes.subarray(at, at + CHUNK_BYTES - this.filled)
      this.chunk.set(part, this.filled)
      this.filled += part.byteLength
      at += part.byteLength
      if (this.filled === CHUNK_BYTES) mayGoOn = this.cut() && mayGoOn
    }
    return mayGoOn
  }

  end(): void {
    if (this.isOver) return
    if (this.left > 0) {
      this.fail(flowFailure("malformed", "the body is shorter than it was said to be"))
      return
    }
    if (this.filled > 0) this.cut()
    this.isOver = true
    this.sink.write(this.framed(none))
    this.sink.end(undefined)
  }

  fail(failure: Parameters<Sink["fail"]>[0]): void {
    if (this.isOver) return
    this.isOver = true
    this.sink.fail(failure)
  }

  private cut(): boolean {
    const framed = this.framed(this.chunk.subarray(0, this.filled))
    this.filled = 0
    return this.sink.write(framed)
  }

  private framed(content: Uint8Array): Uint8Array {
    const head = ascii.encode(`${content.byteLength.toString(16)};chunk-signature=${this.sign(content)}\r\n`)
    const framed = new Uint8Array(head.byteLength + content.byteLength + newline.byteLength)
    framed.set(head)
    framed.set(content, head.byteLength)
    framed.set(newline, head.byteLength + content.byteLength)
    return framed
  }
}
