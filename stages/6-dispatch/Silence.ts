/** How long whoever sends a stream may say nothing. While its reader takes nothing, the silence is not the sender's. */
import type { Clock } from "../ports/Timer.ts"

export class Silence {
  private readonly clock: Clock
  private readonly millis: number
  private readonly tooLong: () => void
  private heardMillis = 0
  private isPaused = false
  private isOver = false
  private cancelTimer: (() => void) | undefined

  constructor(clock: Clock, millis: number, tooLong: () => void) {
    this.clock = clock
    this.millis = millis
    this.tooLong = tooLong
  }

  begin(): void {
    this.heardMillis = this.clock.nowMillis()
    this.watch(this.millis)
  }

  /** Something was said, and the reader takes more of it or not. */
  heard(takesMore: boolean): void {
    this.heardMillis = this.clock.nowMillis()
    this.isPaused = !takesMore
  }

  /** There will be no more. */
  end(): void {
    this.isOver = true
    this.cancelTimer?.()
    this.cancelTimer = undefined
  }

  /** One timer for a whole stream: it looks when the last was heard and sleeps for what is left. */
  private watch(millis: number): void {
    if (this.isOver || millis === Infinity) return
    this.cancelTimer = this.clock.after(millis, () => {
      const left = this.millis - (this.clock.nowMillis() - this.heardMillis)
      if (this.isPaused || left > 0) return this.watch(this.isPaused ? this.millis : left)
      this.isOver = true
      this.tooLong()
    })
  }
}
