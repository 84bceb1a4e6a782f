/** A stream that passes its guards on the way to the client: held back, judged, and let go or broken off. */
import type { Headers } from "../../../../protocols/http/headers.ts"
import {
  type EventDecoder,
  eventDecoder,
  type EventEncoder,
  eventEncoder,
  type Framing,
} from "../../../../protocols/llm/framing.ts"
import type { HeldStream, Window } from "../../../../protocols/llm/guard/HeldStream.ts"
import type { WireEvent } from "../../../../protocols/llm/Translation.ts"
import type { Flow, FlowFailure, Sink, Source } from "../../../Body.ts"

/** The event that ends the stream, where it may not go on. */
export type Ending = WireEvent

export interface GuardWork {
  /** Undefined: let it go. Given at once, or later through the callback; the function returned calls it off. */
  readonly judge: (
    windows: ReadonlyArray<Window>,
    decided: (ending: Ending | undefined) => void,
  ) => (() => void) | undefined
}

export class GuardedFlow implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length = undefined
  private readonly flow: Flow
  private readonly held: HeldStream
  private readonly work: GuardWork
  private readonly decoder: EventDecoder
  private readonly encoder: EventEncoder
  private sink: Sink | undefined
  private source: Source | undefined
  private isJudging = false
  private callOff: (() => void) | undefined
  private hasEnded = false
  private trailers: Headers | undefined
  private isOver = false
  private isPaused = false

  constructor(flow: Flow, framing: Framing, held: HeldStream, work: GuardWork) {
    this.flow = flow
    this.held = held
    this.work = work
    this.decoder = eventDecoder(framing, (event) => held.take(event))
    this.encoder = eventEncoder(framing)
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.source = this.flow.open(this)
    if (this.isOver) this.source.cancel()
    return this
  }

  write(chunk: Uint8Array): boolean {
    if (this.isOver) return true
    const problem = this.decoder.feed(chunk)
    if (problem !== undefined) {
      this.fail({ _tag: "FlowFailure", reason: "tooLarge", message: problem })
      return true
    }
    const takesMore = this.pump()
    // One judgement at a time: what comes meanwhile is bounded by not asking for more.
    this.isPaused = !takesMore || this.isJudging
    return !this.isPaused
  }

  end(trailers: Headers | undefined): void {
    if (this.isOver) return
    this.decoder.end()
    this.hasEnded = true
    this.trailers = trailers
    this.held.end()
    this.pump()
  }

  fail(failure: FlowFailure): void {
    if (this.isOver) return
    this.close()
    this.source?.cancel()
    this.sink?.fail(failure)
  }

  /** Lets go what may go, and asks about the rest. */
  private pump(): boolean {
    let takesMore = true
    while (!this.isOver && !this.isJudging) {
      if (!this.held.isDue) {
        if (this.hasEnded && this.held.isEmpty) this.finish()
        break
      }
      const windows = this.held.windows()
      let isNow = true
      this.isJudging = windows.length > 0
      if (windows.length === 0) {
        takesMore = this.pass(this.held.release()) && takesMore
        continue
      }
      this.callOff = this.work.judge(windows, (ending) => {
        this.isJudging = false
        this.callOff = undefined
        if (this.isOver) return
        if (ending !== undefined) return this.breakOff(ending)
        takesMore = this.pass(this.held.release()) && takesMore
        if (!isNow) this.goOn()
      })
      isNow = false
    }
    return takesMore
  }

  /** After a judgement that took its time. */
  private goOn(): void {
    const takesMore = this.pump()
    if (takesMore && !this.isJudging && this.isPaused && !this.isOver) {
      this.isPaused = false
      this.source?.resume()
    }
  }

  private pass(events: ReadonlyArray<WireEvent>): boolean {
    if (events.length === 0) return true
    return this.sink?.write(this.encoder.events(events)) ?? true
  }

  private breakOff(ending: Ending): void {
    const { sink, source, hasEnded } = this
    this.close()
    if (!hasEnded) source?.cancel()
    sink?.write(this.encoder.events([ending]))
    this.last()
    sink?.end(undefined)
  }

  /** What a list needs at its end. */
  private last(): void {
    const end = this.encoder.end()
    if (end.byteLength > 0) this.sink?.write(end)
  }

  private finish(): void {
    this.close()
    this.last()
    this.sink?.end(this.trailers)
  }

  private close(): void {
    this.isOver = true
    this.callOff?.()
    this.callOff = undefined
  }

  resume(): void {
    if (this.isOver || this.isJudging) return
    this.isPaused = false
    this.source?.resume()
  }

  cancel(): void {
    if (this.isOver) return
    this.close()
    this.source?.cancel()
  }
}
