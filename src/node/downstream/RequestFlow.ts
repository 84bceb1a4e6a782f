/** The body of a request while it is read from its connection. */
import { relayTrailers } from "../../../protocols/http/hopByHop.ts"
import type { Flow, FlowFailure, Sink, Source } from "../../../stages/Body.ts"

/** How much of a body is read ahead of whoever wants it. */
const AHEAD_BYTES = 65_536

/** What it asks of the connection it is read from. */
export interface Reading {
  readonly holdBack: () => void
  readonly goOn: () => void
}

export class RequestFlow implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly reading: Reading
  private readonly onOpen: (() => void) | undefined
  private sink: Sink | undefined
  private ahead: Array<Uint8Array> | undefined
  private aheadBytes = 0
  private trailers: Array<string> | undefined
  private failure: FlowFailure | undefined
  /** Nobody wants more of it. */
  private over = false
  /** The sink asked to wait. */
  private held = false
  /** Bytes so far. */
  received = 0
  /** Whether the client has sent all of it. */
  complete = false

  constructor(reading: Reading, length: number | undefined, onOpen: (() => void) | undefined) {
    this.reading = reading
    this.length = length
    this.onOpen = onOpen
  }

  /** Whether somebody reads it and waits for the sender. */
  get waiting(): boolean {
    return this.sink !== undefined && !this.over && !this.held
  }

  /** Whether it ended before its end, and the rest is worth nothing. */
  get failed(): boolean {
    return this.failure !== undefined
  }

  /** More of it arrived. */
  push(chunk: Uint8Array): void {
    this.received += chunk.byteLength
    if (this.waiting) {
      if (!this.sink?.write(chunk)) this.held = true
      return
    }
    if (!this.over) (this.ahead ??= []).push(chunk)
    this.aheadBytes += chunk.byteLength
    if (this.aheadBytes >= AHEAD_BYTES) this.reading.holdBack()
  }

  /** All of it arrived. */
  finish(trailers: Array<string> | undefined): void {
    this.complete = true
    this.trailers = trailers
    // Nothing more of it can be too much, and whoever reads on sees that the client leaves.
    this.reading.goOn()
    if (this.waiting) this.tellEnd()
  }

  private tellEnd(): void {
    const { sink, trailers } = this
    this.over = true
    sink?.end(trailers === undefined || trailers.length === 0 ? undefined : relayTrailers(trailers))
  }

  open(sink: Sink): Source {
    this.sink = sink
    const { failure } = this
    if (failure !== undefined) {
      this.over = true
      queueMicrotask(() => sink.fail(failure))
      return this
    }
    this.onOpen?.()
    this.flow()
    return this
  }

  /** Hands on what was read ahead, and what comes next. */
  private flow(): void {
    const { sink } = this
    this.held = false
    for (let chunk = this.ahead?.shift(); chunk !== undefined; chunk = this.ahead?.shift()) {
      this.aheadBytes -= chunk.byteLength
      const more = sink?.write(chunk) === true
      if (this.over) return
      if (!more) return void (this.held = true)
    }
    if (this.complete) this.tellEnd()
    else this.reading.goOn()
  }

  resume(): void {
    if (!this.over && this.held) this.flow()
  }

  /** Reads no further; the connection decides what becomes of the rest. */
  cancel(): void {
    this.over = true
    this.ahead = undefined
  }

  /** Ends it from the side of the sender, before its end. */
  abandon(failure: FlowFailure): void {
    if (this.over || this.complete) return
    this.failure = failure
    if (this.sink === undefined) return
    this.over = true
    this.sink.fail(failure)
  }
}
