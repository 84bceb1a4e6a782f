/** Makes a request wait, at most until its deadline. */
import * as Effect from "effect/Effect"
import type { Delay } from "../../ir/policy/Delay.ts"
import type { Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { broken, pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

const late: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "RequestTimeout" })

export interface Wait {
  readonly millis: number
  /** Whether the time of the request is up when the wait is over. */
  readonly isLate: boolean
}

/** How long to wait when so much time is left. */
export const decide = (delayMillis: number, leftMillis: number): Wait =>
  leftMillis <= delayMillis ? { millis: Math.max(leftMillis, 0), isLate: true } : { millis: delayMillis, isLate: false }

export const compile = ({ duration }: Delay, { clock }: PolicyPorts): Step<Subject> | undefined => {
  if (duration._tag === "Computed") return broken("Delay", "nothing evaluates its expression yet")
  const delayMillis = duration.millis
  if (delayMillis <= 0) return undefined
  return {
    kind: "Delay",
    run: ({ exchange }) => {
      const { isLate, millis } = decide(delayMillis, exchange.deadlineMillis - clock.nowMillis())
      const then = isLate ? late : pass
      if (millis === 0) return then
      return Effect.callback<Verdict, Refusal>((resume) => {
        const cancel = clock.after(millis, () => resume(then))
        return Effect.sync(cancel)
      })
    },
  }
}
