/** Knows callers by a signed token. */
import * as Effect from "effect/Effect"
import type { JwtAuth } from "../../ir/policy/JwtAuth.ts"
import type { Subject } from "../Exchange.ts"
import { identify, type Identity } from "../Identity.ts"
import type { Refusal } from "../Refusal.ts"
import { compile as credentialAt } from "./credential.ts"
import type { Gate } from "./Gate.ts"
import type { Layer } from "./order.ts"
import { broken, pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import { absent, TokenCheck } from "./TokenCheck.ts"

const step = (policy: JwtAuth, gate: Gate, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const at = credentialAt(policy.location, ports, layer)
  const tokens = new TokenCheck(policy.providers, gate, ports.clock)
  const { mode } = policy
  const accept = (subject: Subject, identity: Identity): Effect.Effect<Verdict> => {
    identify(subject, identity)
    at.remove(subject.request)
    return pass
  }
  return {
    kind: "JwtAuth",
    readsBody: at.readsBody,
    run: (subject): Effect.Effect<Verdict, Refusal> => {
      const token = at.extract(subject)
      if (token === undefined) return mode === "strict" ? absent : pass
      const found = tokens.check(token, subject.exchange.deadlineMillis, subject.exchange)
      if (!Effect.isEffect(found)) return accept(subject, found)
      const accepted = Effect.flatMap(found, (identity) => accept(subject, identity))
      return mode === "permissive" ? Effect.catch(accepted, () => pass) : accepted
    },
  }
}

export const compile = (policy: JwtAuth, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { gate } = ports
  if (gate === undefined) return broken("JwtAuth", "nothing here can verify signatures")
  return gate.once(policy, () => step(policy, gate, ports, layer))
}
