/**
 * Lines out of a stream of bytes, however it is cut into chunks. What others write is taken as it comes: a byte order
 * mark, `\r\n` and broken UTF-8 do no harm. A line longer than the limit is left out, and said so.
 */
import { join } from "../bytes.ts"

export interface LineSink {
  readonly line: (text: string) => void
  /** Once for each line that was left out. */
  readonly tooLong: () => void
}

const newline = 0x0a

export class LineReader {
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  private readonly bytesMax: number
  private readonly sink: LineSink
  private parts: Array<Uint8Array> = []
  private held = 0
  private isSkipping = false
  private isFirst = true

  constructor(bytesMax: number, sink: LineSink) {
    this.bytesMax = bytesMax
    this.sink = sink
  }

  push(chunk: Uint8Array): void {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(newline, start)
      if (end < 0) return this.hold(chunk.subarray(start))
      this.hold(chunk.subarray(start, end))
      this.complete()
      start = end + 1
    }
  }

  /** The stream has ended: what is left counts as a line. */
  end(): void {
    if (this.held > 0 || this.isSkipping) this.complete()
  }

  private hold(piece: Uint8Array): void {
    if (this.isSkipping || piece.byteLength === 0) return
    if (this.held + piece.byteLength > this.bytesMax) {
      this.isSkipping = true
      this.parts = []
      this.held = 0
      return
    }
    this.parts.push(piece)
    this.held += piece.byteLength
  }

  private complete(): void {
    const { held, isFirst, isSkipping, parts } = this
    this.parts = []
    this.held = 0
    this.isSkipping = false
    this.isFirst = false
    if (isSkipping) return this.sink.tooLong()
    let text = this.decoder.decode(join(parts, held))
    if (isFirst && text.startsWith("\uFEFF")) text = text.slice(1)
    if (text.endsWith("\r")) text = text.slice(0, -1)
    if (text.trim() !== "") this.sink.line(text)
  }
}
