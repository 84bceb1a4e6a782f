const BURST = 500
const PER_SECOND = 50

/**
 * How many streams a client may open and reset before they are answered: so many at once, then so many each second, and one for
 * each that it let be answered, since a proxy in front of us speaks for many. Behind the end of its reply a reset is the way to
 * say that the rest of a request will not come (RFC 9113 §8.1), and costs nothing.
 */
export class Resets {
  private left = BURST
  private reckonedMillis = 0

  answered(): void {
    if (this.left < BURST) this.left++
  }

  /** Whether this one was too many. */
  isBeyond(nowMillis: number): boolean {
    const earned = ((nowMillis - this.reckonedMillis) / 1_000) * PER_SECOND
    this.left = Math.min(BURST, this.left + earned) - 1
    this.reckonedMillis = nowMillis
    return this.left < 0
  }
}
