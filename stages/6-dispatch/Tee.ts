/**
 * Shows a body to others on its way. The main reader sets the pace: a copy that falls behind keeps what it has not yet
 * passed on, up to a limit, and beyond it breaks off.
 */
import { flowFailure, type Flow, type FlowFailure, type Sink, type Source } from "../Body.ts"
import type { Headers } from "../../protocols/http/headers.ts"

/** How far a copy may fall behind. */
export const COPY_LAG_BYTES_MAX = 1_048_576

/** Accounts for bytes that are kept; false when there is no more room. */
export interface Room {
  readonly take: (bytes: number) => boolean
  readonly give: (bytes: number) => void
}

/** One copy: fed by the main flow, read at its own pace. */
export class Copy implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly room: Room
  private sink: Sink | undefined
  private waiting: Array<Uint8Array> = []
  private waitingBytes = 0
  private isPaused = true
  private isEnded = false
  private trailers: Headers | undefined
  private failure: FlowFailure | undefined
  private isOver = false

  constructor(length: number | undefined, room: Room) {
    this.length = length
    this.room = room
  }

  feed(chunk: Uint8Array): void {
    if (this.isOver || this.failure !== undefined) return
    if (!this.isPaused && this.sink !== undefined) {
      this.isPaused = !this.sink.write(chunk)
      return
    }
    const bytes = chunk.byteLength
    if (this.waitingBytes + bytes > COPY_LAG_BYTES_MAX || !this.room.take(bytes)) {
      return this.breakOff(flowFailure("cancelled", "the copy fell behind"))
    }
    this.waiting.push(chunk)
    this.waitingBytes += bytes
  }

  finish(trailers: Headers | undefined): void {
    if (this.isOver || this.failure !== undefined) return
    this.isEnded = true
    this.trailers = trailers
    this.flush()
  }

  breakOff(failure: FlowFailure): void {
    if (this.isOver || this.isEnded || this.failure !== undefined) return
    this.failure = failure
    this.forget()
    this.flush()
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.isPaused = false
    this.flush()
    return this
  }

  resume(): void {
    this.isPaused = false
    this.flush()
  }

  cancel(): void {
    this.isOver = true
    this.forget()
  }

  private forget(): void {
    this.room.give(this.waitingBytes)
    this.waiting = []
    this.waitingBytes = 0
  }

  private flush(): void {
    const { sink } = this
    if (sink === undefined || this.isOver) return
    let sent = 0
    while (!this.isPaused && sent < this.waiting.length) {
      const chunk = this.waiting[sent++] as Uint8Array
      this.waitingBytes -= chunk.byteLength
      this.room.give(chunk.byteLength)
      this.isPaused = !sink.write(chunk)
    }
    this.waiting.splice(0, sent)
    if (this.waiting.length > 0) return
    if (this.failure !== undefined) {
      this.isOver = true
      sink.fail(this.failure)
    } else if (this.isEnded) {
      this.isOver = true
      sink.end(this.trailers)
    }
  }
}

/** The main flow, unchanged, with copies that see what passes. */
export class Tee implements Flow {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Flow
  private readonly copies: ReadonlyArray<Copy>

  constructor(flow: Flow, copies: ReadonlyArray<Copy>) {
    this.length = flow.length
    this.flow = flow
    this.copies = copies
  }

  /** Nobody reads on, if anybody ever did: a copy that has not got all of it by now never will. */
  abandon(): void {
    for (const copy of this.copies) copy.breakOff(flowFailure("cancelled", "the body was not read to its end"))
  }

  open(sink: Sink): Source {
    const { copies } = this
    const source = this.flow.open({
      write: (chunk) => {
        for (const copy of copies) copy.feed(chunk)
        return sink.write(chunk)
      },
      end: (trailers) => {
        for (const copy of copies) copy.finish(trailers)
        sink.end(trailers)
      },
      fail: (failure) => {
        for (const copy of copies) copy.breakOff(failure)
        sink.fail(failure)
      },
    })
    return {
      resume: () => source.resume(),
      cancel: () => {
        this.abandon()
        source.cancel()
      },
    }
  }
}
