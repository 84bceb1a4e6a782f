import { assert, describe, it } from "@effect/vitest"
import { AttachmentKey, BindKey, ListenerKey, RouteKey } from "../../ir/Key.ts"
import type { Attachment } from "../../ir/Attachment.ts"
import type { Listener } from "../../ir/Listener.ts"
import type { TrafficPolicy } from "../../ir/Policy.ts"
import type { Route } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { bind, listener, snapshot, table } from "../ir/snapshots.ts"
import { match, prefix } from "./4-route/routes.ts"
import { host, refusalOf, service, toBackend, toService, workload, type World, world } from "./6-dispatch/world.ts"

const routeAt = (path: string, more: Partial<Route> = {}): Route => ({
  key: RouteKey.make(`r${path}`),
  parent: { _tag: "Listener", listener: listener.key },
  name: { name: path.slice(1), namespace: "n" },
  hostnames: [],
  matches: [match(prefix(path))],
  backends: [toBackend("a.test")],
  policies: [],
  ...more,
})

const backends = table(host("a.test"), host("b.test"))

const base = (routes: ReadonlyArray<Route>, more: Partial<Snapshot> = {}): Snapshot =>
  snapshot({ routes: table(...routes), backends, ...more })

const askAll = (w: World, paths: ReadonlyArray<string> = ["/1", "/2", "/3"]): void => {
  for (const path of paths) w.ask({ url: `http://x.test${path}` })
}

const compiledBy = (w: World, change: () => void): ReadonlyArray<string> => {
  w.compiled.length = 0
  change()
  askAll(w)
  return w.compiled
}

const three = [routeAt("/1"), routeAt("/2"), routeAt("/3")]

const attachment = (key: string, target: Attachment["target"], policy: TrafficPolicy): Attachment => ({
  key: AttachmentKey.make(key),
  target,
  inheritance: "default",
  policy: { _tag: "Traffic", phase: "route", policy },
})

const timeout: TrafficPolicy = { _tag: "Timeout", requestMillis: 100 }

