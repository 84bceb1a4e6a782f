/** Wall-clock time as text, from the monotonic times that exchanges carry: nothing is asked of the clock for a line. */
import type { Clock } from "../../stages/ports/Timer.ts"

/** The wall clock may be off by so much before it is believed again. */
const driftMillisMax = 2

const three = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, "0"))

export class Timestamps {
  private readonly clock: Clock
  private offsetMillis: number
  private second = -1
  private prefix = ""

  constructor(clock: Clock) {
    this.clock = clock
    this.offsetMillis = clock.wallMillis() - clock.nowMillis()
  }

  /** RFC 3339 in UTC, to the microsecond. */
  at(nowMillis: number): string {
    const wallMillis = nowMillis + this.offsetMillis
    const second = Math.floor(wallMillis / 1000)
    if (second !== this.second) return this.turn(nowMillis)
    const micros = Math.floor((wallMillis - second * 1000) * 1000)
    const millis = (micros / 1000) | 0
    return `${this.prefix}${three[millis]}${three[micros - millis * 1000]}Z`
  }

  now(): string {
    return this.at(this.clock.nowMillis())
  }

  /** Once a second the wall clock is asked whether it was set meanwhile. */
  private turn(nowMillis: number): string {
    const offset = this.clock.wallMillis() - this.clock.nowMillis()
    if (Math.abs(offset - this.offsetMillis) > driftMillisMax) this.offsetMillis = offset
    this.second = Math.floor((nowMillis + this.offsetMillis) / 1000)
    this.prefix = new Date(this.second * 1000).toISOString().slice(0, 20)
    return this.at(nowMillis)
  }
}
