/** A backend that is an agent: spoken to as clients speak, or with the gateway between them and it. */
import * as Effect from "effect/Effect"
import type { BackendPolicies } from "../../../ir/effective.ts"
import type { Fields } from "../../../protocols/a2a/Fields.ts"
import type { A2a } from "../../../ir/policy/A2a.ts"
import type { RemoteDocument } from "../../5-policy/RemoteDocument.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Reply } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"
import { principalOf } from "../mcp/callers.ts"
import { authorityOf } from "../authority.ts"
import { choose } from "../balance.ts"
import type { EndpointTemplate } from "../Endpoints.ts"
import { type DispatchPorts, hopOf } from "../ports.ts"
import type { Resolved, Where } from "../resolve.ts"
import type { Attempting } from "../Target.ts"
import { withinHops, withTask } from "./affinity.ts"
import { Agent, defaultCardPath } from "./Agent.ts"
import { bridge } from "./bridge.ts"
import type { Replica } from "./bridge/BridgePorts.ts"
import { type CardAt, CARD_MILLIS_MAX, fetchCard } from "./fetchCard.ts"
import { compile as compileGuard } from "./guard.ts"
import type { CardLock } from "./lock/CardLock.ts"
import { CardWatch } from "./lock/CardWatch.ts"
import { admitting, lockOf } from "./lock/lockOf.ts"
import { Desk } from "./push/Desk.ts"
import { ownersOf } from "./Owners.ts"
import { relay } from "./relay.ts"
import { Seal } from "./Seal.ts"

const unsigned: Effect.Effect<Reply, Refusal> = Effect.fail({
  _tag: "FilterFailed",
  detail: "cards can be neither verified nor signed here",
})

const unlockable: Effect.Effect<Reply, Refusal> = Effect.fail({
  _tag: "FilterFailed",
  detail: "no card can be under a lock here",
})

/** `reach` makes attempts at what is resolved, without speaking; `inner` those at the backend itself. */
export const speak = (
  ports: DispatchPorts,
  policyPorts: PolicyPorts,
  resolved: Resolved,
  policy: A2a,
  template: EndpointTemplate,
  reach: (resolved: Resolved) => Attempting,
  alone: Attempting,
): Attempting => {
  const { bridge: asked, card, guard } = policy
  const { agents, clock } = ports
  const { policies, where } = resolved
  const faithful = (attempting: Attempting): Attempting =>
    where._tag === "Service" && agents !== undefined
      ? withTask(resolved.name, agents.whereabouts, attempting)
      : attempting
  const inner = faithful(alone)
  const { gate } = policyPorts
  if (card !== undefined && gate === undefined) return () => unsigned
  const seal = card === undefined || gate === undefined ? undefined : new Seal(card, gate)
  const run = agents?.run
  const owners = ownersOf(ports, policyPorts, policy, resolved.name)
  const lock = lockOf(ports, resolved.name, policy)
  if (policy.lock !== undefined && lock === undefined) return () => unlockable
  const hop = hopOf(ports, "a2a", resolved.name)
  if (asked === undefined) {
    const watched = lock === undefined ? undefined : watchOf(ports, where, template, lock, seal)
    const relayed = relay(policyPorts.maxBufferBytes, seal, inner, run, owners, lock, watched)
    if (lock === undefined) return withinHops(hop, relayed)
    const admits = watched === undefined ? lock.admits : Effect.andThen(watched.used, lock.admits)
    return withinHops(
      hop,
      admitting(() => admits, relayed),
    )
  }
  const over2: BackendPolicies = {
    ...policies,
    BackendHttp: { ...(policies.BackendHttp ?? { _tag: "BackendHttp" }), version: "HTTP/2.0" },
  }
  const document = documentOf(ports, resolved, template, asked.cardPath)
  const agent = new Agent(asked, {
    seal,
    lock,
    home: where._tag === "Host" && where.target._tag === "Host" ? where.target : undefined,
    reach: (elsewhere, binding) =>
      elsewhere === undefined && binding !== "GRPC"
        ? inner
        : faithful(
            reach({
              ...resolved,
              where: elsewhere === undefined ? where : { _tag: "Host", target: { _tag: "Host", ...elsewhere } },
              policies: binding === "GRPC" ? over2 : policies,
            }),
          ),
    document,
    cameBy: (headers) => {
      if (document !== undefined) agents?.cameBy(document.url, headers)
    },
  })
  const push = agents?.push
  const bridged = bridge({
    agent: {
      card: (deadlineMillis, { request }) => agent.card(deadlineMillis, request.headers),
      linesFor: (deadlineMillis, { request }) => agent.linesFor(deadlineMillis, request.headers),
    },
    clock,
    inner,
    offers: asked.offers,
    owners,
    guard: guard === undefined ? undefined : compileGuard(guard, policyPorts),
    seal,
    lock,
    desk: push === undefined ? undefined : new Desk(push, resolved.name),
    run,
    replicas: replicasOf(where, (id) => gate?.cryptography.digest(id).slice(0, 12) ?? id),
    ownerOf: (exchange) =>
      gate === undefined ? "" : principalOf(exchange, { digest: (text) => gate.cryptography.sha256(text) }),
  })
  return withinHops(
    hop,
    lock === undefined
      ? bridged
      : admitting(({ exchange, request }) => agent.card(exchange.deadlineMillis, request.headers), bridged),
  )
}

