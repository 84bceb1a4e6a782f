/** The body of a reply that is a stream of events, written as they come about. */
import { Headers } from "../../../../protocols/http/headers.ts"
import { encodeSseComment } from "../../../../protocols/http/sse.ts"
import { type Flow, flowFailure, type Sink, type Source } from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { limits } from "../limits.ts"

const encoder = new TextEncoder()
const keepAlive = encodeSseComment("keep-alive")

export class EventStream implements Flow, Source {
  readonly _tag = "Flow"
  readonly length = undefined
  private readonly clock: Clock
  private readonly left: () => void
  private sink: Sink | undefined = undefined
  private unsent: Array<string> = []
  private unsentChars = 0
  private isPaused = false
  private isEnding = false
  private isOver = false
  private spokeMillis: number
  private disarm: (() => void) | undefined = undefined

  /** `left` is told when the client leaves before the end, or reads too slowly to be kept. */
  constructor(clock: Clock, left: () => void) {
    this.clock = clock
    this.left = left
    this.spokeMillis = clock.nowMillis()
    this.arm(limits.keepAliveMillis)
  }

  /** Whether somebody still reads. */
  get isOpen(): boolean {
    return !this.isOver && !this.isEnding
  }

  private arm(millis: number): void {
    this.disarm = this.clock.after(millis, () => {
      const wait = this.spokeMillis + limits.keepAliveMillis - this.clock.nowMillis()
      if (wait > 0) return this.arm(wait)
      this.write(keepAlive)
      if (!this.isOver) this.arm(limits.keepAliveMillis)
    })
  }

  write(text: string): void {
    if (this.isOver || this.isEnding) return
    this.spokeMillis = this.clock.nowMillis()
    if (this.sink !== undefined && !this.isPaused) {
      this.isPaused = !this.sink.write(encoder.encode(text))
      return
    }
    this.unsent.push(text)
    this.unsentChars += text.length
    if (this.unsentChars > limits.unsentCharsMax) this.drop("the client does not read its stream")
  }

  end(): void {
    if (this.isOver || this.isEnding) return
    this.isEnding = true
    this.disarm?.()
    this.flush()
  }

  /** Breaks the stream off, so that the client knows that something is missing. */
  drop(why: string): void {
    if (this.isOver) return
    const { sink } = this
    this.over()
    sink?.fail(flowFailure("cancelled", why))
    this.left()
  }

  private over(): void {
    this.isOver = true
    this.disarm?.()
    this.unsent = []
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.flush()
    return this
  }

  resume(): void {
    this.isPaused = false
    this.flush()
  }

  cancel(): void {
    if (this.isOver) return
    this.over()
    this.left()
  }

  private flush(): void {
    const { sink } = this
    if (sink === undefined || this.isOver) return
    if (!this.isPaused && this.unsent.length > 0) {
      const text = this.unsent.join("")
      this.unsent = []
      this.unsentChars = 0
      this.isPaused = !sink.write(encoder.encode(text))
    }
    if (this.isEnding && this.unsent.length === 0) {
      this.isOver = true
      sink.end(undefined)
    }
  }
}

export const streamReply = (stream: EventStream, more: ReadonlyArray<string> = []): Reply => ({
  status: 200,
  headers: new Headers([
    "content-type",
    "text/event-stream",
    "cache-control",
    "no-cache, no-transform",
    "x-accel-buffering",
    "no",
    ...more,
  ]),
  body: stream,
  origin: "upstream",
})
