/** What an administrator may see of a running gateway, and do to it, beyond its configuration. */
import * as Effect from "effect/Effect"
import type { Endpoints } from "../stages/6-dispatch/Endpoints.ts"
import type { Member } from "../stages/6-dispatch/balance.ts"
import type { Remembered } from "./Spoken.ts"
import type { BindKey } from "../ir/Key.ts"
import { Headers } from "../protocols/http/headers.ts"
import { type Examination, unwell } from "../stages/6-dispatch/Examination.ts"
import { empty } from "../stages/Body.ts"
import { Exchange, Request } from "../stages/Exchange.ts"
import type { Plan } from "../stages/Plan.ts"
import type { Address } from "../stages/Connection.ts"
import type { Socket } from "../stages/ports/Network.ts"
import type { HostTarget } from "../ir/Backend.ts"
import type { Clock } from "../stages/ports/Timer.ts"
import type { EndpointSpec, Upstream } from "../stages/ports/Upstream.ts"

/** A place the gateway sends to, and how it is doing. */
export interface TargetState {
  /** `host:port`, the path of a socket, or `backend/name` of a server behind MCP. */
  readonly target: string
  readonly kind: "endpoint" | "service" | "mcp" | "llm"
  /** Of which service it is an endpoint, or to which backend it belongs. */
  readonly service?: string
  readonly isTls?: boolean
  /** From 0 to 1. */
  readonly health?: number
  readonly latencyMillis?: number
  readonly pending?: number
  readonly failures?: number
  /** Left out of the choice for so long; absent: it takes part. */
  readonly evictedMillis?: number
  /** Left out for as long as it says that it is not well. */
  readonly isDown?: boolean
}

export interface SessionState {
  /** Names the session to administrators only: whoever knows the name that its client has, has the session. */
  readonly id: string
  readonly backend: string
  readonly revision: string
  readonly client: unknown
  /** Tells holders apart, and says nothing about them. */
  readonly principal: string
  readonly idleMillis: number
  readonly running: number
  readonly streams: number
  readonly subscriptions: number
}

export interface CacheState {
  readonly name: string
  readonly entries: number
}

export interface Probed {
  readonly target: string
  /** An `endpoint` is connected to; whoever speaks a protocol is asked in it. */
  readonly kind: "endpoint" | Examination["kind"]
  readonly isTls?: boolean
  readonly millis: number
  /** What it said of itself. */
  readonly says?: string
  /** Why it cannot be reached; absent where it can. */
  readonly error?: string
}

export interface Desk {
  readonly targets: () => ReadonlyArray<TargetState>
  readonly sessions: () => ReadonlyArray<SessionState>
  /** False: there is no such session here. */
  readonly endSession: (id: string) => boolean
  readonly caches: () => ReadonlyArray<CacheState>
  /** All of them unless named; how many were emptied. */
  readonly clearCaches: (name: string | undefined) => number
  /** Connections are made anew, and whoever was left out is given another chance; how many targets that were. */
  readonly reconnect: (target: string) => number
  /** Connects to every open target of that name, or to all, and asks those that speak a protocol how they are. */
  readonly probe: (target: string | undefined) => Effect.Effect<ReadonlyArray<Probed>>
}

export interface DeskParts {
  readonly clock: Clock
  readonly endpoints: Endpoints
  readonly open: Upstream["Service"]["open"]
  /** Of models, tools and agents, as far as there are any. */
  readonly remembered: Remembered
  /** The endpoints of services that somebody has asked for. */
  readonly members: () => Iterable<{ readonly member: Member; readonly service: string }>
  readonly digest: (text: string) => string
  readonly plan: () => Plan
}

/** Where nobody is: the gateway asks for itself, and not for a client. */
const nobody: Address = { host: "127.0.0.1", port: 0 }
const gone = { _tag: "SocketClosed", reason: "ended", message: "there is no client" } as const
const noSocket: Socket = {
  peer: nobody,
  local: nobody,
  peek: () => Effect.fail(gone),
  skip: () => {},
  secure: () => Effect.fail({ _tag: "HandshakeFailed", reason: "closed", message: gone.message }),
  http: () => {
    throw new Error(gone.message)
  },
  relay: () => Effect.succeed({ sentBytes: 0, receivedBytes: 0, error: gone.message }),
  keepAlive: () => {},
  closed: Effect.void,
  destroy: () => {},
}

const ownExchange = (plan: Plan, nowMillis: number): Exchange => {
  const bind = "admin" as BindKey
  const accepted = { bind, socket: noSocket, peer: nobody, local: nobody, rawPeer: nobody, acceptedMillis: nowMillis }
  const bound = { secured: { accepted, socket: noSocket, tls: undefined }, listener: undefined }
  const request = new Request("GET", "http", "", "", "/", undefined, "1.1", new Headers(), empty, undefined)
  return new Exchange(plan, bound, request, nowMillis, undefined, undefined)
}

/** Targets that are connected to at once, and how long each may take. */
const probesMax = 16
const probeMillis = 5_000

const targetText = (target: HostTarget): string =>
  target._tag === "Unix"
    ? target.path
    : `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`

const stateOf = (
  { evictedUntilMillis, failures, health, isDown, latencySeconds, pending }: Member["vitals"],
  nowMillis: number,
): Omit<TargetState, "target" | "kind"> => ({
  health,
  latencyMillis: latencySeconds * 1000,
  pending,
  failures,
  ...(isDown ? { isDown } : {}),
  ...(evictedUntilMillis > nowMillis ? { evictedMillis: evictedUntilMillis - nowMillis } : {}),
})

