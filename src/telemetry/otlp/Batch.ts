/**
 * Things on their way to a receiver: gathered for a moment, sent together, dropped and counted beyond the bound. A
 * receiver that cannot be reached is tried a few times more; what it says is wrong is not sent again.
 */
import * as Effect from "effect/Effect"
import type { Clock } from "../../../stages/ports/Timer.ts"

/** What became of one sending. */
export type Sent =
  | { readonly _tag: "Taken" }
  | { readonly _tag: "Later"; readonly why: string; readonly afterMillis?: number | undefined }
  | { readonly _tag: "Refused"; readonly why: string }

export interface BatchSettings {
  readonly waitingMax: number
  readonly batchMax: number
  readonly delayMillis: number
}

export interface BatchOptions<A> extends BatchSettings {
  readonly clock: Pick<Clock, "after" | "random">
  readonly send: (batch: ReadonlyArray<A>) => Effect.Effect<Sent>
  /** Told what was lost, and why. */
  readonly onDropped: (count: number, why: string) => void
}

/** Tries of one batch, and the wait before the second; each wait is twice the one before. */
const triesMax = 5
const retryMillis = 1_000

export class Batch<A> {
  private readonly options: BatchOptions<A>
  private waiting: Array<A> = []
  private cancel: (() => void) | undefined
  private sending: Promise<void> | undefined

  constructor(options: BatchOptions<A>) {
    this.options = options
  }

  get size(): number {
    return this.waiting.length
  }

  offer(one: A): void {
    const { batchMax, clock, delayMillis, onDropped, waitingMax } = this.options
    if (this.waiting.length >= waitingMax) return onDropped(1, "too many wait")
    this.waiting.push(one)
    if (this.waiting.length >= batchMax) this.start()
    else this.cancel ??= clock.after(delayMillis, () => this.start())
  }

  /** Sends what waits; completes when it is sent, or given up. */
  async flush(): Promise<void> {
    await this.sending
    this.start()
    await this.sending
  }

  private start(): void {
    this.cancel?.()
    this.cancel = undefined
    if (this.sending !== undefined || this.waiting.length === 0) return
    this.sending = this.drain().finally(() => (this.sending = undefined))
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) await this.deliver(this.waiting.splice(0, this.options.batchMax))
  }

  private async deliver(batch: ReadonlyArray<A>): Promise<void> {
    const { clock, onDropped, send } = this.options
    for (let attempt = 1; ; attempt++) {
      const sent = await Effect.runPromise(send(batch))
      if (sent._tag === "Taken") return
      if (sent._tag === "Refused" || attempt >= triesMax) return onDropped(batch.length, sent.why)
      const millis = sent.afterMillis ?? retryMillis * 2 ** (attempt - 1) * (0.5 + clock.random())
      await new Promise<void>((resolve) => clock.after(Math.min(millis, 60_000), resolve))
    }
  }
}
