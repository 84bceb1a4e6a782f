/** Raw connections to a backend. */
import * as Effect from "effect/Effect"
import type { TcpRoute } from "../../ir/TcpRoute.ts"
import type { Bound } from "../Connection.ts"
import type { CompiledTcpRoute } from "../Plan.ts"
import type { Socket } from "../ports/Network.ts"
import type { UpstreamFailure } from "../ports/Upstream.ts"
import { message } from "../Refusal.ts"
import type { Setting } from "../Setting.ts"
import { choose } from "./balance.ts"
import { toText } from "../../ir/cel/toJson.ts"
import type { Expression } from "../../ir/Expression.ts"
import { parseAuthority, unbracket } from "../../protocols/http/authority.ts"
import { expressionsOf } from "../5-policy/expression/expressionsOf.ts"
import { Facts } from "../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import type { EndpointFamily, EndpointHandle } from "./Endpoints.ts"
import { isOwn } from "./loop.ts"
import { obstacle, templateOf } from "./template.ts"
import type { DispatchPorts } from "./ports.ts"
import { resolve, type Resolved } from "./resolve.ts"

export interface Dialled {
  readonly socket: Socket
  readonly endpoint: string
}

export interface TcpTarget {
  /** As the journal names it. */
  readonly name: string
  readonly dial: (bound: Bound) => Effect.Effect<Dialled, UpstreamFailure>
}

const refused = (text: string): Effect.Effect<Dialled, UpstreamFailure> =>
  Effect.fail({ _tag: "ConnectFailed", message: text })

const dialled = (handle: EndpointHandle): Effect.Effect<Dialled, UpstreamFailure> =>
  Effect.suspend(() => {
    const endpoint = handle.get()
    return Effect.map(endpoint.dial, (socket) => ({ socket, endpoint: endpoint.label }))
  })

const noServerName = refused("the client named no server, so there is nowhere to go")
const loop = refused("loop detected")
const noHealthyBackends = refused("no healthy backends")

const notRaw = refused("an agent runtime speaks HTTP only")
const uncomputed = refused("the target could not be computed")

const computedTarget = (name: string, ports: PolicyPorts, target: Expression, family: EndpointFamily): TcpTarget => {
  const expressions = expressionsOf(ports)
  const computed = expressions.compile(target, "tcpTarget", "target")
  return {
    name,
    dial: (bound) => {
      const facts = Facts.connection(expressions.around, bound.secured, undefined)
      const said = computed.as(facts, (value) => parseAuthority(toText(value) ?? ""))
      if (said?.port === undefined) return uncomputed
      const host = unbracket(said.host)
      return isOwn(bound, host, said.port) ? loop : dialled(family.toNamed(host, said.port))
    },
  }
}

export const tcpTarget = (ports: DispatchPorts, policyPorts: PolicyPorts, resolved: Resolved): TcpTarget => {
  const { clock, endpoints } = ports
  const { name, policies, where } = resolved
  if (where._tag === "Nowhere" || where._tag === "Llm" || where._tag === "Agents") {
    const failed = refused(message(where._tag === "Nowhere" ? where.refusal : { _tag: "InvalidBackendType" }))
    return { name, dial: () => failed }
  }
  if (where._tag === "Mcp") {
    const failed = refused("an MCP backend is no place for a raw connection")
    return { name, dial: () => failed }
  }
  const template =
    policies.SessionAffinity !== undefined || policies.Health?.unhealthyExpression !== undefined
      ? "SessionAffinity and the expression of Health cannot be applied to raw connections"
      : (obstacle(policies) ?? templateOf(ports, resolved))
  if (typeof template === "string") {
    const failed = refused(template)
    return { name, dial: () => failed }
  }
  const family = endpoints.family(template)
  switch (where._tag) {
    case "Host": {
      const handle = family.to(where.target)
      return { name, dial: () => dialled(handle) }
    }
    case "Dynamic": {
      const { target } = where
      if (target !== undefined) return computedTarget(name, policyPorts, target, family)
      return {
        name,
        dial: ({ secured }) => {
          const host = secured.tls?.serverName ?? ""
          const { port } = secured.accepted.local
          if (host === "") return noServerName
          return isOwn({ secured, listener: undefined }, host, port) ? loop : dialled(family.toNamed(host, port))
        },
      }
    }
    case "AgentCore":
      return { name, dial: () => notRaw }
    case "Service":
      return {
        name,
        dial: () => {
          const member = choose(where.endpoints, clock.nowMillis(), clock.random, undefined)
          if (member === undefined) return noHealthyBackends
          const { vitals } = member
          const startedMillis = clock.nowMillis()
          vitals.pending++
          return Effect.onExit(dialled(family.to(member.target)), (exit) => {
            vitals.pending--
            if (exit._tag === "Success") {
              vitals.measured(clock.nowMillis() - startedMillis)
              vitals.succeeded()
            } else if (exit.cause.reasons.some(({ _tag }) => _tag === "Fail")) {
              vitals.failed(policies.Health?.eviction, {
                nowMillis: clock.nowMillis(),
                drawn: clock.random(),
                hintMillis: undefined,
                backoffMillis: undefined,
              })
            }
            return Effect.void
          })
        },
      }
  }
}

/** Compiled when the first connection takes it. */
export const compileTcp = (setting: Setting, route: TcpRoute): CompiledTcpRoute => {
  let targets: CompiledTcpRoute["targets"] | undefined
  return {
    ir: route,
    get targets() {
      return (targets ??= route.backends.map(({ backend, policies, weight }) => ({
        weight,
        target: tcpTarget(setting.dispatch, setting.policies, resolve(setting, [route], backend, policies)),
      })))
    },
  }
}
