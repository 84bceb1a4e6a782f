/** Bookings that nobody has settled yet, and settlements on their way: what the end of a gateway has to wait for. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Spending } from "../../stages/ports/Spending.ts"

/** Calls that a closing gateway breaks off settle at once; nobody else is waited for. */
const LAST_WRITES_MILLIS = 5_000

export class Unsettled {
  private readonly open = new Set<string>()
  private writing = 0
  private waiting: Array<() => void> = []
  private readonly fork: (effect: Effect.Effect<void>) => unknown

  constructor(context: Context.Context<never>) {
    this.fork = Effect.runForkWith(context)
  }

  readonly run = (effect: Effect.Effect<void>): void => {
    this.writing++
    const over = Effect.sync(() => {
      this.writing--
      this.look()
    })
    this.fork(Effect.ensuring(effect, over))
  }

  of(spending: Spending): Spending {
    return {
      ...spending,
      // Whoever asks may leave before the answer, and nobody would know then what to give back: it is awaited for them.
      book: (booking) =>
        Effect.callback((resume) => {
          let isGone = false
          const answered = Effect.exit(spending.book(booking)).pipe(
            Effect.map((exit) => {
              const id = Exit.isSuccess(exit) ? exit.value.id : undefined
              if (isGone) return id === undefined ? undefined : spending.settle(booking.account, id, 0)
              if (id !== undefined) this.open.add(id)
              resume(exit)
            }),
          )
          this.run(answered)
          return Effect.sync(() => {
            isGone = true
          })
        }),
      settle: (account, id, amount) => {
        if (id !== undefined) this.open.delete(id)
        spending.settle(account, id, amount)
      },
    }
  }

  private get isIdle(): boolean {
    return this.open.size === 0 && this.writing === 0
  }

  private look(): void {
    if (!this.isIdle) return
    for (const resume of this.waiting.splice(0)) resume()
  }

  /** Until everything is settled and written down, but not for long. */
  readonly settled: Effect.Effect<void> = Effect.raceFirst(
    Effect.callback<void>((resume) => {
      if (this.isIdle) return resume(Effect.void)
      this.waiting.push(() => resume(Effect.void))
    }),
    Effect.sleep(LAST_WRITES_MILLIS),
  )
}