describe("a plan", () => {
  it("compiles a route when it is first taken, and once", () => {
    const w = world(base(three))
    assert.deepStrictEqual(w.compiled, [])
    askAll(w, ["/1", "/1", "/2"])
    assert.deepStrictEqual(w.compiled, ["r/1", "r/2"])
  })

  it("compiles again only the route that changed", () => {
    const w = world(base(three))
    askAll(w)
    const changed = routeAt("/2", { backends: [toBackend("b.test")] })
    assert.deepStrictEqual(
      compiledBy(w, () => w.load(base([three[0] as Route, changed, three[2] as Route]))),
      ["r/2"],
    )
    assert.deepStrictEqual(w.targets.slice(-3), ["a.test:80", "b.test:80", "a.test:80"])
  })

  it("takes routes in and lets them go", () => {
    const w = world(base(three))
    askAll(w)
    assert.deepStrictEqual(
      compiledBy(w, () => w.load(base([...three, routeAt("/4")]))),
      [],
    )
    askAll(w, ["/4"])
    assert.deepStrictEqual(w.compiled, ["r/4"])
    w.load(base(three))
    assert.strictEqual(refusalOf(w.ask({ url: "http://x.test/4" })), "RouteNotFound")
  })

  it("compiles again the routes that an attached policy acts on, and no others", () => {
    const w = world(base(three))
    askAll(w)
    const onTwo = attachment("p", { _tag: "Route", name: "2", namespace: "n" }, timeout)
    assert.deepStrictEqual(
      compiledBy(w, () => w.load(base(three, { attachments: table(onTwo) }))),
      ["r/2"],
    )
    assert.strictEqual(w.calls.at(-2)?.options.replyTimeoutMillis, 100)
    assert.deepStrictEqual(
      compiledBy(w, () => w.load(base(three))),
      ["r/2"],
    )
    assert.strictEqual(w.calls.at(-2)?.options.replyTimeoutMillis, undefined)
    const onAll = attachment("q", { _tag: "Gateway", name: "g", namespace: "n" }, timeout)
    assert.deepStrictEqual(
      compiledBy(w, () => w.load(base(three, { attachments: table(onAll) }))),
      ["r/1", "r/2", "r/3"],
    )
  })

  it("compiles again the routes of a backend that changed", () => {
    const routes = [three[0] as Route, routeAt("/2", { backends: [toBackend("b.test")] }), three[2] as Route]
    const w = world(base(routes))
    askAll(w)
    const moved = { ...host("b.test"), target: { _tag: "Host" as const, host: "c.test", port: 80 } }
    assert.deepStrictEqual(
      compiledBy(w, () => w.load(base(routes, { backends: table(host("a.test"), moved as never) }))),
      ["r/2"],
    )
    assert.deepStrictEqual(w.targets.slice(-3), ["a.test:80", "c.test:80", "a.test:80"])
  })

  it("compiles again the routes of a service whose endpoints changed", () => {
    const routes = [three[0] as Route, routeAt("/2", { backends: [toService()] }), three[2] as Route]
    const w = world(base(routes, { services: table(service()), workloads: table(workload("a", "10.0.0.1")) }))
    askAll(w)
    assert.deepStrictEqual(
      compiledBy(w, () =>
        w.load(base(routes, { services: table(service()), workloads: table(workload("b", "10.0.0.2")) })),
      ),
      ["r/2"],
    )
    assert.strictEqual(w.targets.at(-2), "10.0.0.2:8080")
  })

  it("keeps everything when nothing changed, even where all was read again", () => {
    const w = world(base(three))
    askAll(w)
    const before = w.plan
    assert.deepStrictEqual(
      compiledBy(w, () => w.load(base([routeAt("/1"), routeAt("/2"), routeAt("/3")]))),
      [],
    )
    assert.strictEqual(w.plan?.listeners.get(listener.key), before?.listeners.get(listener.key))
  })

  it("keeps the listeners that a change does not touch", () => {
    const other: Listener = { ...listener, key: ListenerKey.make("m"), hostname: "m.test" }
    const onOther = routeAt("/9", { parent: { _tag: "Listener", listener: other.key } })
    const w = world(base([...three, onOther], { listeners: table(listener, other) }))
    const before = w.plan
    w.load(base([three[0] as Route, onOther], { listeners: table(listener, other) }))
    assert.strictEqual(w.plan?.listeners.get(other.key), before?.listeners.get(other.key))
    assert.notStrictEqual(w.plan?.listeners.get(listener.key), before?.listeners.get(listener.key))
  })

  it("moves a route from one listener to another", () => {
    const other: Listener = { ...listener, key: ListenerKey.make("m"), hostname: "m.test" }
    const w = world(base(three, { listeners: table(listener, other) }))
    askAll(w)
    const moved = routeAt("/1", { parent: { _tag: "Listener", listener: other.key } })
    w.load(base([moved, three[1] as Route, three[2] as Route], { listeners: table(listener, other) }))
    assert.strictEqual(refusalOf(w.ask({ url: "http://x.test/1" })), "RouteNotFound")
    const back = w.load(base(three, { listeners: table(listener, other) }))
    assert.strictEqual(back.listeners.size, 2)
    assert.strictEqual(refusalOf(w.ask({ url: "http://x.test/1" })), "answered")
  })

  it("finds routes that were there before their listener", () => {
    const w = world(base(three, { listeners: table() }))
    w.load(base(three))
    assert.strictEqual(refusalOf(w.ask({ url: "http://x.test/1" })), "answered")
  })

  it("follows a listener to another bind and port", () => {
    const w = world(base(three))
    askAll(w)
    const second = { ...bind, key: BindKey.make("bind/81"), address: { _tag: "Ip" as const, port: 81 } }
    const onPort = attachment("p", { _tag: "Gateway", name: "g", namespace: "n", port: 81 }, timeout)
    w.load(base(three, { attachments: table(onPort) }))
    askAll(w, ["/1"])
    assert.strictEqual(w.calls.at(-1)?.options.replyTimeoutMillis, undefined)
    w.load(
      base(three, {
        attachments: table(onPort),
        binds: table(bind, second),
        listeners: table({ ...listener, bind: second.key }),
      }),
    )
    askAll(w, ["/1"])
    assert.strictEqual(w.calls.at(-1)?.options.replyTimeoutMillis, 100)
  })

  it("that was left behind goes on serving what it said", () => {
    const w = world(base(three))
    const old = w.plan
    w.load(base([routeAt("/1", { backends: [toBackend("b.test")] }), three[1] as Route, three[2] as Route]))
    askAll(w, ["/1"])
    w.plan = old
    askAll(w, ["/1", "/2"])
    assert.deepStrictEqual(w.targets, ["b.test:80", "a.test:80", "a.test:80"])
  })

  it("that never came to serve leaves no trace in the next", () => {
    const w = world(base(three))
    askAll(w)
    const served = w.plan
    const onTwo = attachment("p", { _tag: "Route", name: "2", namespace: "n" }, timeout)
    w.load(base(three, { attachments: table(onTwo) }))
    w.plan = served
    w.load(base(three))
    askAll(w, ["/2"])
    assert.strictEqual(w.calls.at(-1)?.options.replyTimeoutMillis, undefined)
  })
})
