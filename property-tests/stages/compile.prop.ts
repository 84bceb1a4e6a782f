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
const Model = Schema.Struct({
  routes: Schema.Array(RouteModel),
  backendPorts: Schema.Struct({ a: Small, b: Small }),
  workloads: Schema.Array(Small),
  attached: Schema.Array(Schema.Struct({ at: Schema.Literals(["gateway", "route", "backend"]), which: Small })),
  otherHostname: Schema.Literals(["*", "x.test", "y.test"]),
})

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

const snapshotOf = (model: typeof Model.Type): Snapshot => {
  const other: Listener = { ...listener, key: otherKey, hostname: model.otherHostname }
  return snapshot({
    listeners: table(listener, other),
    routes: table(...model.routes.map(routeOf)),
    routeGroups: table({ key: group }),
    backends: table(host("a", [], 80 + model.backendPorts.a), host("b", [], 80 + model.backendPorts.b)),
    services: table(service()),
    workloads: table(...[...new Set(model.workloads)].map((i) => workload(`w${i}`, `10.0.0.${i}`))),
    attachments: table(...new Map(model.attached.map((one) => [`${one.at}-${one.which}`, attachmentOf(one)])).values()),
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
    { models: Schema.NonEmptyArray(Model), visits: Schema.Array(Schema.Boolean) },
    ({ models, visits }) => {
      let following: World | undefined
      for (const [i, model] of models.entries()) {
        const next = snapshotOf(model)
        if (following === undefined) following = world(next)
        else following.load(next)
        // What nobody asked for in between was never compiled: both must make no difference.
        if (visits[i % Math.max(visits.length, 1)] === false) continue
        const fresh = world(next)
        for (const key of [listener.key, otherKey])
          for (const path of [0, 1, 2]) {
            const url = `http://x.test/${path}/z`
            assert.deepStrictEqual(treatment(following, key, url), treatment(fresh, key, url))
          }
      }
    },
    { arbitrary: { runs: 300, size: 12 } },
  )
})
