/**
 * A request body that can be sent again: it remembers what passed, up to a limit. While another attempt may follow, an
 * attempt that stops reading only pauses the client; what was read goes first to the next one.
 */
import { flowFailure, type Flow, type FlowFailure, type Sink, type Source } from "../Body.ts"
import type { Headers } from "../../protocols/http/headers.ts"

export class Replay implements Flow {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Flow
  private readonly bytesMax: number
  private source: Source | undefined
  /** What passed so far; undefined when it is no longer kept. */
  private kept: Array<Uint8Array> | undefined = []
  private keptBytes = 0
  private reader: Reader | undefined
  private isEnded = false
  private trailers: Headers | undefined
  private failure: FlowFailure | undefined
  /** No further attempt will come. */
  private isCommitted = false

  constructor(flow: Flow, bytesMax: number) {
    this.length = flow.length
    this.flow = flow
    this.bytesMax = bytesMax
  }

  /** Whether another attempt would get the whole body. */
  get isWhole(): boolean {
    return this.kept !== undefined && this.failure === undefined
  }

  /** Begins the body anew; whoever read it before gets nothing more. */
  open(sink: Sink): Source {
    this.reader?.leave()
    const reader = new Reader(this, sink, this.kept ?? [])
    this.reader = reader
    if (this.kept === undefined && this.source !== undefined)
      reader.fail(flowFailure("gone", "the body was read before"))
    else reader.flush()
    return reader
  }

  /** The attempt that reads now is the last one. */
  commit(): void {
    this.isCommitted = true
    this.kept = undefined
    this.keptBytes = 0
    if (this.reader === undefined || this.reader.hasLeft) this.cancelSource()
  }

  /** Called by the reader once it has what was kept. */
  advance(): void {
    const { reader } = this
    if (reader === undefined) return
    if (this.failure !== undefined) reader.fail(this.failure)
    else if (this.isEnded) reader.end(this.trailers)
    else if (this.source === undefined) {
      // The source may write before `open` returns.
      this.source = this.flow.open(this.sink)
      if (reader.hasLeft) this.left()
    } else this.source.resume()
  }

  left(): void {
    if (this.isCommitted || this.kept === undefined) this.cancelSource()
  }

  private cancelSource(): void {
    if (!this.isEnded && this.failure === undefined) this.source?.cancel()
  }

  private readonly sink: Sink = {
    write: (chunk) => {
      const { reader } = this
      const isRead = reader !== undefined && !reader.hasLeft
      if (this.kept !== undefined) {
        this.keptBytes += chunk.byteLength
        // What came while nobody read is kept in any case: a chunk or two, since the source is paused by then.
        if (this.keptBytes > this.bytesMax && isRead) this.kept = undefined
        else this.kept.push(chunk)
      }
      return isRead ? reader.write(chunk) : false
    },
    end: (trailers) => {
      this.isEnded = true
      this.trailers = trailers
      const { reader } = this
      if (reader !== undefined && !reader.hasLeft) reader.ended()
    },
    fail: (failure) => {
      this.failure = failure
      const { reader } = this
      if (reader !== undefined && !reader.hasLeft) reader.ended()
    },
  }
}

/** One attempt's view of the body. */
class Reader implements Source {
  private readonly replay: Replay
  private readonly sink: Sink
  private waiting: ReadonlyArray<Uint8Array>
  private next = 0
  private isPaused = false
  private isOver = false

  constructor(replay: Replay, sink: Sink, kept: ReadonlyArray<Uint8Array>) {
    this.replay = replay
    this.sink = sink
    this.waiting = kept.slice()
  }

  get hasLeft(): boolean {
    return this.isOver
  }

  write(chunk: Uint8Array): boolean {
    if (this.next < this.waiting.length || this.isPaused) {
      this.waiting = [...this.waiting.slice(this.next), chunk]
      this.next = 0
      return false
    }
    this.isPaused = !this.sink.write(chunk)
    return !this.isPaused
  }

  /** Passes on what is there, then asks for more. */
  flush(): void {
    while (this.next < this.waiting.length) {
      if (this.isOver) return
      if (!this.sink.write(this.waiting[this.next++] as Uint8Array)) {
        this.isPaused = true
        return
      }
    }
    if (!this.isOver) this.replay.advance()
  }

  /** The body has come to its end, one way or the other. */
  ended(): void {
    if (this.next >= this.waiting.length) this.replay.advance()
  }

  end(trailers: Headers | undefined): void {
    if (this.isOver) return
    this.isOver = true
    this.sink.end(trailers)
  }

  fail(failure: FlowFailure): void {
    if (this.isOver) return
    this.isOver = true
    this.sink.fail(failure)
  }

  resume(): void {
    if (this.isOver) return
    this.isPaused = false
    this.flush()
  }

  cancel(): void {
    if (this.isOver) return
    this.isOver = true
    this.replay.left()
  }

  leave(): void {
    this.isOver = true
  }
}
