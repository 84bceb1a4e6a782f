/** One agent of many: how it is asked, what its card says, and who may know of it. */
import * as Effect from "effect/Effect"
import { detect } from "../../../protocols/a2a/detect.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import * as authorization from "../../5-policy/authorization.ts"
import type { EndpointTemplate } from "../Endpoints.ts"
import { type DispatchPorts, hopOf } from "../ports.ts"
import type { Resolved } from "../resolve.ts"
import type { Target, Try } from "../Target.ts"
import { Agent } from "./Agent.ts"
import type { Member } from "./catalogue.ts"
import { Conversation } from "./Conversation.ts"
import { lockOf } from "./lock/lockOf.ts"
import { Seal } from "./Seal.ts"
import { documentOf } from "./speak.ts"

const nowhere = (): never => {
  throw new Error("an agent that is only asked for its card is not spoken to")
}

const visible = Effect.succeed(true)

/** An agent whose card is kept from everybody is none; one that cannot be asked for it just now is. */
const isLetThrough = (agent: Agent, { exchange, request }: Try): Effect.Effect<boolean> =>
  Effect.match(agent.card(exchange.deadlineMillis, request.headers), {
    onFailure: ({ _tag }) => _tag !== "RouteNotFound",
    onSuccess: () => true,
  })

/** A conversation that has not begun: rules see whom it would be with. */
const about = (agent: string): Conversation => {
  const conversation = new Conversation(detect({ method: "", path: "", contentType: undefined }), undefined)
  conversation.agent = agent
  return conversation
}

export const memberOf = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  { backend, name }: { readonly name: string; readonly backend: Resolved },
  target: Target,
  templateOf: (resolved: Resolved) => EndpointTemplate | string,
): Member => {
  const { A2a: policy, Authorization: rules } = backend.policies
  const template = templateOf(backend)
  const { gate } = policyPorts
  const hop = hopOf(ports, "a2a", backend.name)
  const document =
    typeof template === "string" || target.card !== undefined
      ? undefined
      : documentOf(ports, backend, template, policy?.bridge?.cardPath)
  const lock = lockOf(ports, backend.name, policy)
  const agent =
    typeof template === "string" || target.card !== undefined
      ? undefined
      : new Agent(policy?.bridge ?? { interfaces: [] }, {
          home: undefined,
          reach: () => nowhere,
          document,
          cameBy: (headers) => {
            if (document !== undefined) ports.agents?.cameBy(document.url, headers)
          },
          lock,
          seal: policy?.card === undefined || gate === undefined ? undefined : new Seal(policy.card, gate),
        })
  const step =
    rules === undefined || rules.length === 0 ? undefined : authorization.compile(rules, policyPorts, "backend")
  return {
    name,
    attempt: (attempt) => {
      attempt.exchange.trail.backend = target.name
      return target.attempt(attempt)
    },
    card: (attempt) => {
      if (hop.judge(attempt.request.headers) !== undefined) return Effect.undefined
      const headers = attempt.request.headers.copy()
      hop.sign(headers, attempt.request.version, false)
      const card = target.card?.(attempt) ?? agent?.card(attempt.exchange.deadlineMillis, headers)
      return card === undefined
        ? Effect.undefined
        : Effect.match(card, { onFailure: () => undefined, onSuccess: (found) => found })
    },
    isVisible: (attempt: Try) => {
      const exists = lock === undefined || agent === undefined ? visible : isLetThrough(agent, attempt)
      if (step === undefined) return exists
      const notes = (attempt.exchange.notes ??= {})
      const before = notes.a2a
      notes.a2a = before ?? about(name)
      const agentBefore = notes.a2a.agent
      notes.a2a.agent = name
      notes.a2a.isListed = true
      const judged = Effect.match(step.run(attempt), {
        onFailure: () => false,
        onSuccess: ({ _tag }) => _tag === "Pass",
      })
      return Effect.ensuring(
        Effect.flatMap(judged, (may) => (may ? exists : Effect.succeed(false))),
        Effect.sync(() => {
          if (before !== undefined) {
            before.agent = agentBefore
            before.isListed = false
          }
          if (before === undefined) delete notes.a2a
        }),
      )
    },
  }
}
