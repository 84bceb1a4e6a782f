/**
 * Which tasks clients with sessions have begun: servers of newer kinds do not list them. It is known to all workers, and
 * to all gateways that share a database and a key.
 */
import * as Effect from "effect/Effect"
import type { Json } from "../../../protocols/mcp/json.ts"
import type { Sealer } from "../../ports/Sealer.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Kept, Place } from "./Kept.ts"
import { limits } from "./limits.ts"

export interface Begun {
  /** As its client knows it. */
  readonly id: string
  /** Where nobody but the gateway has it: the result, in the client's own words. */
  readonly result?: Json | undefined
  /** There, too: the tool it came of, as clients call it, and the scopes it was called with. */
  readonly of?: { readonly tool: string; readonly scopes: ReadonlyArray<string> } | undefined
  /** As it was seen last. */
  readonly task: Json
  /** By the wall clock. */
  readonly untilMillis: number
}

/** Whose tasks, and of which backend. */
export interface Owner {
  readonly key: string
  readonly principal: string
  /** Tells those apart who proved nothing of themselves: they have only this in common with their earlier selves. */
  readonly session: string
  readonly isNobody: boolean
}

export class TaskIndex {
  private readonly kept: Kept
  private readonly clock: Pick<Clock, "wallMillis">
  private readonly sealer: Pick<Sealer, "mark" | "secret">

  constructor(kept: Kept, { clock, sealer }: { readonly clock: Clock; readonly sealer: Sealer }) {
    this.kept = kept
    this.clock = clock
    this.sealer = sealer
  }

  /** A name for what no server has a name for. */
  freshId(): string {
    return this.sealer.secret()
  }

  /** Completes when it is written down: whoever is told of a task finds it afterwards. */
  enter(owner: Owner, begun: Omit<Begun, "untilMillis">, ttlMillis: number | undefined): Effect.Effect<void> {
    const untilMillis =
      this.clock.wallMillis() + Math.min(ttlMillis ?? limits.unlimitedTaskMillis, limits.taskMillisMax)
    return this.moved(owner, { ...begun, untilMillis })
  }

  /** It is known by now that it is in another state. */
  moved(owner: Owner, begun: Begun): Effect.Effect<void> {
    return this.kept.put({ ...placeOf(owner), name: begun.id }, begun, begun.untilMillis)
  }

  /** What only the gateway has; tasks of servers, whose names say where to ask, need no looking up. */
  get(owner: Owner, id: string): Effect.Effect<Begun | undefined> {
    return id.startsWith(this.sealer.mark) && this.sealer.mark !== ""
      ? Effect.succeed(undefined)
      : Effect.map(this.kept.find<Begun>({ ...placeOf(owner), name: id }), (found) => found?.value)
  }

  /** The oldest first. */
  of(owner: Owner): Effect.Effect<ReadonlyArray<Begun>> {
    return this.kept.list<Begun>(placeOf(owner))
  }

  /** Whom a session was all there was of is gone with it, and nobody else can ask. */
  leave(owner: Owner): Effect.Effect<void> {
    return owner.isNobody ? this.kept.clear(placeOf(owner)) : Effect.void
  }

  forget(owner: Owner, id: string): Effect.Effect<void> {
    return this.kept.remove({ ...placeOf(owner), name: id })
  }
}

const placeOf = ({ isNobody, key, principal, session }: Owner): Omit<Place, "name"> => ({
  kind: "task",
  owner: isNobody ? `${principal} ${session} ${key}` : `${principal} ${key}`,
})
