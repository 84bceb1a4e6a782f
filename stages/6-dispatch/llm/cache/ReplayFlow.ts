/** A stream that was kept, given again in the pieces and at the pace in which it came. */
import type { Flow, Sink, Source } from "../../../Body.ts"
import type { KeptReply } from "../../../ports/Replies.ts"
import type { Clock } from "../../../ports/Timer.ts"

export class ReplayFlow implements Flow, Source {
  readonly _tag = "Flow"
  readonly length = undefined
  private readonly reply: KeptReply
  private readonly clock: Clock
  private sink: Sink | undefined
  private next = 0
  private from = 0
  private beganMillis = 0
  private cancelTimer: (() => void) | undefined
  private isHeld = false
  private isOver = false

  constructor(reply: KeptReply, clock: Clock) {
    this.reply = reply
    this.clock = clock
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.beganMillis = this.clock.nowMillis()
    this.pump()
    return this
  }

  private pump(): void {
    const { bytes, pieces } = this.reply
    const { sink } = this
    if (sink === undefined) return
    while (!this.isOver && !this.isHeld) {
      const piece = pieces[this.next]
      const end = piece?.[0] ?? bytes.byteLength
      if (piece === undefined && this.from === end) {
        this.isOver = true
        return sink.end(undefined)
      }
      const left = this.beganMillis + (piece?.[1] ?? 0) - this.clock.nowMillis()
      if (left > 0) {
        this.cancelTimer = this.clock.after(left, () => this.pump())
        return
      }
      const chunk = bytes.subarray(this.from, end)
      this.from = end
      this.next++
      if (!sink.write(chunk)) this.isHeld = true
    }
  }

  resume(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.pump()
  }

  cancel(): void {
    this.isOver = true
    this.cancelTimer?.()
  }
}
