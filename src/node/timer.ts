/** Real time. */
import * as Layer from "effect/Layer"
import { type Clock, Timer } from "../../stages/ports/Timer.ts"

export const clock: Clock = {
  nowMillis: () => performance.now(),
  wallMillis: () => Date.now(),
  after: (millis, callback) => {
    const timer = setTimeout(callback, millis)
    return () => clearTimeout(timer)
  },
  random: Math.random,
}

export const layer = Layer.succeed(Timer, clock)
