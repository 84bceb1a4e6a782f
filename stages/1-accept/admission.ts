/** Whether a connection may stay, judged before a byte is answered — or, where rules ask who the client is, after the handshake. */
import type { NetworkAuthorization } from "../../ir/policy/NetworkAuthorization.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { compileRules, decide } from "../5-policy/authorization.ts"
import type { Expressions } from "../5-policy/expression/Expressions.ts"
import { Facts } from "../5-policy/expression/Facts.ts"
import type { Accepted, Secured } from "../Connection.ts"
import { rejected } from "../Rejected.ts"

export interface Admission {
  /** Undefined: only a handshake can tell. */
  readonly early: (accepted: Accepted) => boolean | undefined
  readonly final: (secured: Secured) => boolean
}

export const refused = rejected("networkAuthorization", "network authorization failed")

export const compile = (
  sets: ReadonlyArray<NetworkAuthorization> | undefined,
  expressions: Expressions,
  workloads: () => Snapshot["workloads"] | undefined,
): Admission | undefined => {
  if (sets === undefined || sets.every(({ rules }) => rules.length === 0)) return undefined
  const rules = compileRules(sets, expressions, "networkAuthorization", "networkAuthorization")
  const judge = (facts: Facts): boolean => decide(rules, (rule) => rule.holds(facts))
  const factsOf = (secured: Secured): Facts => Facts.connection(expressions.around, secured, workloads())
  const admitted = new WeakSet<Accepted>()
  return {
    early: (accepted) => {
      const facts = factsOf({ accepted, socket: accepted.socket, tls: undefined })
      const isAllowed = judge(facts)
      if (facts.askedForSeal) return undefined
      if (isAllowed) admitted.add(accepted)
      return isAllowed
    },
    final: (secured) => admitted.has(secured.accepted) || judge(factsOf(secured)),
  }
}
