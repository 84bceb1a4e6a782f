/** Whether a connection may stay, judged before a byte is answered — or, where rules ask who the client is, after the handshake. */
import type { NetworkAuthorization } from "../../ir/policy/NetworkAuthorization.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { compileJudges, compileRules, decide } from "../5-policy/authorization.ts"
import { expressionsOf } from "../5-policy/expression/expressionsOf.ts"
import { Facts } from "../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
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
  ports: PolicyPorts,
  workloads: () => Snapshot["workloads"] | undefined,
): Admission | undefined => {
  if (sets === undefined || sets.every(({ cedar, rules }) => rules.length === 0 && cedar === undefined))
    return undefined
  const expressions = expressionsOf(ports)
  const rules = compileRules(sets, expressions, "networkAuthorization", "networkAuthorization")
  const judges = compileJudges(sets, ports, "networkAuthorization")
  const judge = (facts: Facts): boolean => decide(rules, (rule) => rule.holds(facts))
  const factsOf = (secured: Secured): Facts => Facts.connection(expressions.around, secured, workloads())
  const admitted = new WeakSet<Accepted>()
  return {
    early: (accepted) => {
      const facts = factsOf({ accepted, socket: accepted.socket, tls: undefined })
      const isAllowed = judge(facts)
      if (facts.askedForSeal) return undefined
      // Who connects may be known only after the handshake, and Cedar always asks that.
      if (judges.length > 0) return isAllowed ? undefined : false
      if (isAllowed) admitted.add(accepted)
      return isAllowed
    },
    final: (secured) => {
      if (admitted.has(secured.accepted)) return true
      const facts = factsOf(secured)
      const { accepted, tls } = secured
      const caller = { identity: undefined, client: tls?.client, port: accepted.local.port }
      return judge(facts) && judges.every((one) => one(facts, caller))
    },
  }
}
