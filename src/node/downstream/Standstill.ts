/** For how long something has stood still that should go on, in the eyes of whoever looks from time to time. */
export class Standstill {
  private last: number | undefined
  private sinceMillis = 0

  /** `value` is another whenever it has gone on, and undefined as long as nobody waits for that. */
  millis(value: number | undefined, nowMillis: number): number {
    if (value === undefined || value !== this.last) {
      this.last = value
      this.sinceMillis = nowMillis
    }
    return nowMillis - this.sinceMillis
  }

  /** Counts from the next look on. */
  forget(): void {
    this.last = undefined
  }
}
