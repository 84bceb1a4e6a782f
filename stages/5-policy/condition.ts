/** Policies whose content depends on the request: the first entry whose condition holds takes effect, or none does. */
import type { Expression } from "../../ir/Expression.ts"
import type { Subject } from "../Exchange.ts"
import { pass, type Step } from "./Step.ts"

/** Whether an entry takes effect; an expression that fails counts as false. */
export type Condition = (subject: Subject) => boolean

/** Where an evaluator of expressions plugs in. Until there is one, configurations with conditions are refused at load. */
export const conditionOf = (expression: Expression): Condition => {
  throw new Error(`nothing evaluates conditions yet: ${expression}`)
}

export interface Alternative<in X> {
  /** Absent: always. */
  readonly condition: Condition | undefined
  /** Absent: the entry asks for nothing. */
  readonly step: Step<X> | undefined
}

/** Which alternative takes effect; its step also promises the reply half, so both halves follow one decision. */
export const choose = <X extends Subject>(
  alternatives: ReadonlyArray<Alternative<X>>,
  subject: X,
): Alternative<X> | undefined => {
  for (const alternative of alternatives) {
    if (alternative.condition === undefined || alternative.condition(subject)) return alternative
  }
  return undefined
}

export const conditional = <X extends Subject>(kind: string, alternatives: ReadonlyArray<Alternative<X>>): Step<X> => ({
  kind,
  run: (x) => choose(alternatives, x)?.step?.run(x) ?? pass,
})
