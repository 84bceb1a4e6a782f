/** One direction of a connection: what goes in comes out later, in the same order. */
import type { Scheduler } from "./Scheduler.ts"

export class Link {
  private readonly scheduler: Scheduler
  private readonly latencyMillis: number
  private readonly queue: Array<() => void> = []
  private cut = false

  constructor(scheduler: Scheduler, latencyMillis: number) {
    this.scheduler = scheduler
    this.latencyMillis = latencyMillis
  }

  /** Whichever of the equal deliveries comes first takes what was sent first. */
  private readonly deliver = (): void => {
    const event = this.queue.shift()
    if (event !== undefined && !this.cut) event()
  }

  send(event: () => void): void {
    if (this.cut) return
    this.queue.push(event)
    this.scheduler.after(this.latencyMillis, this.deliver)
  }

  /** Nothing gets through any more, not even what is under way. */
  sever(): void {
    this.cut = true
  }
}
