import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Equal from "effect/Equal"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Attachment } from "../../ir/Attachment.ts"
import * as Attachments from "../../ir/attachments.ts"
import { Backend } from "../../ir/Backend.ts"
import { Bind } from "../../ir/Bind.ts"
import * as diff from "../../ir/diff.ts"
import { Listener } from "../../ir/Listener.ts"
import { Route, RouteGroup } from "../../ir/Route.ts"
import { Snapshot } from "../../ir/Snapshot.ts"
import { TcpRoute } from "../../ir/TcpRoute.ts"
import { Service, Workload } from "../../ir/Workload.ts"

/** A resource before and after: absent, the very same object, read again, or another one. */
const Fate = Schema.Literals(["added", "removed", "kept", "reread", "replaced", "never"])
const fates = Arbitrary.array(Arbitrary.schema(Fate), { minLength: 4, maxLength: 4 })

const some = <S extends Schema.Constraint>(schema: S) =>
  Arbitrary.array(Arbitrary.schema(schema), { minLength: 4, maxLength: 4 })

const tables = {
  binds: some(Bind),
  listeners: some(Listener),
  routes: some(Route),
  tcpRoutes: some(TcpRoute),
  routeGroups: some(RouteGroup),
  backends: some(Backend),
  services: some(Service),
  workloads: some(Workload),
  attachments: some(Attachment),
}
type Table = keyof typeof tables
const names = Object.keys(tables) as ReadonlyArray<Table>

const encode = Schema.encodeSync(Snapshot)
const decode = Schema.decodeSync(Snapshot)

/** Equal to the snapshot, and without an object in common. */
const reread = (snapshot: Snapshot): Snapshot => decode(encode(snapshot))

const pair = (resources: { readonly [K in Table]: ReadonlyArray<object> }, fates: ReadonlyArray<string>) => {
  const before: Record<string, Map<string, object>> = {}
  const after: Record<string, Map<string, object>> = {}
  for (const [t, name] of names.entries()) {
    const all = new Map(resources[name].map((resource, i) => [`k${i}`, { ...resource, key: `k${i}` }]))
    const copy: ReadonlyMap<string, object> = reread({ ...empty(), [name]: all })[name]
    const [old, now] = [new Map<string, object>(), new Map<string, object>()]
    for (const [i, [key, resource]] of [...all].entries()) {
      const fate = fates[(i + t) % fates.length]
      if (fate !== "added" && fate !== "never") old.set(key, resource)
      if (fate === "added" || fate === "kept") now.set(key, resource)
      if (fate === "reread") now.set(key, copy.get(key) ?? resource)
      if (fate === "replaced") now.set(key, { ...resources[name][(i + 1) % 4], key })
    }
    before[name] = old
    after[name] = now
  }
  return { before: before as unknown as Snapshot, after: after as unknown as Snapshot }
}

const empty = (): Snapshot =>
  decode(encode(Object.fromEntries(names.map((name) => [name, new Map()])) as unknown as Snapshot))

const input = { ...tables, fates }
const options = { arbitrary: { runs: 40, size: 8 } }

it.prop(
  "applying the difference gives the other snapshot, and its inverse leads back",
  input,
  ({ fates, ...resources }) => {
    const { after, before } = pair(resources, fates)
    const changes = diff.diff(before, after)
    const applied = diff.apply(before, changes)
    assert.isTrue(Equal.equals(applied, after))
    assert.isTrue(Equal.equals(diff.diff(before, applied), changes))
    assert.isTrue(Equal.equals(diff.diff(applied, before), diff.inverse(changes)))
    assert.isTrue(Equal.equals(diff.apply(after, diff.inverse(changes)), before))
    assert.strictEqual(diff.isEmpty(changes), Equal.equals(before, after))
  },
  options,
)

it.prop(
  "what was only read again is no change, and keeps its object",
  input,
  ({ fates, ...resources }) => {
    const { after, before } = pair(resources, fates)
    assert.isTrue(diff.isEmpty(diff.diff(before, reread(before))))
    assert.strictEqual(diff.apply(before, diff.diff(before, reread(before))), before)
    const next = diff.apply(before, diff.diff(before, after))
    for (const name of names) {
      const was: ReadonlyMap<string, object> = before[name]
      const now: ReadonlyMap<string, object> = after[name]
      for (const [key, resource] of next[name] as ReadonlyMap<string, object>) {
        const old = was.get(key)
        if (old !== undefined && Equal.equals(old, now.get(key))) assert.strictEqual(resource, old)
      }
    }
  },
  options,
)

it.prop(
  "every resource is said to be exactly what became of it",
  input,
  ({ fates, ...resources }) => {
    const { after, before } = pair(resources, fates)
    const changes = diff.diff(before, after)
    for (const name of names) {
      const was: ReadonlyMap<string, object> = before[name]
      const now: ReadonlyMap<string, object> = after[name]
      const { added, changed, removed } = changes[name] as diff.TableChanges<string, object>
      for (const key of new Set([...was.keys(), ...now.keys()])) {
        assert.strictEqual(added.has(key), !was.has(key), key)
        assert.strictEqual(removed.has(key), !now.has(key), key)
        assert.strictEqual(
          changed.has(key),
          was.has(key) && now.has(key) && JSON.stringify(plain(was.get(key))) !== JSON.stringify(plain(now.get(key))),
          key,
        )
      }
    }
  },
  options,
)

/** Secrets print alike, so they are compared through what they hold. */
const plain = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? 0 : value
  if (Redacted.isRedacted(value)) return { secret: Redacted.value(value) }
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, plain(inner)]),
  )
}

it.prop(
  "the index of attachments follows the changes",
  input,
  ({ fates, ...resources }) => {
    const { after, before } = pair(resources, fates)
    const followed = diff.updateAttachments(
      Attachments.make(before.attachments.values()),
      diff.diff(before, after).attachments,
    )
    assert.isTrue(Equal.equals(followed, Attachments.make(after.attachments.values())))
  },
  options,
)
