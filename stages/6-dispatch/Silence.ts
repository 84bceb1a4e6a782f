/**
 * How long whoever sends a stream may say nothing. The silence is not the sender's while its reader takes nothing, nor
 * while it waits for somebody else.
 */
import type { Clock } from "../ports/Timer.ts"

export class Silence {
  private readonly clock: Clock
  private readonly millis: number
  private readonly tooLong: () => void
  private readonly isExcused: () => boolean
  private heardMillis = 0
  private isPaused = false
  private isOver = false
  private cancelTimer: (() => void) | undefined

  constructor(clock: Clock, millis: number, tooLong: () => void, isExcused: () => boolean) {
    this.clock = clock
    this.millis = millis
    this.tooLong = tooLong
    this.isExcused = isExcused
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

  /** The sender shows in another way that it is there. */
  stirred(): void {
    this.heardMillis = this.clock.nowMillis()
  }

  /** There will be no more. */
  end(): void {
    this.isOver = true
    this.cancelTimer?.()
    this.cancelTimer = undefined
  }

  /** One timer for a whole stream: it looks when the last was heard and sleeps for what is left. */
  private watch(millis: number): void {
    if (this.isOver || this.millis === Infinity) return
    this.cancelTimer = this.clock.after(millis, () => {
      const left = this.left
      if (left > 0) return this.watch(left)
      // Where this process stood still, what was said meanwhile is read only now.
      this.cancelTimer = this.clock.after(0, () => {
        const left = this.left
        if (left > 0) return this.watch(left)
        this.isOver = true
        this.tooLong()
      })
    })
  }

  private get left(): number {
    return this.isPaused || this.isExcused() ? this.millis : this.millis - (this.clock.nowMillis() - this.heardMillis)
  }
}
