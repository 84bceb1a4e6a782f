/** A reply on its way to the client, remembered as it passes; whoever asked for it is told once it is whole. */
import type { Headers } from "../../../../protocols/http/headers.ts"
import { type Flow, type FlowFailure, join, type Sink, type Source } from "../../../Body.ts"
import type { KeptReply } from "../../../ports/Replies.ts"

/** Pieces of one stream whose times are kept; beyond, they come together. */
const PIECES_MAX = 4096

export class RecordedFlow implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Flow
  private readonly bytesMax: number
  private readonly nowMillis: () => number
  private readonly over: (bytes: Uint8Array, pieces: KeptReply["pieces"]) => void
  private sink: Sink | undefined
  private source: Source | undefined
  private chunks: Array<Uint8Array> | undefined = []
  private size = 0
  private beganMillis = 0
  private readonly pieces: Array<readonly [end: number, millis: number]> = []

  constructor(
    flow: Flow,
    bytesMax: number,
    nowMillis: () => number,
    over: (bytes: Uint8Array, pieces: KeptReply["pieces"]) => void,
  ) {
    this.flow = flow
    this.length = flow.length
    this.bytesMax = bytesMax
    this.nowMillis = nowMillis
    this.over = over
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.source = this.flow.open(this)
    return this
  }

  write(chunk: Uint8Array): boolean {
    const { chunks } = this
    if (chunks !== undefined) {
      this.size += chunk.byteLength
      if (this.size > this.bytesMax) this.chunks = undefined
      else {
        const now = this.nowMillis()
        if (chunks.length === 0) this.beganMillis = now
        chunks.push(chunk)
        if (this.pieces.length < PIECES_MAX) this.pieces.push([this.size, Math.round(now - this.beganMillis)])
      }
    }
    return this.sink?.write(chunk) ?? true
  }

  end(trailers: Headers | undefined): void {
    const { chunks } = this
    this.chunks = undefined
    if (chunks !== undefined) this.over(join(chunks, this.size), this.pieces)
    this.sink?.end(trailers)
  }

  fail(failure: FlowFailure): void {
    this.chunks = undefined
    this.sink?.fail(failure)
  }

  resume(): void {
    this.source?.resume()
  }

  cancel(): void {
    this.chunks = undefined
    this.source?.cancel()
  }
}
