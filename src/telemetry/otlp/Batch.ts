/**
 * Things on their way to a receiver: written down when they are offered, because bytes are cheaper to keep than objects,
 * gathered for a moment, sent together, dropped and counted beyond the bound. A receiver that cannot be reached is tried a
 * few times more; what it says is wrong is not sent again.
 */
import * as Effect from "effect/Effect"
import { Writer } from "../../../protocols/protobuf/Writer.ts"
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
  /** How long is tried to have one batch taken. */
  readonly exportMillis: number
}

export interface BatchOptions<A> extends BatchSettings {
  readonly clock: Pick<Clock, "after" | "nowMillis" | "random">
  readonly write: (writer: Writer, one: A) => void
  /** What was written of many, one after the other. */
  readonly send: (items: Uint8Array) => Effect.Effect<Sent>
  /** Told what was lost, and why. */
  readonly onDropped: (count: number, why: string) => void
}

/** Tries of one batch, and the wait before the second; each wait is twice the one before. */
const triesMax = 5
const retryMillis = 1_000

interface Parcel {
  readonly count: number
  readonly items: Uint8Array
}

export class Batch<A> {
  private readonly options: BatchOptions<A>
  /** The parcel that is being filled. */
  private readonly writer = new Writer(16 * 1024)
  private gathered = 0
  private readonly parcels: Array<Parcel> = []
  /** Of all that is offered, what is neither on its way nor given up. */
  private waiting = 0
  private cancel: (() => void) | undefined
  private sending: Promise<void> | undefined

  constructor(options: BatchOptions<A>) {
    this.options = options
  }

  get size(): number {
    return this.waiting
  }

  offer(one: A): void {
    const { batchMax, clock, delayMillis, onDropped, waitingMax, write } = this.options
    if (this.waiting >= waitingMax) return onDropped(1, "too many wait")
    const { length } = this.writer
    try {
      write(this.writer, one)
    } catch (error) {
      this.writer.rewind(length)
      return onDropped(1, `it cannot be written: ${error instanceof Error ? error.message : String(error)}`)
    }
    this.waiting++
    if (++this.gathered >= batchMax) {
      this.seal()
      this.start()
    } else this.cancel ??= clock.after(delayMillis, () => this.start())
  }

  /** Sends what waits; completes when it is sent, or given up. */
  async flush(): Promise<void> {
    await this.sending
    this.start()
    await this.sending
  }

  private seal(): void {
    if (this.gathered === 0) return
    this.parcels.push({ count: this.gathered, items: this.writer.take() })
    this.gathered = 0
  }

  private start(): void {
    this.cancel?.()
    this.cancel = undefined
    if (this.sending !== undefined || this.waiting === 0) return
    this.sending = this.drain().finally(() => (this.sending = undefined))
  }

  private async drain(): Promise<void> {
    for (;;) {
      if (this.parcels.length === 0) this.seal()
      const parcel = this.parcels.shift()
      if (parcel === undefined) return
      this.waiting -= parcel.count
      await this.deliver(parcel)
    }
  }

  private async deliver({ count, items }: Parcel): Promise<void> {
    const { clock, exportMillis, onDropped, send } = this.options
    const giveUpAt = clock.nowMillis() + exportMillis
    for (let attempt = 1; ; attempt++) {
      const sent = await Effect.runPromise(this.within(send(items), giveUpAt))
      if (sent._tag === "Taken") return
      if (sent._tag === "Refused" || attempt >= triesMax) return onDropped(count, sent.why)
      const millis = sent.afterMillis ?? retryMillis * 2 ** (attempt - 1) * (0.5 + clock.random())
      if (clock.nowMillis() + millis >= giveUpAt) return onDropped(count, sent.why)
      await new Promise<void>((resolve) => clock.after(Math.min(millis, 60_000), resolve))
    }
  }

  /** What takes longer is given up. */
  private within(sending: Effect.Effect<Sent>, giveUpAt: number): Effect.Effect<Sent> {
    const { clock, exportMillis } = this.options
    const expiry = Effect.callback<Sent>((resume) => {
      const late: Sent = { _tag: "Refused", why: `it was not taken within ${exportMillis} ms` }
      return Effect.sync(clock.after(Math.max(0, giveUpAt - clock.nowMillis()), () => resume(Effect.succeed(late))))
    })
    return Effect.raceFirst(sending, expiry)
  }
}
