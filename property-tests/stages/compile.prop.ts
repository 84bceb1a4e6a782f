import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { Attachment } from "../../ir/Attachment.ts"
import { AttachmentKey, ListenerKey, RouteGroupKey, RouteKey } from "../../ir/Key.ts"
import type { Route, WeightedBackend } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Listener } from "../../ir/Listener.ts"
import type { TrafficPolicy } from "../../ir/Policy.ts"
import { listener, snapshot, table } from "../../test/ir/snapshots.ts"
import { match, prefix } from "../../test/stages/4-route/routes.ts"
import {
  host,
  isReply,
  service,
  toBackend,
  toService,
  workload,
  type World,
  world,
} from "../../test/stages/6-dispatch/world.ts"
import { makeExchange } from "../../test/stages/exchange.ts"

const Small = Schema.Literals([0, 1, 2])

const RouteModel = Schema.Struct({
  path: Small,
  parent: Schema.Literals(["listener", "other", "group"]),
  backend: Schema.Literals(["a", "b", "service", "group", "none", "missing"]),
  timeout: Schema.Literals([0, 100, 200]),
})

/** A configuration, reduced to what can make a difference. */
interface Model {
  readonly routes: ReadonlyMap<number, typeof RouteModel.Type>
  readonly ports: { readonly a: number; readonly b: number }
  readonly workloads: ReadonlySet<number>
  readonly attached: ReadonlySet<string>
  readonly otherHostname: string
}

const Edit = Schema.Union([
  Schema.TaggedStruct("Route", { index: Schema.Literals([0, 1, 2, 3, 4, 5]), to: Schema.UndefinedOr(RouteModel) }),
  Schema.TaggedStruct("Port", { of: Schema.Literals(["a", "b"]), to: Small }),
  Schema.TaggedStruct("Workload", { index: Small }),
  Schema.TaggedStruct("Attached", { at: Schema.Literals(["gateway", "route", "backend"]), which: Small }),
  Schema.TaggedStruct("Hostname", { to: Schema.Literals(["*", "x.test", "y.test"]) }),
])

const toggled = <A>(set: ReadonlySet<A>, value: A): ReadonlySet<A> => {
  const next = new Set(set)
  if (!next.delete(value)) next.add(value)
  return next
}

const edited = (model: Model, edit: typeof Edit.Type): Model => {
  switch (edit._tag) {
    case "Route": {
      const routes = new Map(model.routes)
      if (edit.to === undefined) routes.delete(edit.index)
      else routes.set(edit.index, edit.to)
      return { ...model, routes }
    }
    case "Port":
      return { ...model, ports: { ...model.ports, [edit.of]: edit.to } }
    case "Workload":
      return { ...model, workloads: toggled(model.workloads, edit.index) }
    case "Attached":
      return { ...model, attached: toggled(model.attached, `${edit.at} ${edit.which}`) }
    case "Hostname":
      return { ...model, otherHostname: edit.to }
  }
}

/** Every kind of backend is in use from the beginning, so that every edit can be seen. */
const beginning: Model = {
  routes: new Map([
    [0, { path: 0, parent: "listener", backend: "a", timeout: 0 }],
    [1, { path: 1, parent: "listener", backend: "service", timeout: 0 }],
    [2, { path: 2, parent: "listener", backend: "group", timeout: 100 }],
    [3, { path: 2, parent: "group", backend: "b", timeout: 0 }],
    [4, { path: 0, parent: "other", backend: "b", timeout: 0 }],
    [5, { path: 1, parent: "other", backend: "a", timeout: 0 }],
  ]),
  ports: { a: 0, b: 0 },
  workloads: new Set([0]),
  attached: new Set(),
  otherHostname: "*",
}

const group = RouteGroupKey.make("g")
const otherKey = ListenerKey.make("other")

const backendOf = (name: (typeof RouteModel.Type)["backend"]): ReadonlyArray<WeightedBackend> => {
  switch (name) {
    case "none":
      return []
    case "service":
      return [toService()]
    case "group":
      return [{ weight: 1, backend: { _tag: "Group", group }, policies: [] }]
    default:
      return [toBackend(name)]
  }
}

