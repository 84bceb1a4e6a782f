/**
 * One answer on its way to everybody who asked for the same at the same time. It is remembered as it passes, so that
 * whoever comes later still gets it from its beginning, and whoever keeps answers is told once it is whole.
 *
 * The source goes on as long as anybody reads. While everything is remembered it follows the fastest reader, for what
 * the others have yet to read is held anyway; beyond, nobody can join any more, and it waits for the slowest.
 */
import type { Headers } from "../../../../protocols/http/headers.ts"
import { type Flow, type FlowFailure, join, type Sink, type Source } from "../../../Body.ts"
import type { KeptReply } from "../../../ports/Replies.ts"

/** Pieces of one stream whose times are kept; beyond, they come together. */
const PIECES_MAX = 4096

/** How far readers may be apart once not everything is remembered. */
const LAG_BYTES_MAX = 64 * 1024

export interface Remembered {
  readonly bytes: Uint8Array
  readonly pieces: KeptReply["pieces"]
}

class Reader implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly shared: SharedFlow
  private sink: Sink | undefined
  /** The number of the chunk that comes next. */
  next = 0
  readBytes = 0
  isHeld = false
  private isOver = false

  constructor(shared: SharedFlow) {
    this.shared = shared
    this.length = shared.length
  }

  get takesMore(): boolean {
    return this.sink !== undefined && !this.isHeld
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.shared.begin()
    this.pump()
    return this
  }

  pump(): void {
    const { shared, sink } = this
    if (sink === undefined) return
    while (!this.isOver && !this.isHeld) {
      const chunk = shared.chunk(this.next)
      if (chunk === undefined) return this.finish(sink)
      this.next++
      this.readBytes += chunk.byteLength
      if (!sink.write(chunk)) this.isHeld = true
    }
  }

  private finish(sink: Sink): void {
    const { ending } = this.shared
    if (ending === undefined) return
    this.isOver = true
    this.shared.left(this)
    if (ending.failure === undefined) sink.end(ending.trailers)
    else sink.fail(ending.failure)
  }

  resume(): void {
    if (this.isOver || !this.isHeld) return
    this.isHeld = false
    this.pump()
    this.shared.moved()
  }

  cancel(): void {
    if (this.isOver) return
    this.isOver = true
    this.shared.left(this)
  }
}

export class SharedFlow implements Sink {
  readonly length: number | undefined
  private readonly flow: Flow
  private readonly bytesMax: number
  private readonly nowMillis: () => number
  private readonly over: (remembered: Remembered | undefined) => void
  private readonly readers = new Set<Reader>()
  private source: Source | undefined
  private hasBegun = false
  private isPaused = false
  private isLeft = false
  private chunks: Array<Uint8Array> = []
  /** The number of the first of them. */
  private first = 0
  private size = 0
  private isWhole = true
  private beganMillis = 0
  private readonly pieces: Array<readonly [end: number, millis: number]> = []
  ending: { readonly trailers: Headers | undefined; readonly failure: FlowFailure | undefined } | undefined

  /** `over` is told once, when nothing more comes: what it was, if it came whole and was not too long. */
  constructor(
    flow: Flow,
    bytesMax: number,
    nowMillis: () => number,
    over: (remembered: Remembered | undefined) => void,
  ) {
    this.flow = flow
    this.length = flow.length
    this.bytesMax = bytesMax
    this.nowMillis = nowMillis
    this.over = over
  }

  /** From the beginning; nothing where the beginning is gone, or nobody reads it any more. It must be opened. */
  join(): Flow | undefined {
    if (this.isLeft || !this.isWhole || this.ending !== undefined) return undefined
    const reader = new Reader(this)
    this.readers.add(reader)
    return reader
  }

  begin(): void {
    if (this.hasBegun) return
    this.hasBegun = true
    this.source = this.flow.open(this)
    if (this.isLeft) this.source.cancel()
  }

  chunk(number: number): Uint8Array | undefined {
    return this.chunks[number - this.first]
  }

  write(chunk: Uint8Array): boolean {
    const now = this.nowMillis()
    if (this.size === 0) this.beganMillis = now
    this.size += chunk.byteLength
    this.chunks.push(chunk)
    if (this.size > this.bytesMax) this.isWhole = false
    else if (this.pieces.length < PIECES_MAX) this.pieces.push([this.size, Math.round(now - this.beganMillis)])
    for (const reader of this.readers) reader.pump()
    this.forget()
    this.isPaused = !this.wantsMore()
    return !this.isPaused
  }

  end(trailers: Headers | undefined): void {
    this.close({ trailers, failure: undefined })
  }

  fail(failure: FlowFailure): void {
    this.close({ trailers: undefined, failure })
  }

  private close(ending: NonNullable<SharedFlow["ending"]>): void {
    if (this.isLeft || this.ending !== undefined) return
    this.ending = ending
    const isKept = this.isWhole && ending.failure === undefined
    this.over(isKept ? { bytes: join(this.chunks, this.size), pieces: this.pieces } : undefined)
    for (const reader of this.readers) reader.pump()
  }

  /** A reader that was held back has read on. */
  moved(): void {
    this.forget()
    if (!this.isPaused || !this.wantsMore()) return
    this.isPaused = false
    this.source?.resume()
  }

  left(reader: Reader): void {
    this.readers.delete(reader)
    if (this.ending !== undefined || this.isLeft) return
    if (this.readers.size > 0) return this.moved()
    this.isLeft = true
    this.chunks = []
    this.over(undefined)
    if (this.hasBegun) this.source?.cancel()
    else this.begin()
  }

  private wantsMore(): boolean {
    let takes = false
    for (const reader of this.readers) {
      takes ||= reader.takesMore
      if (!this.isWhole && this.size - reader.readBytes > LAG_BYTES_MAX) return false
    }
    return takes
  }

  /** What is not remembered is let go of once everybody has read it. */
  private forget(): void {
    if (this.isWhole) return
    let least = this.first + this.chunks.length
    for (const { next } of this.readers) least = Math.min(least, next)
    if (least === this.first) return
    this.chunks.splice(0, least - this.first)
    this.first = least
  }
}
