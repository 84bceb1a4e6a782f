import { assert, describe, it } from "@effect/vitest"
import { RouteGroupKey, RouteKey } from "../../../ir/Key.ts"
import type { Match } from "../../../ir/Match.ts"
import type { TrafficPolicy } from "../../../ir/Policy.ts"
import type { Route, WeightedBackend } from "../../../ir/Route.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { DELEGATION_WAYS_MAX } from "../../../stages/4-route/delegate.ts"
import * as snapshots from "../../ir/snapshots.ts"
import { makeExchange } from "../exchange.ts"
import { host, refusalOf, toBackend, world } from "../6-dispatch/world.ts"
import { match, prefix } from "./routes.ts"

const group = (name: string) => RouteGroupKey.make(name)

const toGroup = (name: string, more: Partial<WeightedBackend> = {}): WeightedBackend => ({
  weight: 1,
  backend: { _tag: "Group", group: group(name) },
  policies: [],
  ...more,
})

const inGroup = (
  name: string,
  key: string,
  one: Match,
  backends: ReadonlyArray<WeightedBackend>,
  policies: ReadonlyArray<TrafficPolicy> = [],
): Route => ({
  key: RouteKey.make(key),
  parent: { _tag: "Group", group: group(name) },
  name: { name: key, namespace: "n" },
  hostnames: [],
  matches: [one],
  backends,
  policies,
})

const add = (name: string, value: string): TrafficPolicy => ({
  _tag: "RequestHeaderModifier",
  add: [{ name, value }],
  set: [],
  remove: [],
})

const delegating = (
  backends: ReadonlyArray<WeightedBackend>,
  policies: ReadonlyArray<TrafficPolicy>,
  routes: ReadonlyArray<Route>,
): Snapshot =>
  snapshots.snapshot({
    routes: snapshots.table({ ...snapshots.route, backends, policies }, ...routes),
    routeGroups: snapshots.table(...["g", "h", "i"].map((name) => ({ key: group(name) }))),
    backends: snapshots.table(host("a.test"), host("b.test"), host("c.test")),
  })

describe("a group", () => {
  const w = () =>
    world(
      delegating(
        [toGroup("g")],
        [],
        [
          inGroup("g", "g/a", match(prefix("/a")), [toBackend("a.test")]),
          inGroup("g", "g/b", match(prefix("/b")), [toGroup("h")]),
          inGroup("h", "h/c", match(prefix("/b/c")), [toBackend("c.test")]),
        ],
      ),
    )
  it("chooses among its routes as a listener does, through as many groups as it takes", () => {
    const one = w()
    const exchange = makeExchange({ url: "http://x.test/b/c/d" })
    one.answered(exchange)
    one.ask({ url: "http://x.test/a" })
    assert.deepStrictEqual(one.targets, ["c.test:80", "a.test:80"])
    assert.deepStrictEqual(
      exchange.route.chain.map(({ key }) => key as string),
      ["l/n/r", "g/b", "h/c"],
    )
    assert.strictEqual(exchange.route.ir.key, "h/c")
    assert.deepInclude(exchange.match.path, { path: "/b/c" })
  })
  it("without a route that matches is no route", () => {
    assert.strictEqual(refusalOf(w().ask({ url: "http://x.test/z" })), "RouteNotFound")
    assert.strictEqual(refusalOf(w().ask({ url: "http://x.test/b/z" })), "RouteNotFound")
  })
  it("that leads back to itself is refused", () => {
    const one = world(
      delegating(
        [toGroup("g")],
        [],
        [
          inGroup("g", "g/1", match(prefix("/")), [toGroup("h")]),
          inGroup("h", "h/1", match(prefix("/")), [toGroup("g")]),
        ],
      ),
    )
    assert.strictEqual(refusalOf(one.ask()), "DelegationCycle")
  })
  it("may be reached by several ways that do not cross", () => {
    const one = world(
      delegating(
        [toGroup("g"), toGroup("h")],
        [],
        [
          inGroup("g", "g/1", match(prefix("/")), [toGroup("i")]),
          inGroup("h", "h/1", match(prefix("/")), [toGroup("i")]),
          inGroup("i", "i/1", match(prefix("/")), [toBackend("a.test")]),
        ],
      ),
    )
    for (const drawn of [0, 0.9]) {
      one.clock.draw = drawn
      one.ask()
    }
    assert.deepStrictEqual(one.targets, ["a.test:80", "a.test:80"])
  })
  it("is drawn by its weight among other backends", () => {
    const one = world(
      delegating(
        [toGroup("g", { weight: 3 }), toBackend("b.test")],
        [],
        [inGroup("g", "g/1", match(prefix("/")), [toBackend("a.test")])],
      ),
    )
    for (const drawn of [0, 0.5, 0.8]) {
      one.clock.draw = drawn
      one.ask()
    }
    assert.deepStrictEqual(one.targets, ["a.test:80", "a.test:80", "b.test:80"])
    const none = world(delegating([toGroup("g", { weight: 0 })], [], []))
    assert.strictEqual(refusalOf(none.ask()), "NoValidBackends")
  })
})

