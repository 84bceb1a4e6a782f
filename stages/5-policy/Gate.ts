/** What policies that prove identities or count requests are compiled with; one for a whole gateway. */
import type { Subject } from "../Exchange.ts"
import type { Cryptography } from "../ports/Cryptography.ts"
import type { Step } from "./Step.ts"

export interface Gate {
  readonly cryptography: Cryptography
  /** The step of a policy: one for all routes it holds for, and the same again after a change that left it alone. */
  readonly once: (policy: object, compile: () => Step<Subject>) => Step<Subject>
}

export const make = (cryptography: Cryptography): Gate => {
  const steps = new WeakMap<object, Step<Subject>>()
  return {
    cryptography,
    once: (policy, compile) => {
      let step = steps.get(policy)
      if (step === undefined) steps.set(policy, (step = compile()))
      return step
    },
  }
}
