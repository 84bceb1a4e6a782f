/** What stands behind a backend, published as an agent: every client reaches it as it would any other. */
import * as Effect from "effect/Effect"
import type { A2a } from "../../../../ir/policy/A2a.ts"
import type { Fields } from "../../../../protocols/a2a/Fields.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { Routed, Request } from "../../../Exchange.ts"
import { message, type Refusal } from "../../../Refusal.ts"
import { principalOf } from "../../mcp/callers.ts"
import { type DispatchPorts, hopOf } from "../../ports.ts"
import type { Attempting } from "../../Target.ts"
import { withinHops } from "../affinity.ts"
import { bridge } from "../bridge.ts"
import { compile as compileGuard } from "../guard.ts"
import { Desk } from "../push/Desk.ts"
import { pushPath } from "../push/Push.ts"
import { Seal } from "../Seal.ts"
import { Host } from "./Host.ts"
import { modelWork } from "./models.ts"
import { serverWork } from "./servers.ts"

export interface Published {
  readonly attempt: Attempting
  readonly card: (exchange: Routed, request: Request) => Effect.Effect<Fields, Refusal>
}

const unpublished = (detail: string): Published => {
  const refusal: Refusal = { _tag: "FilterFailed", detail }
  return { attempt: () => Effect.fail(refusal), card: () => Effect.fail(refusal) }
}

/** `inner` makes attempts at the backend itself; `name` tells its tasks from those of other agents. */
export const published = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  name: string,
  kind: "models" | "servers",
  { bridge: spoken, card, guard, publish }: A2a,
  inner: Attempting,
): Published => {
  const { agents, clock } = ports
  const { gate } = policyPorts
  if (agents === undefined || gate === undefined || publish === undefined) {
    return unpublished("nothing can be published as an agent here")
  }
  const { cryptography } = gate
  const ownerOf = (exchange: Parameters<typeof principalOf>[0]): string =>
    principalOf(exchange, { digest: (text) => cryptography.sha256(text) })
  const { push } = agents
  const seal = card === undefined ? undefined : new Seal(card, gate)
  const about = { name: publish.name, description: publish.description, version: publish.version }
  const pushes = push !== undefined
  const work =
    kind === "models"
      ? modelWork(
          {
            ...about,
            pushes,
            model: publish.model,
            instructions: publish.instructions,
            skills: publish.skills,
          },
          { attempt: inner, clock },
        )
      : serverWork({ ...about, pushes, gateway: "sluice" }, { attempt: inner, clock })
  const callback = push === undefined ? undefined : `${push.callback}${pushPath}`
  const host = new Host({
    name,
    jobs: agents.jobs,
    work,
    ownerOf,
    secret: () => cryptography.random(18),
    registrationOf:
      callback === undefined ? undefined : (url) => (url.startsWith(callback) ? url.slice(callback.length) : undefined),
  })
  const cardOf = (exchange: Routed, request: Request): Effect.Effect<Fields, Refusal> =>
    Effect.mapError(host.card(exchange, request), (why): Refusal => {
      const detail = `the card of the agent cannot be made: ${why}`
      // A gateway that finds out says so in words that every gateway on the way passes on.
      return why.includes(message({ _tag: "LoopDetected" }))
        ? { _tag: "LoopDetected", detail }
        : { _tag: "UpstreamFailed", detail }
    })
  const lines = Effect.succeed([
    {
      dialed: { binding: "JSONRPC", version: "1.0" } as const,
      place: { base: "", tenant: undefined },
      reach: host.attempt,
    },
  ])
  return {
    card: cardOf,
    attempt: withinHops(
      hopOf(ports, "a2a", name),
      bridge({
        agent: {
          card: (_, { exchange, request }) => cardOf(exchange, request),
          linesFor: () => lines,
        },
        clock,
        inner: () => Effect.fail({ _tag: "RouteNotFound" }),
        offers: spoken?.offers,
        // Tasks that the gateway keeps itself are kept apart where they are.
        owners: undefined,
        guard: guard === undefined ? undefined : compileGuard(guard, policyPorts),
        seal,
        desk: push === undefined ? undefined : new Desk(push, name),
        run: agents.run,
        replicas: () => [],
        ownerOf,
      }),
    ),
  }
}
