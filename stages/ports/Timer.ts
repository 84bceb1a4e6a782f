/** Time for code that cannot wait in a fiber: deadlines inside callbacks, and reading the clock cheaply. */
import * as Context from "effect/Context"

export interface Clock {
  /** Monotonic, with a fraction. */
  readonly nowMillis: () => number
  /** Wall clock. */
  readonly wallMillis: () => number
  /** Calls back once; the result cancels it. */
  readonly after: (millis: number, callback: () => void) => () => void
  /** A number in [0, 1). */
  readonly random: () => number
}

export class Timer extends Context.Service<Timer, Clock>()("sluice/stages/ports/Timer") {}
