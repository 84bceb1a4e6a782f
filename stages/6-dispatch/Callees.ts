/** The services that policies and protocols of one plan call; each is resolved when it is first called. */
import * as Effect from "effect/Effect"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Callee } from "../../ir/policy/Callee.ts"
import type { Call, Calls } from "../Call.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import type { Notes } from "../Exchange.ts"
import type { Setting } from "../Setting.ts"
import type { Subtype } from "../Trace.ts"
import type { Examination } from "./Examination.ts"
import { examinations } from "./examinations.ts"
import { makeTarget } from "./makeTarget.ts"
import { nameOf } from "./ownName.ts"
import type { DispatchPorts } from "./ports.ts"
import { resolve, type Resolved } from "./resolve.ts"
import { shadowOf } from "./shadow.ts"
import { Try } from "./Target.ts"

type Surroundings = Pick<Setting, "attachments" | "services"> & {
  readonly snapshot: Setting["snapshot"] & Pick<Snapshot, "routes">
}

export class Callees implements Calls {
  private readonly surroundings: Surroundings
  private readonly dispatch: DispatchPorts
  private readonly policies: PolicyPorts
  private readonly known = new Map<Callee, Call>()

  constructor(surroundings: Surroundings, dispatch: DispatchPorts, policies: PolicyPorts) {
    this.surroundings = surroundings
    this.dispatch = dispatch
    this.policies = policies
  }

  to(callee: Callee, subtype: Subtype = "Http"): Call {
    let call = this.known.get(callee)
    if (call === undefined) this.known.set(callee, (call = this.make(callee, subtype)))
    return call
  }

  examinations(): Iterable<Examination> {
    return examinations(this.surroundings, this.dispatch, this.policies)
  }

  private make({ backend, policies }: Callee, subtype: Subtype): Call {
    const { called, clock } = this.dispatch
    // A server that the client means is no service that a policy asks.
    const purpose = subtype === "Mcp" || subtype === "A2a" ? "Primary" : "Policy"
    const found = resolve(this.surroundings, [], backend, policies)
    const resolved = subtype === "A2a" ? asAgent(found) : found
    const target = makeTarget(this.dispatch, this.policies, resolved, {})
    const name = nameOf(resolved)
    return (exchange, request, timeoutMillis = Infinity, pin) => {
      const now = clock.nowMillis()
      if (request.authority === "" && name !== undefined) {
        request.authority = name.authority
        request.host = name.host
      }
      const shadow = shadowOf(exchange, request, now, Math.min(exchange.deadlineMillis, now + timeoutMillis), purpose)
      // Whoever is asked about a client may have to act in its name.
      shadow.identity = exchange.identity
      shadow.subtype = subtype
      // What is said to an agent for a client that said something else is nothing the client said.
      shadow.notes = subtype === "A2a" ? withoutConversation(exchange.notes) : exchange.notes
      const attempt = new Try(shadow, request)
      attempt.preferred = pin?.endpoint
      return Effect.onExit(target.attempt(attempt), () => {
        if (pin !== undefined) pin.endpoint = attempt.member?.id ?? pin.endpoint
        // Waiting for a service is not the gateway's own time.
        const waitedMillis = clock.nowMillis() - now
        exchange.trail.waitedMillis += waitedMillis
        called?.(purpose, subtype, waitedMillis)
        return Effect.void
      })
    }
  }
}

/** An agent that is asked by the gateway is spoken to in its own way. */
const asAgent = (resolved: Resolved): Resolved => {
  const { policies, where } = resolved
  if (where._tag === "Agents" || policies.A2a?.bridge !== undefined) return resolved
  return { ...resolved, policies: { ...policies, A2a: { ...policies.A2a, _tag: "A2a", bridge: { interfaces: [] } } } }
}

const withoutConversation = (notes: Notes | undefined): Notes | undefined => {
  if (notes === undefined) return undefined
  const { a2a: _, ...rest } = notes
  return rest
}