describe("policies on the way", () => {
  it("are merged, the route closest to the backend winning", () => {
    const one = world(
      delegating(
        [toGroup("g")],
        [add("x-outer", "1"), { _tag: "Timeout", requestMillis: 500 }],
        [
          inGroup("g", "g/1", match(prefix("/inner")), [toBackend("a.test")], [add("x-inner", "1")]),
          inGroup("g", "g/2", match(prefix("/plain")), [toBackend("a.test")]),
        ],
      ),
    )
    one.ask({ url: "http://x.test/inner" })
    one.ask({ url: "http://x.test/plain" })
    assert.deepStrictEqual(
      one.calls.map(({ headers }) => [headers.has("x-outer"), headers.has("x-inner")]),
      [
        [false, true],
        [true, false],
      ],
    )
    assert.deepStrictEqual(
      one.calls.map(({ options }) => options.replyTimeoutMillis),
      [500, 500],
    )
  })
  it("on the reference to a group hold for the backends behind it, unless those say otherwise", () => {
    const timeout = (millis: number) => ({ _tag: "BackendHttp" as const, requestTimeoutMillis: millis })
    const one = world(
      delegating(
        [toGroup("g", { policies: [timeout(100)] })],
        [],
        [
          inGroup("g", "g/1", match(prefix("/own")), [toBackend("a.test", { policies: [timeout(50)] })]),
          inGroup("g", "g/2", match(prefix("/plain")), [toBackend("a.test")]),
        ],
      ),
    )
    one.ask({ url: "http://x.test/own" })
    one.ask({ url: "http://x.test/plain" })
    assert.deepStrictEqual(
      one.calls.map(({ options }) => options.replyTimeoutMillis),
      [50, 100],
    )
  })
})

describe("ways through groups", () => {
  it("are compiled once each, and followed anew after a change", () => {
    const routes = [
      inGroup("g", "g/1", match(prefix("/1")), [toBackend("a.test")]),
      inGroup("g", "g/2", match(prefix("/2")), [toBackend("a.test")]),
    ]
    const one = world(delegating([toGroup("g")], [], routes))
    for (let i = 0; i < 3; i++) one.ask({ url: "http://x.test/1" })
    assert.deepStrictEqual(one.compiled, ["g/1"])
    one.load(
      delegating(
        [toGroup("g")],
        [],
        [inGroup("g", "g/1", match(prefix("/1")), [toBackend("b.test")]), routes[1] as Route],
      ),
    )
    one.ask({ url: "http://x.test/1" })
    assert.strictEqual(one.targets.at(-1), "b.test:80")
    one.load(delegating([toGroup("g")], [], [routes[1] as Route]))
    assert.strictEqual(refusalOf(one.ask({ url: "http://x.test/1" })), "RouteNotFound")
  })
  it("beyond a number are served all the same", () => {
    const count = DELEGATION_WAYS_MAX + 10
    const routes = Array.from({ length: count }, (_, i) =>
      inGroup("g", `g/${i}`, match(prefix(`/${i}`)), [toBackend("a.test")]),
    )
    const one = world(delegating([toGroup("g")], [], routes))
    for (let i = 0; i < count; i++) one.ask({ url: `http://x.test/${i}` })
    assert.strictEqual(one.calls.length, count)
    one.ask({ url: "http://x.test/0" })
    one.ask({ url: `http://x.test/${count - 1}` })
    assert.strictEqual(one.compiled.length, count + 1)
  })
})
