/** Simulated time and chance, for fibers (Effect's clock) and for callbacks (the Timer port). */
import type * as EffectClock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Clock } from "../../stages/ports/Timer.ts"
import type { Random } from "./Random.ts"
import type { Scheduler } from "./Scheduler.ts"

/** When simulations begin, by the wall clock: 2026-01-01T00:00:00Z. */
const epochMillis = 1_767_225_600_000

const nanosOf = (millis: number): bigint => BigInt(Math.round(millis * 1_000_000))

/** The gateway's own timers, counted apart from those of the world around it. */
export class Timekeeper {
  /** Timers that still wait. */
  waiting = 0
  private readonly scheduler: Scheduler
  private readonly random: Random

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler
    this.random = random
  }

  private readonly after = (millis: number, callback: () => void): (() => void) => {
    let isWaiting = true
    this.waiting++
    const over = (): boolean => {
      if (!isWaiting) return false
      isWaiting = false
      this.waiting--
      return true
    }
    const cancel = this.scheduler.after(millis, () => {
      if (over()) callback()
    })
    return () => {
      if (over()) cancel()
    }
  }

  /** For callbacks. */
  get clock(): Clock {
    return {
      nowMillis: () => this.scheduler.nowMillis,
      wallMillis: () => epochMillis + this.scheduler.nowMillis,
      after: this.after,
      random: this.random.next,
    }
  }

  /** For fibers. */
  get effectClock(): EffectClock.Clock {
    const { scheduler } = this
    const wallMillis = () => epochMillis + scheduler.nowMillis
    const wallNanos = () => nanosOf(epochMillis) + nanosOf(scheduler.nowMillis)
    const monotonicNanos = () => nanosOf(scheduler.nowMillis)
    return {
      currentTimeMillisUnsafe: wallMillis,
      currentTimeMillis: Effect.sync(wallMillis),
      currentTimeNanosUnsafe: wallNanos,
      currentTimeNanos: Effect.sync(wallNanos),
      monotonicTimeNanosUnsafe: monotonicNanos,
      monotonicTimeNanos: Effect.sync(monotonicNanos),
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        if (millis === Infinity) return Effect.never
        return Effect.callback<void>((resume) => Effect.sync(this.after(millis, () => resume(Effect.void))))
      },
    }
  }
}
