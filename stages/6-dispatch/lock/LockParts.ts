import type * as Effect from "effect/Effect"
import type { Finding, Locks } from "../../ports/Locks.ts"
import type { Clock } from "../../ports/Timer.ts"

/** Somebody has to look at it. */
export interface Alarm extends Finding {
  /** What was approved and what is said now, side by side; for people. */
  readonly difference: string
}

export interface LockParts {
  readonly locks: Locks
  readonly clock: Clock
  readonly digest: (text: string) => string
  /** Runs what nobody waits for. */
  readonly run: (effect: Effect.Effect<unknown, unknown>) => unknown
  /** Told once of each finding, by whoever of all workers and replicas found it first. */
  readonly alarm?: ((alarm: Alarm) => void) | undefined
}
