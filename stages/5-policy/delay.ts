/** Makes a request wait, at most until its deadline. */
import * as Effect from "effect/Effect"
import type { Delay } from "../../ir/policy/Delay.ts"
import type { Subject } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Layer } from "./order.ts"
import type { Refusal } from "../Refusal.ts"
import { toDelayMillis } from "../../ir/cel/toJson.ts"
import { readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import { pass, type Step, type Verdict } from "./Step.ts"
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

/** Timers cannot be set any further ahead. */
export const DELAY_MILLIS_MAX = 2 ** 31 - 1

const wait = (delayMillis: number, { exchange }: Subject, clock: Clock): Effect.Effect<Verdict, Refusal> => {
  const { isLate, millis } = decide(
    Math.min(delayMillis, DELAY_MILLIS_MAX),
    exchange.deadlineMillis - clock.nowMillis(),
  )
  const then = isLate ? late : pass
  if (millis === 0) return then
  return Effect.callback<Verdict, Refusal>((resume) => {
    const cancel = clock.after(millis, () => resume(then))
    return Effect.sync(cancel)
  })
}

export const compile = ({ duration }: Delay, ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  const { clock } = ports
  if (duration._tag === "Computed") {
    const expressions = expressionsOf(ports)
    const { around } = expressions
    const computed = expressions.compile(duration.expression, layer, "delay")
    return {
      kind: "Delay",
      readsBody: readsRequestBody(computed),
      run: (subject) => {
        const delayMillis = computed.as(Facts.of(around, subject), toDelayMillis)
        return delayMillis === undefined || delayMillis <= 0 ? pass : wait(delayMillis, subject, clock)
      },
    }
  }
  const delayMillis = duration.millis
  return delayMillis <= 0 ? undefined : { kind: "Delay", run: (subject) => wait(delayMillis, subject, clock) }
}
