/** What of MCP outlives a plan: targets with their sessions and caches, the sessions of clients, calls that wait for answers. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type { Exchange } from "../../Exchange.ts"
import { inMemory } from "../../ports/Keepsakes.ts"
import type { Passed } from "../../ports/Siblings.ts"
import type { McpTarget as Described } from "../../../ir/backend/Mcp.ts"
import { mcpTargets } from "../../../ir/backend/mcpTargets.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { DownSession } from "./down/DownSession.ts"
import type { ParkedCall } from "./down/ParkedCall.ts"
import { leaveTasks } from "./down/legacyTasks.ts"
import { keepFacts, listenFor, release } from "./down/sessions.ts"
import type { Neighbours } from "../lock/ServerLock.ts"
import { Member } from "./federation/Member.ts"
import { Ended } from "./Ended.ts"
import { limits } from "./limits.ts"
import type { McpEndpoint } from "./McpEndpoint.ts"
import type { McpRuntime } from "./McpRuntime.ts"
import { Kept } from "./Kept.ts"
import { TaskIndex } from "./TaskIndex.ts"
import type { McpTarget } from "./target/McpTarget.ts"
import type { Changed } from "./target/makeTarget.ts"

interface Place {
  readonly endpoint: McpEndpoint
  readonly exchange: Exchange
}

/** Makes what stands behind a target; where it cannot be made, the text says why. */
export type MakeTarget = (
  described: Described,
  runtime: McpRuntime,
  changed: Changed,
  neighbours: () => Neighbours,
) => McpTarget

interface Known {
  /** As the configuration has it, and with what holds for the whole backend at its place. */
  readonly raw: Described
  readonly described: Described
  readonly member: Member
}

/** Everybody who proved nothing is one principal, which has room for many. */
const sessionsMaxOf = (principal: string): number =>
  principal === "anonymous" ? limits.sessionsMax : limits.sessionsPerPrincipalMax
const listensMaxOf = (principal: string): number =>
  principal === "anonymous" ? limits.sessionsMax : limits.listensPerPrincipalMax

const sameTargets = (a: ReadonlyArray<Described>, b: ReadonlyArray<Described>): boolean =>
  a.length === b.length && a.every((one, i) => one === b[i] || Equal.equals(one, b[i]))

export class McpState {
  readonly runtime: McpRuntime
  readonly sessionIdleMillis: number
  readonly sessions = new Map<string, DownSession>()
  readonly parked = new Map<string, ParkedCall>()
  /** What outlives this worker. */
  readonly kept: Kept
  /** Whether others see what outlives this worker. */
  readonly isShared: boolean
  readonly tasks: TaskIndex
  /** What tasks were begun by here, that other workers may be asked for. */
  private taskPlaces = new Map<string, Place>()
  private readonly make: MakeTarget
  private readonly members = new Map<string, ReadonlyArray<Known>>()
  private readonly endpoints = new Map<DownSession, McpEndpoint>()
  private readonly byPrincipal = new Map<string, number>()
  private readonly listens = new Map<string, number>()
  private readonly watchers = new Map<string, Set<() => void>>()
  /** Ends streams that only wait. */
  private readonly ending = new Set<() => void>()
  private readonly ended = new Ended()
  private described: ReadonlyMap<string, ReadonlyArray<Described>> = new Map()
  private sweeping: (() => void) | undefined = undefined

  constructor(runtime: McpRuntime, make: MakeTarget, sessionIdleMillis: number = limits.sessionIdleMillis) {
    this.runtime = runtime
    this.kept = new Kept({ ...runtime, keepsakes: runtime.keepsakes ?? inMemory() })
    this.isShared = runtime.keepsakes !== undefined
    this.tasks = new TaskIndex(this.kept, runtime)
    this.sessionIdleMillis = sessionIdleMillis
    this.make = make
  }

  /** The same member as before where its description is the same; another one takes over its place, not its state. */
  member(backend: string, raw: Described, described: Described): Member {
    const key = `${backend} ${described.name}`
    const siblings = this.members.get(key) ?? []
    const known = siblings.find((one) => one.described === described || Equal.equals(one.described, described))
    if (known !== undefined) return known.member
    const member = new Member(described, this.runtime, (changed) =>
      this.make(described, this.runtime, changed, () => this.beside(backend, described.name)),
    )
    this.members.set(key, [...siblings, { raw, described, member }])
    return member
  }

  /** The other targets of a backend, and the tools they were seen to offer. */
  private beside(backend: string, name: string): Neighbours {
    const servers: Array<string> = []
    const tools: Array<string> = []
    for (const { backend: other, member } of this.known()) {
      if (other !== backend || member.name === name) continue
      servers.push(member.name)
      tools.push(...member.toolNames())
    }
    return { servers, tools }
  }

  /** Every target that somebody has asked for. */
  *known(): Generator<{ readonly backend: string; readonly member: Member }> {
    for (const [key, siblings] of this.members) {
      for (const { member } of siblings) yield { backend: key.slice(0, key.lastIndexOf(" ")), member }
    }
  }

  parkedBy(principal: string): number {
    let count = 0
    for (const call of this.parked.values()) if (call.principal === principal) count++
    return count
  }

  // Sessions ----------------------------------------------------------------------------------------------------------

  mayBegin(principal: string): boolean {
    return this.sessions.size < limits.sessionsMax && (this.byPrincipal.get(principal) ?? 0) < sessionsMaxOf(principal)
  }

