/**
 * What changed between two snapshots, table by table.
 *
 * Objects are compared by identity first: tables and resources that both snapshots share cost nothing more than a
 * look, and of a table that was made of another by `edit` only the edits are looked at. A resource that was read again
 * but says the same is no change, and `apply` keeps the old object for it.
 */
import * as Equal from "effect/Equal"
import * as Attachments from "./attachments.ts"
import type { Snapshot } from "./Snapshot.ts"
import * as Table from "./Table.ts"

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

/** Of each table what is to be there from now on, by key; `undefined` for what is to be there no more. */
export type Edits = {
  readonly [Name in keyof Snapshot]?: Snapshot[Name] extends ReadonlyMap<infer K, infer V> ? Table.Edits<K, V> : never
}

/** The snapshot after the edits, at the cost of the edits. Tables without any stay the same object. */
export const edit = (snapshot: Snapshot, edits: Edits): Snapshot => ({
  binds: Table.edited(snapshot.binds, edits.binds ?? none),
  listeners: Table.edited(snapshot.listeners, edits.listeners ?? none),
  routes: Table.edited(snapshot.routes, edits.routes ?? none),
  tcpRoutes: Table.edited(snapshot.tcpRoutes, edits.tcpRoutes ?? none),
  routeGroups: Table.edited(snapshot.routeGroups, edits.routeGroups ?? none),
  backends: Table.edited(snapshot.backends, edits.backends ?? none),
  services: Table.edited(snapshot.services, edits.services ?? none),
  workloads: Table.edited(snapshot.workloads, edits.workloads ?? none),
  attachments: Table.edited(snapshot.attachments, edits.attachments ?? none),
})

const none = new Map<never, never>()

export const editsOf = (changes: Changes): Edits => ({
  binds: tableEdits(changes.binds),
  listeners: tableEdits(changes.listeners),
  routes: tableEdits(changes.routes),
  tcpRoutes: tableEdits(changes.tcpRoutes),
  routeGroups: tableEdits(changes.routeGroups),
  backends: tableEdits(changes.backends),
  services: tableEdits(changes.services),
  workloads: tableEdits(changes.workloads),
  attachments: tableEdits(changes.attachments),
})

export const apply = (snapshot: Snapshot, changes: Changes): Snapshot =>
  isEmpty(changes) ? snapshot : edit(snapshot, editsOf(changes))

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
  const judge = (key: K, old: V | undefined, value: V | undefined): void => {
    if (value === undefined) {
      if (old !== undefined) removed.set(key, old)
    } else if (old === undefined) added.set(key, value)
    else if (old !== value && !Equal.equals(old, value)) changed.set(key, { before: old, after: value })
  }
  const suspects = Table.suspects(before, after)
  if (suspects !== undefined) {
    for (const key of suspects) judge(key, before.get(key), after.get(key))
    return { added, changed, removed }
  }
  for (const [key, value] of after) judge(key, before.get(key), value)
  // Usually nothing was taken away, and counting tells.
  if (before.size > after.size - added.size) {
    for (const [key, value] of before) if (!after.has(key)) removed.set(key, value)
  }
  return { added, changed, removed }
}

const tableEdits = <K, V>({ added, changed, removed }: TableChanges<K, V>): Table.Edits<K, V> => {
  const edits = new Map<K, V | undefined>()
  for (const key of removed.keys()) edits.set(key, undefined)
  for (const [key, { after }] of changed) edits.set(key, after)
  for (const [key, value] of added) edits.set(key, value)
  return edits
}

const inverseTable = <K, V>({ added, changed, removed }: TableChanges<K, V>): TableChanges<K, V> => ({
  added: removed,
  changed: new Map([...changed].map(([key, { after, before }]) => [key, { before: after, after: before }])),
  removed: added,
})
