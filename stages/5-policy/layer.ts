/** Steps in front of a service. */
import * as Effect from "effect/Effect"
import type { Reply, Service, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { pass, type Step } from "./Step.ts"

/** Puts the steps, in their order, in front of `inner`. */
export const layer = <X extends Subject>(steps: ReadonlyArray<Step<X>>, inner: Service<X>): Service<X> => {
  if (steps.length === 0) return inner
  const from = (x: X, first: number): Effect.Effect<Reply, Refusal> => {
    for (let i = first; i < steps.length; i++) {
      const step = steps[i] as Step<X>
      const verdict = step.run(x)
      x.exchange.inquiry?.note({ stage: step.kind, decision: verdict === pass ? "passed" : "ran" })
      if (verdict === pass) continue
      return Effect.flatMap(verdict, (v) => (v._tag === "Answer" ? Effect.succeed(v.reply) : from(x, i + 1)))
    }
    return inner(x)
  }
  return (x) => from(x, 0)
}