  enter(session: DownSession, endpoint: McpEndpoint): void {
    this.sessions.set(session.name, session)
    this.endpoints.set(session, endpoint)
    this.byPrincipal.set(session.principal, (this.byPrincipal.get(session.principal) ?? 0) + 1)
    this.sweepSoon(endpoint.sessionIdleMillis)
  }

  /** Where something belongs that another worker was asked for, and the exchange it was last seen with. */
  placeOf({ _tag, name }: Passed["belongs"]): Place | undefined {
    if (_tag === "Call") return this.parked.get(name)?.place
    if (_tag === "Task") return this.taskPlaces.get(name)
    const session = this.sessions.get(name)
    const endpoint = session === undefined ? undefined : this.endpoints.get(session)
    return session === undefined || endpoint === undefined ? undefined : { endpoint, exchange: session.exchange }
  }

  hasTask(name: string): boolean {
    return this.taskPlaces.has(name)
  }

  /** A task is asked after here. */
  enterTask(name: string, place: Place): void {
    if (this.runtime.siblings === undefined) return
    if (this.taskPlaces.size >= limits.tasksMax) {
      const [oldest] = this.taskPlaces.keys()
      this.taskPlaces.delete(oldest as string)
    }
    this.taskPlaces.set(name, place)
  }

  /** A request of a session came by this endpoint, which may be that of a newer configuration. */
  at(session: DownSession, endpoint: McpEndpoint): void {
    const before = this.endpoints.get(session)
    if (before === undefined || before === endpoint) return
    this.endpoints.set(session, endpoint)
    if (session.listening !== undefined && before.federation !== endpoint.federation) {
      listenFor(endpoint, session, session.exchange)
    }
  }

  /** Whether a session of that name was here and has ended. */
  readonly hasEnded = (uid: string): boolean => this.ended.has(uid)

  /** The session is over: its calls are given up, and targets are told. */
  leave(session: DownSession): void {
    const endpoint = this.endpoints.get(session)
    if (endpoint === undefined) return
    this.endpoints.delete(session)
    this.sessions.delete(session.name)
    const left = (this.byPrincipal.get(session.principal) ?? 1) - 1
    if (left > 0) this.byPrincipal.set(session.principal, left)
    else this.byPrincipal.delete(session.principal)
    this.ended.add(session.identity.uid)
    session.close()
    this.runtime.run(Effect.andThen(leaveTasks(endpoint, session), release(endpoint, session)))
  }

  private sweepSoon(idleMillis: number): void {
    if (this.sweeping !== undefined) return
    this.sweeping = this.runtime.clock.after(Math.max(100, Math.min(idleMillis / 4, 30_000)), () => {
      this.sweeping = undefined
      const now = this.runtime.clock.nowMillis()
      for (const session of this.sessions.values()) {
        const patience = this.endpoints.get(session)?.sessionIdleMillis ?? idleMillis
        if (session.isBusy || now - session.usedMillis < patience) continue
        this.runtime.run(keepFacts(this, session, true))
        this.leave(session)
      }
      if (this.sessions.size > 0) this.sweepSoon(idleMillis)
    })
  }

  // Streams -----------------------------------------------------------------------------------------------------------

  /** `end` is called when the gateway is about to end. */
  enterListen(principal: string, end: () => void): boolean {
    const open = this.listens.get(principal) ?? 0
    if (open >= listensMaxOf(principal)) return false
    this.listens.set(principal, open + 1)
    this.ending.add(end)
    return true
  }

  leaveListen(principal: string, end: () => void): void {
    this.ending.delete(end)
    const left = (this.listens.get(principal) ?? 1) - 1
    if (left > 0) this.listens.set(principal, left)
    else this.listens.delete(principal)
  }

  /** Calls back when what stands behind a backend becomes something else. */
  watch(key: string, watcher: () => void): () => void {
    let watchers = this.watchers.get(key)
    if (watchers === undefined) this.watchers.set(key, (watchers = new Set()))
    watchers.add(watcher)
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0) this.watchers.delete(key)
    }
  }

  /** A new configuration serves: what it has no more is let go, and whoever depends on what it changed is told. */
  reconcile(snapshot: Pick<Snapshot, "backends" | "services">): void {
    const described = new Map<string, ReadonlyArray<Described>>()
    for (const backend of snapshot.backends.values()) {
      if (backend._tag === "Mcp") described.set(backend.key, mcpTargets(backend, snapshot.services))
    }
    for (const [key, siblings] of this.members) {
      const at = key.lastIndexOf(" ")
      const now = described.get(key.slice(0, at))?.find(({ name }) => name === key.slice(at + 1))
      const kept = siblings.filter(({ raw }) => now !== undefined && (now === raw || Equal.equals(now, raw)))
      if (kept.length === siblings.length) continue
      for (const one of siblings) if (!kept.includes(one)) one.member.close()
      if (kept.length === 0) this.members.delete(key)
      else this.members.set(key, kept)
    }
    for (const [key, targets] of described) {
      const before = this.described.get(key)
      if (before === undefined || sameTargets(before, targets)) continue
      for (const watcher of Array.from(this.watchers.get(key) ?? [])) watcher()
      for (const session of this.sessions.values()) if (session.identity.key === key) session.changed()
    }
    this.described = described
  }

  /** The gateway is about to end: whoever only waits is sent elsewhere. */
  readonly drain = (): void => {
    for (const end of Array.from(this.ending)) end()
    for (const session of this.sessions.values()) session.drain()
  }

  close(): void {
    this.sweeping?.()
    for (const call of this.parked.values()) call.expire()
    for (const session of this.sessions.values()) session.close()
    for (const siblings of this.members.values()) for (const { member } of siblings) member.close()
    this.members.clear()
  }
}
