/**
 * What the MCP gateway has to know of sessions and tasks when the worker that began them is gone: one place for all
 * workers, and all gateways that share a database. What is kept is sealed by whoever keeps it, and lies under names that
 * only those can make up who know what it belongs to.
 */
import * as Effect from "effect/Effect"

export interface KeepsakesFailure {
  readonly _tag: "KeepsakesFailure"
  readonly message: string
}

export type KeepsakeKind = "session" | "task"

export interface Keepsake {
  readonly id: string
  /** What is listed together, and bounded together. */
  readonly owner: string
  readonly kind: KeepsakeKind
  readonly text: string
  /** Nobody needs it any longer than that, by the wall clock. */
  readonly untilMillis: number
}

export interface Found {
  readonly text: string
  /** Another one after every change. */
  readonly version: number
}

/** Beyond, what was begun first is forgotten. */
export interface Bounds {
  /** Of one owner. */
  readonly owned: number
  readonly ownedChars: number
  /** Of one kind, whoever's it is. */
  readonly kept: number
  readonly keptChars: number
}

export const databaseBounds: Bounds = {
  owned: 256,
  ownedChars: 32 * 1024 * 1024,
  kept: 100_000,
  keptChars: 512 * 1024 * 1024,
}

const memoryBounds: Bounds = { ...databaseBounds, kept: 10_000, keptChars: 64 * 1024 * 1024 }

export interface Keepsakes {
  /** In place of what was there under that name, which keeps its place in the list. */
  readonly put: (keepsake: Keepsake, nowMillis: number) => Effect.Effect<void, KeepsakesFailure>
  /** As `put`, where there still is that version; undefined: where there is nothing yet. For one of those who try. */
  readonly claim: (
    keepsake: Keepsake,
    version: number | undefined,
    nowMillis: number,
  ) => Effect.Effect<boolean, KeepsakesFailure>
  readonly find: (id: string, nowMillis: number) => Effect.Effect<Found | undefined, KeepsakesFailure>
  /** What was begun first comes first. */
  readonly list: (owner: string, nowMillis: number) => Effect.Effect<ReadonlyArray<string>, KeepsakesFailure>
  readonly remove: (id: string) => Effect.Effect<void, KeepsakesFailure>
  /** All that is an owner's. */
  readonly clear: (owner: string) => Effect.Effect<void, KeepsakesFailure>
}

interface Held {
  readonly keepsake: Keepsake
  readonly version: number
}

/** Forgotten with the process: for a gateway without storage, and for simulation. */
export const inMemory = (bounds: Bounds = memoryBounds): Keepsakes => {
  const held = new Map<string, Held>()
  const byOwner = new Map<string, Set<string>>()
  let chars = 0
  let lastVersion = 0

  const drop = (id: string): void => {
    const found = held.get(id)
    if (found === undefined) return
    held.delete(id)
    chars -= found.keepsake.text.length
    const { owner } = found.keepsake
    const owned = byOwner.get(owner)
    owned?.delete(id)
    if (owned?.size === 0) byOwner.delete(owner)
  }
  const at = (id: string, nowMillis: number): Held | undefined => {
    const found = held.get(id)
    if (found === undefined || found.keepsake.untilMillis > nowMillis) return found
    drop(id)
    return undefined
  }
  const trim = (owner: string, nowMillis: number): void => {
    const owned = byOwner.get(owner) ?? new Set()
    for (const id of owned) at(id, nowMillis)
    let count = 0
    let size = 0
    for (const id of [...owned].toReversed()) {
      size += held.get(id)?.keepsake.text.length ?? 0
      if (++count > bounds.owned || size > bounds.ownedChars) drop(id)
    }
    if (held.size > bounds.kept || chars > bounds.keptChars) for (const id of held.keys()) at(id, nowMillis)
    for (const id of held.keys()) {
      if (held.size <= bounds.kept && chars <= bounds.keptChars) return
      drop(id)
    }
  }
  const set = (keepsake: Keepsake, nowMillis: number): void => {
    const before = at(keepsake.id, nowMillis)
    if (before !== undefined && before.keepsake.owner !== keepsake.owner) drop(keepsake.id)
    chars += keepsake.text.length - (held.get(keepsake.id)?.keepsake.text.length ?? 0)
    held.set(keepsake.id, { keepsake, version: ++lastVersion })
    const owned = byOwner.get(keepsake.owner)
    if (owned === undefined) byOwner.set(keepsake.owner, new Set([keepsake.id]))
    else owned.add(keepsake.id)
    trim(keepsake.owner, nowMillis)
  }

  return {
    put: (keepsake, nowMillis) => Effect.sync(() => set(keepsake, nowMillis)),
    claim: (keepsake, version, nowMillis) =>
      Effect.sync(() => {
        if (at(keepsake.id, nowMillis)?.version !== version) return false
        set(keepsake, nowMillis)
        return true
      }),
    find: (id, nowMillis) =>
      Effect.sync(() => {
        const found = at(id, nowMillis)
        return found === undefined ? undefined : { text: found.keepsake.text, version: found.version }
      }),
    list: (owner, nowMillis) =>
      Effect.sync(() =>
        [...(byOwner.get(owner) ?? [])].flatMap((id) => {
          const found = at(id, nowMillis)
          return found === undefined ? [] : [found.keepsake.text]
        }),
      ),
    remove: (id) => Effect.sync(() => drop(id)),
    clear: (owner) =>
      Effect.sync(() => {
        for (const id of Array.from(byOwner.get(owner) ?? [])) drop(id)
      }),
  }
}
