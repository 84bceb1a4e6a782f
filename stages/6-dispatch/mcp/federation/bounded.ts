/** How long something may take. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { McpRuntime } from "../McpRuntime.ts"
import type { TargetFailure } from "../target/McpTarget.ts"

const ignored = (): void => {}

/**
 * A timer of our own costs less than a race, and every question has one. `ended` is told once how it ended, and of a
 * question that nobody waits for any more that it was interrupted.
 */
export const bounded = <A>(
  { clock, run }: McpRuntime,
  millis: number,
  effect: Effect.Effect<A, TargetFailure>,
  late: TargetFailure,
  ended: (exit: Exit.Exit<A, TargetFailure>) => void = ignored,
): Effect.Effect<A, TargetFailure> =>
  Effect.callback<A, TargetFailure>((resume) => {
    let disarm: (() => void) | undefined
    let isOver = false
    const finish = (exit: Exit.Exit<A, TargetFailure>): void => {
      if (isOver) return
      isOver = true
      disarm?.()
      ended(exit)
      resume(exit)
    }
    const fiber = run(effect)
    fiber.addObserver(finish)
    if (isOver) return
    disarm = clock.after(millis, () => {
      finish(Exit.fail(late))
      fiber.interruptUnsafe()
    })
    return Effect.sync(() => {
      disarm?.()
      fiber.interruptUnsafe()
    })
  })
