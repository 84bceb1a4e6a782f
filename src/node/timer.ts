/** Real time. */
import * as Layer from "effect/Layer"
import { type Clock, Timer } from "../../stages/ports/Timer.ts"
import { timerMillis } from "./timerMillis.ts"

export const clock: Clock = {
  nowMillis: () => performance.now(),
  wallMillis: () => Date.now(),
  after: (millis, callback) => {
    let left = millis
    const wait = (): NodeJS.Timeout => {
      const now = timerMillis(left)
      left -= now
      return setTimeout(left > 0 ? () => (timer = wait()) : callback, now)
    }
    let timer = wait()
    return () => clearTimeout(timer)
  },
  random: Math.random,
}

export const layer = Layer.succeed(Timer, clock)
