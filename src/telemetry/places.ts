/** Where exchanges and connections end, as the configuration names it: made once for each place of a plan. */
import * as Attachments from "../../ir/attachments.ts"
import { requestFrontendPolicies } from "../../ir/effective.ts"
import type { BindKey } from "../../ir/Key.ts"
import type { RouteName } from "../../ir/Route.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { CompiledBind, CompiledListener, CompiledRoute, Live, Plan } from "../../stages/Plan.ts"
import { everyField, fieldsWithout, type LineWriter, type Place } from "./accessLog.ts"
import type { HttpSeries } from "./Counting.ts"
import type { ModelSeries } from "./ModelSeries.ts"
import { unknown } from "./Registry.ts"

/** A route, or the lack of one, as everything that ended there has in common. */
export interface PlaceFacts {
  /** Whose route it is a place of: a route may be taken under other plans, too. */
  readonly of: ListenerFacts | undefined
  readonly labels: readonly [bind: string, gateway: string, listener: string, route: string, rule: string]
  readonly named: Place
  readonly text: string
  readonly fields: number
  /** By backend, then by how an exchange ended. */
  readonly backends: Map<string | undefined, Map<number | string, HttpSeries>>
  /** What the last exchange was counted by: of most places most exchanges end alike. */
  latest: HttpSeries | undefined
  /** By operation, provider and models. */
  readonly models: Map<string, ModelSeries>
}

interface ListenerFacts {
  readonly none: PlaceFacts
  readonly routes: Map<CompiledRoute, PlaceFacts>
}

interface PlanFacts {
  readonly attachments: () => Attachments.Attachments
  readonly listeners: Map<CompiledListener, ListenerFacts>
  /** Where no listener took the exchange. */
  readonly binds: Map<BindKey, PlaceFacts>
}

export const gatewayOf = ({ ir }: CompiledListener): string => `${ir.name.gatewayNamespace}/${ir.name.gatewayName}`

export const routeOf = (name: RouteName): string => `${name.namespace}/${name.name}`

export class Places {
  private readonly writer: LineWriter
  private readonly plans = new WeakMap<Plan, PlanFacts>()
  private readonly transports = new WeakMap<Plan, Map<string, ReadonlyArray<string>>>()
  /** What happens before an exchange begins is named after the plan that serves. */
  live: Live | undefined

  constructor(writer: LineWriter) {
    this.writer = writer
  }

  of(exchange: Exchange): PlaceFacts {
    const { plan, trail } = exchange
    const facts = this.plans.get(plan) ?? this.factsOf(plan)
    const bind = exchange.bound.secured.accepted.bind
    const { bound } = exchange
    const listener = trail.listener ?? (bound.listener === undefined ? undefined : plan.listeners.get(bound.listener))
    if (listener === undefined) return facts.binds.get(bind) ?? this.bindPlace(plan, facts, bind)
    const known = facts.listeners.get(listener) ?? this.listenerFacts(plan, facts, bind, listener)
    const { route } = trail
    if (route === undefined) return known.none
    const latest = route.place as PlaceFacts | undefined
    if (latest !== undefined && latest.of === known) return latest
    const place = known.routes.get(route) ?? this.routePlace(known, listener, route)
    route.place = place
    return place
  }

  private factsOf(plan: Plan): PlanFacts {
    let attachments: Attachments.Attachments | undefined
    const facts: PlanFacts = {
      attachments: () =>
        (attachments ??= plan.heritage?.attachments ?? Attachments.make(plan.snapshot.attachments.values())),
      listeners: new Map(),
      binds: new Map(),
    }
    this.plans.set(plan, facts)
    return facts
  }

  private bindPlace(plan: Plan, facts: PlanFacts, bind: BindKey): PlaceFacts {
    const gateway = transportOf(plan.binds.get(bind), plan, undefined)[1] as string
    const place = this.place(
      bind,
      { gateway: shown(gateway), listener: undefined, rule: undefined, route: undefined },
      everyField,
    )
    facts.binds.set(bind, place)
    return place
  }

  private listenerFacts(plan: Plan, facts: PlanFacts, bind: BindKey, listener: CompiledListener): ListenerFacts {
    const address = plan.binds.get(bind)?.ir.address
    const port = address?._tag === "Ip" || address?._tag === "Internal" ? address.port : undefined
    const policies = requestFrontendPolicies(facts.attachments(), { listener: listener.ir, port })
    // What is computed takes the place of what the gateway would write itself.
    const fields = fieldsWithout([...(policies.AccessLog?.fields.remove ?? []), ...(listener.recording?.names ?? [])])
    const named = { gateway: gatewayOf(listener), listener: listener.ir.name.listenerName }
    const known: ListenerFacts = {
      none: this.place(bind, { ...named, rule: undefined, route: undefined }, fields),
      routes: new Map(),
    }
    facts.listeners.set(listener, known)
    return known
  }

  private routePlace(known: ListenerFacts, listener: CompiledListener, route: CompiledRoute): PlaceFacts {
    const { name } = route.ir
    const place = this.place(
      known.none.labels[0],
      {
        gateway: gatewayOf(listener),
        listener: listener.ir.name.listenerName,
        rule: name.ruleName,
        route: routeOf(name),
      },
      known.none.fields,
      known,
    )
    known.routes.set(route, place)
    return place
  }

  private place(bind: string, named: Place, fields: number, of?: ListenerFacts): PlaceFacts {
    const { gateway = unknown, listener = unknown, route = unknown, rule = unknown } = named
    return {
      of,
      labels: [bind, gateway, listener, route, rule],
      named,
      text: this.writer.place(named, fields),
      fields,
      backends: new Map(),
      latest: undefined,
      models: new Map(),
    }
  }

  /** Which fields are written of what ends at a listener and is no exchange. */
  fieldsAt(plan: Plan, bind: BindKey, listener: CompiledListener): number {
    const facts = this.plans.get(plan) ?? this.factsOf(plan)
    return (facts.listeners.get(listener) ?? this.listenerFacts(plan, facts, bind, listener)).none.fields
  }

  /** The transport labels of a bind, by the listener when one is known. */
  transport(bind: BindKey, listener: CompiledListener | undefined): ReadonlyArray<string> {
    const plan = this.live?.current
    if (plan === undefined) return [bind]
    let known = this.transports.get(plan)
    if (known === undefined) this.transports.set(plan, (known = new Map()))
    const key = listener === undefined ? bind : `${bind} ${listener.ir.key}`
    let labels = known.get(key)
    if (labels === undefined)
      known.set(key, (labels = [bind, ...transportOf(plan.binds.get(bind), plan, listener).slice(1)]))
    return labels
  }
}

const shown = (label: string): string | undefined => (label === unknown ? undefined : label)

/** Bind, gateway, listener and protocol, as far as all listeners of the bind agree on them. */
const transportOf = (
  bind: CompiledBind | undefined,
  plan: Plan,
  listener: CompiledListener | undefined,
): ReadonlyArray<string> => {
  if (bind === undefined) return [unknown, unknown, unknown, unknown]
  const listeners =
    listener === undefined ? [...plan.listeners.values()].filter(({ ir }) => ir.bind === bind.ir.key) : [listener]
  const agreed = (of: (listener: CompiledListener) => string): string => {
    const all = new Set(listeners.map(of))
    return all.size === 1 ? ([...all][0] as string) : unknown
  }
  return [
    bind.ir.key,
    agreed(gatewayOf),
    agreed(({ ir }) => ir.name.listenerName),
    agreed(({ ir }) => ir.protocol.toLowerCase()),
  ]
}