/** Undefined where no one place can be asked for the card. */
const watchOf = (
  ports: DispatchPorts,
  where: Where,
  template: EndpointTemplate,
  lock: CardLock,
  seal: Seal | undefined,
): CardWatch | undefined => {
  const { agents, clock } = ports
  const at = agents === undefined ? undefined : cardOf(ports, where, template, defaultCardPath)
  return agents === undefined || at === undefined
    ? undefined
    : new CardWatch({
        lock,
        clock,
        run: agents.run,
        fetch: (path) => fetchCard(clock, { ...at, path }),
        believe: (card) =>
          seal === undefined ? Effect.succeed(card) : seal.verify(card, clock.nowMillis() + CARD_MILLIS_MAX),
      })
}

/** Looked up for each question: endpoints come and go. */
const replicasOf = (where: Where, nameOf: (id: string) => string) => (): ReadonlyArray<Replica> =>
  where._tag === "Service"
    ? where.endpoints.buckets.flatMap(({ members }) => members.map(({ id }) => ({ id, name: nameOf(id) })))
    : []

/** The card of an agent, kept for all who ask for it; undefined where no one place can be asked. */
export const documentOf = (
  ports: DispatchPorts,
  { where }: Resolved,
  template: EndpointTemplate,
  path: string | undefined,
): RemoteDocument<Fields> | undefined => {
  const { agents, clock } = ports
  const at = agents === undefined ? undefined : cardOf(ports, where, template, path ?? defaultCardPath)
  return agents === undefined || at === undefined
    ? undefined
    : agents.card(`${at.scheme}://${at.authority}${at.path}`, (chain) => fetchCard(clock, at, chain))
}

/** Where the card of a backend is; undefined where no one place can be asked. */
const cardOf = (
  { clock, endpoints }: DispatchPorts,
  where: Where,
  template: EndpointTemplate,
  path: string,
): CardAt | undefined => {
  const scheme = template.tls === undefined ? "http" : "https"
  const family = endpoints.family(template)
  if (where._tag === "Host") {
    const { target } = where
    const authority = authorityOf(target, scheme) ?? "localhost"
    return { scheme, authority, path, endpoint: () => family.to(target).get() }
  }
  if (where._tag !== "Service") return undefined
  const { endpoints: set, port, service } = where
  return {
    scheme,
    authority: authorityOf({ _tag: "Host", host: service.hostname, port }, scheme) ?? service.hostname,
    path,
    endpoint: () => {
      const member = choose(set, clock.nowMillis(), clock.random, undefined)
      return member === undefined ? undefined : family.to(member.target).get()
    },
  }
}
