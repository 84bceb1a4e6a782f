/** What one changed route costs among many: from the next snapshot to the plan that serves it, and the first request. */
import * as Effect from "effect/Effect"
import { AttachmentKey, BackendKey, BindKey, ListenerKey, RouteKey } from "../ir/Key.ts"
import type { Route } from "../ir/Route.ts"
import { empty, type Snapshot } from "../ir/Snapshot.ts"
import { valueOf } from "../stages/4-route/tree.ts"
import { Endpoints } from "../stages/6-dispatch/Endpoints.ts"
import { compile, type CompilePorts } from "../stages/compile.ts"
import type { Plan } from "../stages/Plan.ts"
import { clock } from "../src/node/timer.ts"

const listenerKey = ListenerKey.make("l")

const route = (i: number, edit = ""): Route => ({
  key: RouteKey.make(`r${i}`),
  parent: { _tag: "Listener", listener: listenerKey },
  name: { name: `r${i}`, namespace: "n" },
  hostnames: [`svc-${i % 100}.example.com`],
  matches: [{ path: { _tag: "Prefix", path: `/svc-${i}/v1${edit}` }, headers: [], query: [] }],
  backends: [{ weight: 1, backend: { _tag: "Backend", backend: BackendKey.make(`/b${i % 50}`) }, policies: [] }],
  policies: [],
})

const world = (count: number): Snapshot => ({
  ...empty,
  binds: new Map([
    [
      BindKey.make("b"),
      { key: BindKey.make("b"), address: { _tag: "Ip", port: 80 }, protocol: "http", tunnel: "direct" },
    ],
  ]),
  listeners: new Map([
    [
      listenerKey,
      {
        key: listenerKey,
        bind: BindKey.make("b"),
        name: { gatewayName: "g", gatewayNamespace: "n", listenerName: "l" },
        hostname: "*",
        protocol: "HTTP",
      },
    ],
  ]),
  backends: new Map(
    Array.from({ length: 50 }, (_, i) => [
      BackendKey.make(`/b${i}`),
      {
        _tag: "Host",
        key: BackendKey.make(`/b${i}`),
        target: { _tag: "Host", host: `b${i}.test`, port: 80 },
        policies: [],
      },
    ]),
  ),
  routes: new Map(Array.from({ length: count }, (_, i) => [RouteKey.make(`r${i}`), route(i)])),
})

let compiled = 0
const ports: CompilePorts = {
  dispatch: {
    endpoints: new Endpoints((spec) => ({
      spec,
      label: "",
      send: () => Effect.never,
      dial: Effect.never,
      close: () => {},
    })),
    clock,
    defaults: {
      connectTimeoutMillis: 10_000,
      poolIdleMillis: 90_000,
      poolSizeMax: undefined,
      keepAlive: { enabled: true, timeMillis: 180_000 },
    },
  },
  tlsContext: (source) => Effect.succeed({ _tag: "TlsContext", source }),
  limits: {
    headBytesMax: 65_536,
    headTimeoutMillis: 30_000,
    bodyIdleTimeoutMillis: 60_000,
    writeStallTimeoutMillis: 60_000,
    http2StreamsMax: 100,
  },
  compiled: () => compiled++,
}

const take = (plan: Plan, i: number): void => {
  const listener = plan.listeners.get(listenerKey)
  const from = plan.heritage?.listeners.get(listenerKey)
  if (listener === undefined || from === undefined) throw new Error("no listener")
  valueOf(listener.routes, RouteKey.make(`r${i}`))?.get(from.setting)
}

const median = (numbers: Array<number>): number => numbers.sort((a, b) => a - b)[numbers.length >> 1] as number

const report = (name: string, count: number, millis: ReadonlyArray<number>, made: number): void =>
  console.log(
    `${name.padEnd(40)} ${String(count).padStart(6)} routes ${median([...millis])
      .toFixed(3)
      .padStart(9)} ms median ` +
      `${Math.max(...millis)
        .toFixed(3)
        .padStart(9)} ms worst  ${made} compiled`,
  )

for (const count of [100, 1_000, 10_000]) {
  const first = world(count)
  let start = performance.now()
  let plan = Effect.runSync(compile(ports, first, undefined))
  report("from nothing", count, [performance.now() - start], compiled)

  start = performance.now()
  for (let i = 0; i < count; i++) take(plan, i)
  report("every route taken for the first time", count, [performance.now() - start], compiled)

  let snapshot = first
  const changes = (
    name: string,
    next: (round: number, snapshot: Snapshot) => Snapshot,
    touched: (round: number) => number,
  ) => {
    compiled = 0
    const millis: Array<number> = []
    for (let round = 0; round < 50; round++) {
      snapshot = next(round, snapshot)
      const began = performance.now()
      plan = Effect.runSync(compile(ports, snapshot, plan))
      take(plan, touched(round))
      millis.push(performance.now() - began)
    }
    report(name, count, millis, compiled)
  }
  const at = (round: number): number => (round * 7919) % count

  changes(
    "one route changed",
    (round, before) => ({
      ...before,
      routes: new Map(before.routes).set(RouteKey.make(`r${at(round)}`), route(at(round), `-${round}`)),
    }),
    at,
  )
  changes(
    "one policy attached to one route",
    (round, before) => ({
      ...before,
      attachments: new Map(before.attachments).set(AttachmentKey.make(`p${round}`), {
        key: AttachmentKey.make(`p${round}`),
        target: { _tag: "Route", name: `r${at(round)}`, namespace: "n" },
        inheritance: "default",
        policy: { _tag: "Traffic", phase: "route", policy: { _tag: "Timeout", requestMillis: 1000 + round } },
      }),
    }),
    at,
  )
  changes(
    "one route changed, all read again",
    (round, before) => ({
      ...before,
      routes: new Map(
        Array.from({ length: count }, (_, i) => [
          RouteKey.make(`r${i}`),
          route(i, i === at(round) ? `-again-${round}` : ""),
        ]),
      ),
    }),
    at,
  )
}
