/** Whether a request may be tried again, decided before anything computes with it. */
import type { Retry } from "../../ir/policy/Retry.ts"
import type { Subject } from "../Exchange.ts"
import { readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import type { Layer } from "./order.ts"
import { pass, type Step } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

/** Undefined: every request may. */
export const compile = (
  { condition, precondition }: Retry,
  ports: PolicyPorts,
  layer: Layer,
): Step<Subject> | undefined => {
  const expressions = expressionsOf(ports)
  // What judges the reply may look at the request as well, and by then its body is gone.
  const looksBack = condition !== undefined && readsRequestBody(expressions.compile(condition, "attempt", "retry"))
  if (precondition === undefined) return looksBack ? { kind: "Retry", readsBody: true, run: () => pass } : undefined
  const { around } = expressions
  const mayRetry = expressions.compile(precondition, layer, "retry")
  return {
    kind: "Retry",
    readsBody: looksBack || readsRequestBody(mayRetry),
    run: (subject) => {
      subject.exchange.mayRetry = mayRetry.holds(Facts.of(around, subject)) === true
      return pass
    },
  }
}
