import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TcpRouteKey } from "../../../ir/Key.ts"
import type { BackendPolicy } from "../../../ir/Policy.ts"
import type { WeightedBackend } from "../../../ir/Route.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { TcpRoute } from "../../../ir/TcpRoute.ts"
import { findTcp } from "../../../stages/4-route/tcp.ts"
import type { Bound } from "../../../stages/Connection.ts"
import type { Socket } from "../../../stages/ports/Network.ts"
import { listener, snapshot, table } from "../../ir/snapshots.ts"
import { makeExchange } from "../exchange.ts"
import { host, service, to, toBackend, toService, workload, World, world } from "./world.ts"

const tcpRoute = (name: string, backends: ReadonlyArray<WeightedBackend>, hostnames: ReadonlyArray<string> = []) =>
  ({
    key: TcpRouteKey.make(name),
    listener: listener.key,
    name: { name, namespace: "n" },
    hostnames,
    backends,
  }) satisfies TcpRoute

const routing = (backends: ReadonlyArray<WeightedBackend>, more: Partial<Snapshot> = {}): Snapshot =>
  snapshot({ tcpRoutes: table(tcpRoute("one", backends)), ...more })

const socket = {} as Socket

const bound = (serverName: string | undefined): Bound => {
  const { secured } = makeExchange().bound
  return {
    secured: {
      ...secured,
      tls:
        serverName === undefined ? undefined : { serverName, alpn: undefined, version: undefined, client: undefined },
    },
    listener: undefined,
  }
}

const dial = (w: World, serverName?: string) => {
  const table = w.plan?.listeners.get(listener.key)?.tcpRoutes
  const route = table === undefined ? undefined : findTcp(table, serverName)
  const target = route?.targets[0]?.target
  if (target === undefined) return "no route"
  const result = Effect.runSync(Effect.result(target.dial(bound(serverName))))
  return result._tag === "Success" ? result.success.endpoint : result.failure.message
}

const dialling = (snapshot: Snapshot): World => {
  const w = world(snapshot)
  w.dial = () => Effect.succeed(socket)
  return w
}

describe("a raw connection", () => {
  it("goes to a host, sealed anew where a policy says so", () => {
    const tls: BackendPolicy = {
      _tag: "BackendTls",
      tls: {
        verify: "none",
        subjectAltNames: [],
        minVersion: "TLSv1.2",
        maxVersion: "TLSv1.3",
        cipherSuites: [],
        keyExchangeGroups: [],
      },
    }
    const w = dialling(
      routing([toBackend("db.test", { policies: [tls] })], { backends: table(host("db.test", [], 5432)) }),
    )
    assert.strictEqual(dial(w), "db.test:5432")
    assert.strictEqual(w.dialled[0]?.tls?.verify, "none")
  })

  it("goes to an endpoint of a service, and what failed is remembered", () => {
    const health: BackendPolicy = { _tag: "Health", eviction: { durationMillis: 1000 } }
    const w = dialling(
      routing([toService([health])], {
        services: table(service()),
        workloads: table(workload("a", "10.0.0.1"), workload("b", "10.0.0.2")),
      }),
    )
    w.clock.draw = 0
    assert.strictEqual(dial(w), "10.0.0.1:8080")
    w.dial = () => Effect.fail({ _tag: "ConnectFailed", message: "refused" })
    assert.strictEqual(dial(w), "refused")
    w.dial = () => Effect.succeed(socket)
    assert.strictEqual(dial(w), "10.0.0.2:8080")
    w.clock.advance(1000)
    assert.strictEqual(dial(w), "10.0.0.1:8080")
  })

  it("goes to the server it names, at the port it came in by, but not back to this door", () => {
    const w = dialling(routing([to({ _tag: "Dynamic" })]))
    assert.strictEqual(dial(w, "db.test"), "db.test:8080")
    assert.strictEqual(dial(w), "the client named no server, so there is nowhere to go")
    assert.strictEqual(dial(w, "localhost"), "loop detected")
  })

  it("is refused with the reason where it leads nowhere", () => {
    assert.strictEqual(dial(dialling(routing([toBackend("missing")]))), "service not found")
    assert.strictEqual(dial(dialling(routing([toService()], { services: table(service()) }))), "no healthy backends")
  })

  it("follows a changed route, and connections of other routes do not notice", () => {
    const w = dialling(
      snapshot({
        tcpRoutes: table(
          tcpRoute("one", [toBackend("a.test")], ["one.test"]),
          tcpRoute("two", [toBackend("a.test")], ["two.test"]),
        ),
        backends: table(host("a.test"), host("b.test")),
      }),
    )
    assert.strictEqual(dial(w, "one.test"), "a.test:80")
    w.load({
      ...(w.plan?.snapshot as Snapshot),
      tcpRoutes: table(
        tcpRoute("one", [toBackend("b.test")], ["one.test"]),
        tcpRoute("two", [toBackend("a.test")], ["two.test"]),
      ),
    })
    assert.strictEqual(dial(w, "one.test"), "b.test:80")
    assert.strictEqual(dial(w, "two.test"), "a.test:80")
    assert.strictEqual(dial(w, "three.test"), "no route")
  })
})
