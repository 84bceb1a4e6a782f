/**
 * Writes that nobody waits for: they are gathered for a moment and written together. More than the bound are dropped and
 * counted; while the database cannot be reached, what is there waits for it.
 */
import * as Effect from "effect/Effect"
import type { Clock } from "../../stages/ports/Timer.ts"
import type { Statement } from "./Statement.ts"
import type { Store, StoreFailure } from "./Store.ts"

export interface WriteQueueOptions {
  readonly store: Store
  readonly clock: Pick<Clock, "after">
  readonly waitingMax?: number
  readonly batchMax?: number
  readonly delayMillis?: number
  /** Told how many writes were lost, and why. */
  readonly onDropped: (writes: number, why: string) => void
}

/** How soon a database that could not be reached is tried again. */
const retryMillis = 1_000

export class WriteQueue {
  private readonly options: Required<WriteQueueOptions>
  private waiting: Array<Statement> = []
  private cancel: (() => void) | undefined
  private writing: Promise<void> | undefined

  constructor(options: WriteQueueOptions) {
    this.options = { waitingMax: 16_384, batchMax: 1_024, delayMillis: 50, ...options }
  }

  /** Never waits; false when there is no room. */
  offer(statement: Statement): boolean {
    const { batchMax, delayMillis, onDropped, waitingMax } = this.options
    if (this.waiting.length >= waitingMax) {
      onDropped(1, "too many writes wait for the database")
      return false
    }
    this.waiting.push(statement)
    if (this.waiting.length === batchMax) this.write()
    else this.later(delayMillis)
    return true
  }

  get size(): number {
    return this.waiting.length
  }

  /** Writes what waits; completes when it is written, or cannot be. */
  readonly flush: Effect.Effect<void> = Effect.promise(async () => {
    await this.writing
    this.write()
    await this.writing
  })

  private later(millis: number): void {
    if (this.cancel !== undefined || this.writing !== undefined) return
    this.cancel = this.options.clock.after(millis, () => this.write())
  }

  private write(): void {
    this.cancel?.()
    this.cancel = undefined
    if (this.writing !== undefined || this.waiting.length === 0) return
    this.writing = this.drain().then((again) => {
      this.writing = undefined
      if (this.waiting.length > 0) this.later(again)
    })
  }

  /** Until nothing waits, or the database cannot be reached; says when to look again. */
  private async drain(): Promise<number> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, this.options.batchMax)
      const failed = await this.attempt(batch)
      if (failed?.reason === "unavailable") return retryMillis
      this.waiting.splice(0, batch.length)
      if (failed !== undefined && (await this.oneByOne(batch, failed)) === "unavailable") return retryMillis
    }
    return this.options.delayMillis
  }

  /** One bad write does not take the others with it. */
  private async oneByOne(batch: ReadonlyArray<Statement>, failed: StoreFailure): Promise<"written" | "unavailable"> {
    if (batch.length === 1) {
      this.options.onDropped(1, failed.message)
      return "written"
    }
    for (const [i, one] of batch.entries()) {
      const why = await this.attempt([one])
      if (why?.reason === "unavailable") {
        this.waiting.unshift(...batch.slice(i))
        return "unavailable"
      }
      if (why !== undefined) this.options.onDropped(1, why.message)
    }
    return "written"
  }

  private attempt(batch: ReadonlyArray<Statement>): Promise<StoreFailure | undefined> {
    return Effect.runPromise(
      Effect.match(this.options.store.batch(batch), { onFailure: (failed) => failed, onSuccess: () => undefined }),
    )
  }
}