const routeOf = ({ backend, parent, path, timeout }: typeof RouteModel.Type, i: number): Route => ({
  key: RouteKey.make(`r${i}`),
  parent:
    parent === "group"
      ? { _tag: "Group", group }
      : { _tag: "Listener", listener: parent === "other" ? otherKey : listener.key },
  name: { name: `r${i % 3}`, namespace: "n" },
  hostnames: [],
  matches: [match(prefix(`/${path}`))],
  backends: backendOf(backend),
  policies: timeout === 0 ? [] : [{ _tag: "Timeout", backendRequestMillis: timeout }],
})

const attachmentOf = ({ at, which }: { readonly at: string; readonly which: number }): Attachment => {
  const traffic: TrafficPolicy = {
    _tag: "RequestHeaderModifier",
    add: [{ name: `x-${at}`, value: String(which) }],
    set: [],
    remove: [],
  }
  return {
    key: AttachmentKey.make(`${at}-${which}`),
    target:
      at === "gateway"
        ? { _tag: "Gateway", name: "g", namespace: "n" }
        : at === "route"
          ? { _tag: "Route", name: `r${which}`, namespace: "n" }
          : { _tag: "Backend", backend: `/${which === 0 ? "a" : "b"}` as never },
    inheritance: "default",
    policy:
      at === "backend"
        ? { _tag: "Backend", policy: { _tag: "BackendHttp", requestTimeoutMillis: 1000 + which } }
        : { _tag: "Traffic", phase: "route", policy: traffic },
  }
}

const snapshotOf = (model: Model): Snapshot => {
  const other: Listener = { ...listener, key: otherKey, hostname: model.otherHostname }
  return snapshot({
    listeners: table(listener, other),
    routes: table(...[...model.routes].map(([i, route]) => routeOf(route, i))),
    routeGroups: table({ key: group }),
    backends: table(host("a", [], 80 + model.ports.a), host("b", [], 80 + model.ports.b)),
    services: table(service()),
    workloads: table(...[...model.workloads].map((i) => workload(`w${i}`, `10.0.0.${i}`))),
    attachments: table(
      ...[...model.attached].map((one) => {
        const [at = "", which = ""] = one.split(" ")
        return attachmentOf({ at, which: Number(which) })
      }),
    ),
  })
}

/** Everything that can be seen of how a request is treated. */
const treatment = (w: World, key: ListenerKey, url: string): unknown => {
  w.calls.length = 0
  const exchange = makeExchange({ url })
  const known = w.plan?.listeners.get(key)
  if (known === undefined) return "no listener"
  const before = w.plan
  const answer = w.answered(exchange, key)
  assert.strictEqual(w.plan, before)
  return [
    isReply(answer) ? answer.status : answer._tag,
    exchange.trail.route?.chain.map((route) => route.key),
    w.calls.map(({ headers, options, to }) => [to, options.replyTimeoutMillis, [...headers]]),
  ]
}

describe("a plan that follows changes", () => {
  it.prop(
    "treats every request as one that was compiled from nothing",
    { edits: Schema.Array(Schema.Struct({ edit: Edit, isAsked: Schema.Boolean })) },
    ({ edits }) => {
      let model = beginning
      const following = world(snapshotOf(model))
      for (const path of [0, 1, 2]) treatment(following, listener.key, `http://x.test/${path}/z`)
      // What nobody asked for in between was never compiled, and must make no difference.
      for (const { edit, isAsked } of [...edits, { edit: { _tag: "Port", of: "a", to: 0 } as const, isAsked: true }]) {
        model = edited(model, edit)
        const next = snapshotOf(model)
        following.load(next)
        if (!isAsked) continue
        const fresh = world(next)
        for (const key of [listener.key, otherKey])
          for (const path of [0, 1, 2]) {
            const url = `http://x.test/${path}/z`
            assert.deepStrictEqual(treatment(following, key, url), treatment(fresh, key, url))
          }
      }
    },
    { arbitrary: { runs: 500, size: 20 } },
  )
})
