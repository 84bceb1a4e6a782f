/** Policies whose content depends on the request: the first entry whose condition holds takes effect, or none does. */
import type { Subject } from "../Exchange.ts"
import type { Expression } from "./expression/Expressions.ts"
import { Facts, type Surroundings } from "./expression/Facts.ts"
import { pass, type Step } from "./Step.ts"

/** Whether an entry takes effect. */
export type Condition = (subject: Subject) => boolean

/** An expression that fails counts as false. */
export const conditionOf =
  (expression: Expression, around: Surroundings): Condition =>
  (subject) =>
    expression.holds(Facts.of(around, subject)) === true

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

export const conditional = <X extends Subject>(
  kind: string,
  alternatives: ReadonlyArray<Alternative<X>>,
  readsBody = false,
): Step<X> => ({
  kind,
  readsBody: readsBody || alternatives.some(({ step }) => step?.readsBody === true),
  run: (x) => choose(alternatives, x)?.step?.run(x) ?? pass,
})
