/** Steps in front of a service. */
import * as Effect from "effect/Effect"
import type { Inquiry } from "../Inquiry.ts"
import type { Reply, Service, Subject } from "../Exchange.ts"
import { message, type Refusal } from "../Refusal.ts"
import { pass, type Step, type Verdict } from "./Step.ts"

/** Puts the steps, in their order, in front of `inner`. */
export const layer = <X extends Subject>(steps: ReadonlyArray<Step<X>>, inner: Service<X>): Service<X> => {
  if (steps.length === 0) return inner
  const from = (x: X, first: number): Effect.Effect<Reply, Refusal> => {
    for (let i = first; i < steps.length; i++) {
      const step = steps[i] as Step<X>
      const verdict = step.run(x)
      const { inquiry } = x.exchange
      if (inquiry !== undefined && verdict === pass) inquiry.note({ stage: step.kind, decision: "passed" })
      if (verdict === pass) continue
      return Effect.matchEffect(inquiry === undefined ? verdict : noted(inquiry, step.kind, verdict), {
        onFailure: (refusal) => {
          // Who refused is known even when nobody asked for the whole story.
          x.exchange.trail.refusedBy ??= step.kind
          return Effect.fail(refusal)
        },
        onSuccess: (v) => (v._tag === "Answer" ? Effect.succeed(v.reply) : from(x, i + 1)),
      })
    }
    return inner(x)
  }
  return (x) => from(x, 0)
}

const noted = (
  inquiry: Inquiry,
  stage: string,
  verdict: Effect.Effect<Verdict, Refusal>,
): Effect.Effect<Verdict, Refusal> =>
  Effect.matchEffect(verdict, {
    onFailure: (refusal) => {
      inquiry.note({ stage, decision: `refused: ${message(refusal)}` })
      return Effect.fail(refusal)
    },
    onSuccess: (v) => {
      inquiry.note({ stage, decision: v._tag === "Answer" ? `answered ${v.reply.status}` : "passed" })
      return Effect.succeed(v)
    },
  })
