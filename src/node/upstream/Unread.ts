/** Finds out whether an upstream takes nothing of a request that is there for it. */
import { lookEveryMillis } from "../queued.ts"

const look = (unread: Unread): void => unread.look()

export class Unread {
  private readonly millis: number
  private readonly everyMillis: number
  private readonly taken: () => number | undefined
  private readonly tooLong: () => void
  private timer: NodeJS.Timeout | undefined
  private last: number | undefined
  private lookedMillis = 0
  private quietMillis = 0

  /** `taken` says how far the upstream has come, and nothing while there is nothing for it to take. */
  constructor(millis: number, taken: () => number | undefined, tooLong: () => void) {
    this.millis = millis
    this.everyMillis = lookEveryMillis(millis)
    this.taken = taken
    this.tooLong = tooLong
    this.lookedMillis = performance.now()
    this.timer = setTimeout(look, this.everyMillis, this)
  }

  end(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  look(): void {
    const now = performance.now()
    const taken = this.taken()
    if (taken === undefined || taken !== this.last) this.quietMillis = 0
    // While this process itself stood still, nobody could have taken anything.
    else this.quietMillis += Math.min(now - this.lookedMillis, 2 * this.everyMillis)
    this.last = taken
    this.lookedMillis = now
    if (this.quietMillis >= this.millis) return this.tooLong()
    this.timer = setTimeout(look, this.everyMillis, this)
  }
}

export const unreadFor = (millis: number) =>
  ({ _tag: "RequestUnread", message: `the upstream took nothing of the request for ${millis} ms` }) as const
