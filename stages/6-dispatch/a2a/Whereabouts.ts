/**
 * Who has which task: a task lives where it was begun, so whoever asks for it has to be led there. What is asked for is
 * remembered longest; what was forgotten here, or begun by way of another gateway, is looked up where all of them write
 * it down. What nobody knows is found by chance or not at all, which the agent then says.
 */
import * as Effect from "effect/Effect"
import type { Places, PlacesFailure } from "../../ports/Places.ts"
import type { Clock } from "../../ports/Timer.ts"

/** How many tasks and contexts are remembered. */
const WHEREABOUTS_MAX = 65_536
/** How old what is written down may get before it is written again, so that it is not forgotten while it is used. */
const REWRITE_MILLIS = 3_600_000
/** How long a look-up may take; a task that is asked about without it may still be found. */
const SEEK_MILLIS_MAX = 2_000
const SWEEP_MILLIS = 600_000

/** How often it is tried, since whoever asks is waiting. */
const WRITE_TRIES_MAX = 4
const SEEK_TRIES_MAX = 2
const RETRY_MILLIS = 100

const again = <A>(effect: Effect.Effect<A, PlacesFailure>, tries: number): Effect.Effect<A, PlacesFailure> =>
  tries <= 1 ? effect : Effect.catch(effect, () => Effect.delay(again(effect, tries - 1), RETRY_MILLIS))

interface Known {
  readonly place: string
  readonly writtenMillis: number
}

export interface Kept {
  readonly places: Places
  readonly clock: Pick<Clock, "nowMillis" | "wallMillis">
}

const nameOf = (group: string, kind: "task" | "context", id: string): string => `${group}\0${kind}\0${id}`

/** Databases take no NUL in texts. */
const written = (name: string): string => JSON.stringify(name.split("\0"))

export class Whereabouts {
  private readonly known = new Map<string, Known>()
  private readonly kept: Kept | undefined
  private sweptMillis = -Infinity
  private isBroken = false

  constructor(kept?: Kept) {
    this.kept = kept
  }

  get size(): number {
    return this.known.size
  }

  /** Undefined: there is nothing to be written down. */
  note(
    group: string,
    place: string,
    taskId: string | undefined,
    contextId: string | undefined,
  ): Effect.Effect<void> | undefined {
    const now = this.kept?.clock.nowMillis() ?? 0
    const names = namesOf(group, taskId, contextId)
    const fresh = names.filter((name) => {
      const before = this.known.get(name)
      const isWritten = before?.place === place && now - before.writtenMillis < REWRITE_MILLIS
      this.remember(name, { place, writtenMillis: isWritten ? before.writtenMillis : now })
      return !isWritten
    })
    return fresh.length === 0 || this.kept === undefined ? undefined : this.write(this.kept, fresh, place)
  }

  /** Of a task, else of the context it belongs to, as far as it is known here. */
  of(group: string, taskId: string | undefined, contextId: string | undefined): string | undefined {
    for (const name of namesOf(group, taskId, contextId)) {
      const known = this.known.get(name)
      if (known === undefined) continue
      this.remember(name, known)
      return known.place
    }
    return undefined
  }

  /** Undefined: nothing more can be found out than `of` says. `away` is the answer where nobody can be asked. */
  seek(
    group: string,
    taskId: string | undefined,
    contextId: string | undefined,
    away?: string,
  ): Effect.Effect<string | undefined> | undefined {
    const names = namesOf(group, taskId, contextId)
    const { kept } = this
    if (kept === undefined || names.length === 0) return undefined
    const first = (places: ReadonlyMap<string, string>): string | undefined => {
      const name = names.find((one) => places.has(one))
      return name === undefined ? undefined : places.get(name)
    }
    return this.ask(kept, names, first, () => away)
  }

  /** Of many tasks at once: what is not known here is looked up in one go; `away` stands for what nobody can be asked. */
  tasks(group: string, ids: ReadonlyArray<string>, away?: string): Effect.Effect<ReadonlyMap<string, string>> {
    const found = new Map<string, string>()
    const missing = new Map<string, string>()
    for (const id of ids) {
      const place = this.of(group, id, undefined)
      if (place === undefined) missing.set(nameOf(group, "task", id), id)
      else found.set(id, place)
    }
    const { kept } = this
    if (kept === undefined || missing.size === 0) return Effect.succeed(found)
    const withFound = (places: ReadonlyMap<string, string>): ReadonlyMap<string, string> => {
      for (const [name, id] of missing) {
        const place = places.get(name)
        if (place !== undefined) found.set(id, place)
      }
      return found
    }
    const unanswered = (): ReadonlyMap<string, string> => {
      if (away === undefined) return found
      return new Map([...found, ...[...missing.values()].map((id) => [id, away] as const)])
    }
    return this.ask(kept, [...missing.keys()], withFound, unanswered)
  }

  /** What is written down about names, which is remembered; `unanswered` stands for it where nobody answers in time. */
  private ask<A>(
    { clock, places }: Kept,
    names: ReadonlyArray<string>,
    answered: (found: ReadonlyMap<string, string>) => A,
    unanswered: () => A,
  ): Effect.Effect<A> {
    const sought = Effect.map(again(places.find(names.map(written)), SEEK_TRIES_MAX), (known) => {
      this.isBroken = false
      const writtenMillis = clock.nowMillis()
      const found = new Map<string, string>()
      for (const name of names) {
        const place = known.get(written(name))
        if (place === undefined) continue
        this.remember(name, { place, writtenMillis })
        found.set(name, place)
      }
      return answered(found)
    })
    return Effect.catch(sought, (failure) => Effect.map(this.broken(failure), unanswered)).pipe(
      Effect.timeoutOrElse({ duration: SEEK_MILLIS_MAX, orElse: () => Effect.sync(unanswered) }),
    )
  }

  private write({ clock, places }: Kept, names: ReadonlyArray<string>, place: string): Effect.Effect<void> {
    const noted = places.note(new Map(names.map((name) => [written(name), place])), clock.wallMillis())
    const now = clock.nowMillis()
    const isDue = now - this.sweptMillis >= SWEEP_MILLIS
    if (isDue) this.sweptMillis = now
    const done = isDue ? Effect.andThen(noted, places.sweep(clock.wallMillis())) : noted
    return Effect.catch(again(done, WRITE_TRIES_MAX), (failure) => {
      // Written the next time it is heard of.
      for (const name of names) this.remember(name, { place, writtenMillis: -Infinity })
      return this.broken(failure)
    })
  }

  /** Said once, however long it lasts; until then what is remembered has to do. */
  private broken({ message }: PlacesFailure): Effect.Effect<void> {
    if (this.isBroken) return Effect.void
    this.isBroken = true
    return Effect.logWarning(`Where tasks live cannot be written down now: ${message}`)
  }

  private remember(name: string, known: Known): void {
    this.known.delete(name)
    this.known.set(name, known)
    if (this.known.size <= WHEREABOUTS_MAX) return
    for (const oldest of this.known.keys()) {
      this.known.delete(oldest)
      return
    }
  }
}

const namesOf = (group: string, taskId: string | undefined, contextId: string | undefined): ReadonlyArray<string> => [
  ...(taskId === undefined ? [] : [nameOf(group, "task", taskId)]),
  ...(contextId === undefined ? [] : [nameOf(group, "context", contextId)]),
]
