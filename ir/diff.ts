/**
 * What changed between two snapshots, table by table.
 *
 * Objects are compared by identity first: tables and resources that both snapshots share cost nothing more than a
 * look. A resource that was read again but says the same is no change, and `apply` keeps the old object for it.
 */
import * as Equal from "effect/Equal"
import * as Attachments from "./attachments.ts"
import type { Snapshot } from "./Snapshot.ts"

export interface TableChanges<K, V> {
  readonly added: ReadonlyMap<K, V>
  readonly changed: ReadonlyMap<K, { readonly before: V; readonly after: V }>
  readonly removed: ReadonlyMap<K, V>
}

export type Changes = {
  readonly [Table in keyof Snapshot]: Snapshot[Table] extends ReadonlyMap<infer K, infer V> ? TableChanges<K, V> : never
}

export const diff = (before: Snapshot, after: Snapshot): Changes => ({
  binds: table(before.binds, after.binds),
  listeners: table(before.listeners, after.listeners),
  routes: table(before.routes, after.routes),
  tcpRoutes: table(before.tcpRoutes, after.tcpRoutes),
  routeGroups: table(before.routeGroups, after.routeGroups),
  backends: table(before.backends, after.backends),
  services: table(before.services, after.services),
  workloads: table(before.workloads, after.workloads),
  attachments: table(before.attachments, after.attachments),
})

export const apply = (snapshot: Snapshot, changes: Changes): Snapshot =>
  isEmpty(changes)
    ? snapshot
    : {
        binds: changedTable(snapshot.binds, changes.binds),
        listeners: changedTable(snapshot.listeners, changes.listeners),
        routes: changedTable(snapshot.routes, changes.routes),
        tcpRoutes: changedTable(snapshot.tcpRoutes, changes.tcpRoutes),
        routeGroups: changedTable(snapshot.routeGroups, changes.routeGroups),
        backends: changedTable(snapshot.backends, changes.backends),
        services: changedTable(snapshot.services, changes.services),
        workloads: changedTable(snapshot.workloads, changes.workloads),
        attachments: changedTable(snapshot.attachments, changes.attachments),
      }

export const isEmpty = (changes: Changes): boolean => Object.values(changes).every((table) => size(table) === 0)

export const size = (changes: TableChanges<unknown, unknown>): number =>
  changes.added.size + changes.changed.size + changes.removed.size

/** The changes that lead back. */
export const inverse = (changes: Changes): Changes => ({
  binds: inverseTable(changes.binds),
  listeners: inverseTable(changes.listeners),
  routes: inverseTable(changes.routes),
  tcpRoutes: inverseTable(changes.tcpRoutes),
  routeGroups: inverseTable(changes.routeGroups),
  backends: inverseTable(changes.backends),
  services: inverseTable(changes.services),
  workloads: inverseTable(changes.workloads),
  attachments: inverseTable(changes.attachments),
})

/** What is new, as a snapshot of its own. */
export const changedPart = (changes: Changes): Snapshot => ({
  binds: present(changes.binds),
  listeners: present(changes.listeners),
  routes: present(changes.routes),
  tcpRoutes: present(changes.tcpRoutes),
  routeGroups: present(changes.routeGroups),
  backends: present(changes.backends),
  services: present(changes.services),
  workloads: present(changes.workloads),
  attachments: present(changes.attachments),
})

const present = <K, V>({ added, changed }: TableChanges<K, V>): ReadonlyMap<K, V> => {
  const part = new Map(added)
  for (const [key, { after }] of changed) part.set(key, after)
  return part
}

/** The index of attachments after the changes. */
export const updateAttachments = (
  index: Attachments.Attachments,
  { added, changed, removed }: Changes["attachments"],
): Attachments.Attachments =>
  Attachments.update(
    index,
    [...removed.values(), ...[...changed.values()].map(({ before }) => before)],
    [...added.values(), ...[...changed.values()].map(({ after }) => after)],
  )

const table = <K, V>(before: ReadonlyMap<K, V>, after: ReadonlyMap<K, V>): TableChanges<K, V> => {
  const added = new Map<K, V>()
  const changed = new Map<K, { before: V; after: V }>()
  const removed = new Map<K, V>()
  if (before === after) return { added, changed, removed }
  for (const [key, value] of after) {
    const old = before.get(key)
    if (old === undefined) added.set(key, value)
    else if (old !== value && !Equal.equals(old, value)) changed.set(key, { before: old, after: value })
  }
  // Usually nothing was taken away, and counting tells.
  if (before.size > after.size - added.size) {
    for (const [key, value] of before) if (!after.has(key)) removed.set(key, value)
  }
  return { added, changed, removed }
}

const changedTable = <K, V>(before: ReadonlyMap<K, V>, changes: TableChanges<K, V>): ReadonlyMap<K, V> => {
  if (size(changes) === 0) return before
  const after = new Map(before)
  for (const key of changes.removed.keys()) after.delete(key)
  for (const [key, change] of changes.changed) after.set(key, change.after)
  for (const [key, value] of changes.added) after.set(key, value)
  return after
}

const inverseTable = <K, V>({ added, changed, removed }: TableChanges<K, V>): TableChanges<K, V> => ({
  added: removed,
  changed: new Map([...changed].map(([key, { after, before }]) => [key, { before: after, after: before }])),
  removed: added,
})