const parsed = (json: string | undefined): unknown => (json === undefined ? undefined : (JSON.parse(json) as unknown))

export const makeDesk = ({ clock, digest, endpoints, members, open, plan, remembered }: DeskParts): Desk => {
  const mcpMembers = () => remembered.mcp?.known() ?? []
  const models = () => remembered.llm?.all() ?? []
  const mcpSessions = () => remembered.mcp?.sessions.values() ?? []
  const idOf = (uid: string): string => digest(`session ${uid}`).slice(0, 16)

  const examine = (current: Plan, { ask, kind, target }: Examination): Effect.Effect<Probed> =>
    Effect.suspend(() => {
      const startedMillis = clock.nowMillis()
      const asked = Effect.timeoutOrElse(ask(ownExchange(current, startedMillis)), {
        duration: probeMillis,
        orElse: () => Effect.succeed(unwell(`no answer within ${probeMillis} ms`)),
      })
      return Effect.map(asked, (found): Probed => ({
        target,
        kind,
        millis: clock.nowMillis() - startedMillis,
        ...(found._tag === "Well" ? { says: found.says } : { error: found.why }),
      }))
    })

  const probeOne = (spec: EndpointSpec): Effect.Effect<Probed> =>
    Effect.suspend(() => {
      const startedMillis = clock.nowMillis()
      const endpoint = open(spec)
      const told = { target: targetText(spec.target), kind: "endpoint", isTls: spec.tls !== undefined } as const
      const dialled = Effect.match(endpoint.dial, {
        onFailure: ({ message }): string | undefined => message,
        onSuccess: (socket): string | undefined => {
          socket.destroy()
          return undefined
        },
      })
      return Effect.map(
        Effect.ensuring(
          Effect.timeoutOrElse(dialled, {
            duration: probeMillis,
            orElse: () => Effect.succeed<string | undefined>(`no connection within ${probeMillis} ms`),
          }),
          Effect.sync(() => endpoint.close()),
        ),
        (error): Probed => ({
          ...told,
          millis: clock.nowMillis() - startedMillis,
          ...(error === undefined ? {} : { error }),
        }),
      )
    })

  const caches: ReadonlyArray<{
    readonly name: string
    readonly entries: () => number
    readonly clear: () => void
  }> = [
    {
      name: "mcp-lists",
      entries: () => [...mcpMembers()].reduce((sum, { member }) => sum + member.kept, 0),
      clear: () => {
        for (const { member } of mcpMembers()) member.forget()
      },
    },
    {
      name: "agent-cards",
      entries: () => remembered.agents?.cardCount ?? 0,
      clear: () => remembered.agents?.forgetCards(),
    },
  ]

  return {
    targets: () => {
      const now = clock.nowMillis()
      return [
        ...endpoints.list().map((spec): TargetState => ({
          target: targetText(spec.target),
          kind: "endpoint",
          isTls: spec.tls !== undefined,
        })),
        ...Array.from(members(), ({ member, service }): TargetState => ({
          target: targetText(member.target),
          kind: "service",
          service,
          ...stateOf(member.vitals, now),
        })),
        ...Array.from(mcpMembers(), ({ backend, member }): TargetState => ({
          target: `${backend}/${member.name}`,
          kind: "mcp",
          service: backend,
          failures: member.failuresInRow,
          ...(member.suspendedMillis > 0 ? { evictedMillis: member.suspendedMillis } : {}),
        })),
        ...Array.from(models(), ([target, vitals]): TargetState => ({ target, kind: "llm", ...stateOf(vitals, now) })),
      ]
    },
    sessions: () => {
      const now = clock.nowMillis()
      return Array.from(mcpSessions(), (session): SessionState => ({
        id: idOf(session.identity.uid),
        backend: session.identity.key,
        revision: session.identity.revision,
        client: parsed(session.identity.clientInfo),
        principal: digest(session.principal).slice(0, 12),
        idleMillis: now - session.usedMillis,
        running: session.running.size,
        streams: session.open.size,
        subscriptions: session.subscribed.size,
      }))
    },
    endSession: (id) => {
      for (const session of mcpSessions()) {
        if (idOf(session.identity.uid) !== id) continue
        remembered.mcp?.leave(session)
        return true
      }
      return false
    },
    caches: () => caches.map(({ entries, name }) => ({ name, entries: entries() })),
    clearCaches: (name) => {
      const wanted = caches.filter((one) => name === undefined || one.name === name)
      for (const one of wanted) one.clear()
      return wanted.length
    },
    reconnect: (target) => {
      let count = endpoints.reopen((spec) => targetText(spec.target) === target)
      for (const { member } of members()) {
        if (targetText(member.target) !== target) continue
        member.vitals.restore()
        count++
      }
      for (const { backend, member } of mcpMembers()) {
        if (`${backend}/${member.name}` !== target) continue
        member.reconsider()
        count++
      }
      for (const [id, vitals] of models()) {
        if (id !== target) continue
        vitals.restore()
        count++
      }
      return count
    },
    probe: (target) => {
      const wanted = new Map<string, EndpointSpec>()
      for (const spec of endpoints.list()) {
        const text = targetText(spec.target)
        if (target === undefined || text === target) wanted.set(`${text} ${spec.tls === undefined ? "" : "tls"}`, spec)
      }
      const current = plan()
      const asked = Array.from(current.callees.examinations?.() ?? []).filter(
        (one) => target === undefined || one.target === target,
      )
      const all = [...Array.from(wanted.values(), probeOne), ...asked.map((one) => examine(current, one))]
      return Effect.all(all, { concurrency: probesMax })
    },
  }
}
