/** Looks after connections from time to time; one timer for all that are to be looked after as often. */
import type { HttpSettings } from "../../../stages/ports/Network.ts"
import { lookEveryMillis } from "../queued.ts"

interface Watched {
  readonly lookAfter: (nowMillis: number) => void
}

export class Watch {
  private readonly everyMillis: number
  private readonly connections = new Set<Watched>()
  private timer: NodeJS.Timeout | undefined

  constructor(everyMillis: number) {
    this.everyMillis = everyMillis
  }

  add(connection: Watched): void {
    this.connections.add(connection)
    this.timer ??= setInterval(() => this.look(), this.everyMillis).unref()
  }

  delete(connection: Watched): void {
    this.connections.delete(connection)
    if (this.connections.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  private look(): void {
    const now = performance.now()
    for (const connection of this.connections) connection.lookAfter(now)
  }
}

const watches = new Map<number, Watch>()

export const watchFor = (settings: HttpSettings): Watch => {
  const { bodyIdleTimeoutMillis, headTimeoutMillis, idleTimeoutMillis, writeStallTimeoutMillis } = settings
  const every = lookEveryMillis(
    Math.min(bodyIdleTimeoutMillis, headTimeoutMillis, idleTimeoutMillis, writeStallTimeoutMillis),
  )
  let watch = watches.get(every)
  if (watch === undefined) {
    watch = new Watch(every)
    watches.set(every, watch)
  }
  return watch
}
