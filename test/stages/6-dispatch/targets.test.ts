import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { BackendKey, RouteGroupKey, ServiceKey } from "../../../ir/Key.ts"
import type { ClientTls } from "../../../ir/Tls.ts"
import { DYNAMIC_ENDPOINTS_MAX } from "../../../stages/6-dispatch/Endpoints.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import type { Socket } from "../../../stages/ports/Network.ts"
import { table } from "../../ir/snapshots.ts"
import { makeExchange, makeReply } from "../exchange.ts"
import { balancing, host, isReply, refusalOf, routing, statusOf, to, toBackend, workload, world } from "./world.ts"

const tls: ClientTls = {
  verify: "full",
  subjectAltNames: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [],
  keyExchangeGroups: [],
}

describe("a host", () => {
  it("is asked under its own name, and the client's request stays as it was", () => {
    const w = world(routing([toBackend("api.test")], [], { backends: table(host("api.test")) }))
    const exchange = makeExchange({ url: "http://front.test:8080/a?b=c" })
    assert.strictEqual(statusOf(w.answered(exchange)), 200)
    assert.strictEqual(w.call.to, "api.test:80")
    assert.strictEqual(w.call.authority, "api.test")
    assert.strictEqual(w.call.request.host, "api.test")
    assert.strictEqual(w.call.request.target, "/a?b=c")
    assert.strictEqual(exchange.request.authority, "front.test:8080")
    assert.strictEqual(exchange.trail.backend, "api.test")
    assert.strictEqual(exchange.trail.attempts, 1)
    assert.strictEqual(exchange.trail.endpoint?.label, "api.test:80")
  })

  it("without a name of its own is known by its address", () => {
    const backend = { ...host("api.test", [], 8080), key: BackendKey.make("/l/n/r/backend0") }
    const w = world(routing([to({ _tag: "Backend", backend: backend.key })], [], { backends: table(backend as never) }))
    const exchange = makeExchange()
    w.answered(exchange)
    assert.strictEqual(exchange.trail.backend, "api.test:8080")
  })

  it("shares the request itself where nothing is changed", () => {
    const w = world(routing([toBackend("api.test")], [], { backends: table(host("api.test")) }))
    const exchange = makeExchange({ url: "http://api.test/" })
    w.answered(exchange)
    assert.strictEqual(w.call.request, exchange.request)
  })

  it("is named with a port that says something, and TLS has another usual port", () => {
    const backends = table(
      host("a.test", [], 8080),
      host("b.test", [{ _tag: "BackendTls", tls }], 443),
      host("c.test", [{ _tag: "BackendTls", tls }], 80),
    )
    const authorities = ["a.test", "b.test", "c.test"].map((name) => {
      const w = world(routing([toBackend(name)], [], { backends }))
      w.ask({ url: "http://front.test/" })
      return w.call.authority
    })
    assert.deepStrictEqual(authorities, ["a.test:8080", "b.test", "c.test:80"])
  })

  it("behind an address hears the name the client used", () => {
    const w = world(routing([toBackend("127.0.0.1")], [], { backends: table(host("127.0.0.1")) }))
    w.ask({ url: "http://front.test/" })
    assert.strictEqual(w.call.authority, "front.test")
  })

  it("hears another name where a rewrite, a header edit or `none` says so, and its own where `auto` does", () => {
    const policies = [
      { _tag: "UrlRewrite", authority: { _tag: "Host", host: "other.test" } },
      { _tag: "UrlRewrite", authority: { _tag: "None" } },
      { _tag: "RequestHeaderModifier", add: [], set: [{ name: "host", value: "edited.test" }], remove: [] },
      { _tag: "UrlRewrite", path: { _tag: "Full", path: "/" } },
    ] as const
    const heard = policies.map((policy) => {
      const w = world(routing([toBackend("api.test")], [policy], { backends: table(host("api.test")) }))
      w.ask({ url: "http://front.test/" })
      return w.call.authority
    })
    assert.deepStrictEqual(heard, ["other.test", "front.test", "edited.test", "api.test"])
    const w = world(
      routing([toBackend("127.0.0.1")], [{ _tag: "UrlRewrite", authority: { _tag: "Auto" } }], {
        backends: table(host("127.0.0.1", [], 81)),
      }),
    )
    w.ask({ url: "http://front.test/" })
    assert.strictEqual(w.call.authority, "127.0.0.1:81")
  })

  it("is reached with the TLS, timeouts and keep-alive its policies ask for", () => {
    const policies = [
      { _tag: "BackendTls", tls: { ...tls, hostname: "cert.test" } },
      {
        _tag: "BackendTcp",
        connectTimeoutMillis: 250,
        keepalive: { enabled: false, timeMillis: 1, intervalMillis: 2, retries: 3 },
      },
      { _tag: "BackendHttp", version: "HTTP/2.0", requestTimeoutMillis: 700 },
    ] as const
    const w = world(routing([toBackend("api.test")], [], { backends: table(host("api.test", policies)) }))
    w.ask()
    const { call } = w
    assert.strictEqual(call.spec.tls?.hostname, "cert.test")
    assert.strictEqual(call.spec.connectTimeoutMillis, 250)
    assert.strictEqual(call.spec.keepAlive.enabled, false)
    assert.strictEqual(call.options.version, "2")
    assert.strictEqual(call.options.replyTimeoutMillis, 700)
  })

  it("is reached through a proxy with the credential of the tunnel", () => {
    const policies = [
      {
        _tag: "BackendTunnel",
        proxy: { _tag: "Backend", backend: BackendKey.make("/proxy.test") },
        auth: {
          _tag: "Key",
          value: Redacted.make("c2VjcmV0"),
          location: { _tag: "Header", name: "authorization", prefix: "Basic " },
        },
      },
    ] as const
    const w = world(
      routing([toBackend("api.test")], [], {
        backends: table(host("api.test", policies), host("proxy.test", [], 3128)),
      }),
    )
    w.ask()
    assert.deepStrictEqual(w.call.spec.tunnel, {
      proxy: { _tag: "Host", host: "proxy.test", port: 3128 },
      authorization: "Basic c2VjcmV0",
    })
  })

  it("refuses a tunnel that cannot be made", () => {
    const secret = Redacted.make("x")
    const proxy = { _tag: "Backend", backend: BackendKey.make("/proxy.test") } as const
    const tunnels = [
      { proxy: { _tag: "Service", service: ServiceKey.make("a/b"), port: 80 } as const },
      { proxy, tls },
      { proxy, auth: { _tag: "Key", value: secret, location: { _tag: "Header", name: "x-key" } } as const },
    ]
    for (const tunnel of tunnels) {
      const w = world(
        routing([toBackend("api.test")], [], {
          backends: table(host("api.test", [{ _tag: "BackendTunnel", ...tunnel }]), host("proxy.test")),
        }),
      )
      assert.strictEqual(refusalOf(w.ask()), "FilterFailed")
      assert.strictEqual(w.calls.length, 0)
    }
  })

  it("waits for the connection to its proxy as long as the tunnel says", () => {
    const w = world(
      routing([toBackend("api.test")], [], {
        backends: table(
          host("api.test", [
            { _tag: "BackendTcp", connectTimeoutMillis: 100 },
            {
              _tag: "BackendTunnel",
              proxy: { _tag: "Backend", backend: BackendKey.make("/proxy.test") },
              tcp: { _tag: "BackendTcp", connectTimeoutMillis: 200 },
            },
          ]),
          host("proxy.test"),
        ),
      }),
    )
    w.ask()
    assert.strictEqual(w.call.spec.connectTimeoutMillis, 200)
  })

  it("refuses by name what cannot be carried out for it", () => {
    const w = world(
      routing([toBackend("api.test")], [], {
        backends: table(host("api.test", [{ _tag: "SessionAffinity", source: "'x'" as never }])),
      }),
    )
    const answer = w.ask()
    assert.isFalse(isReply(answer))
    assert.deepInclude(answer, { _tag: "FilterFailed", detail: "SessionAffinity cannot be applied to this backend" })
    assert.strictEqual(w.calls.length, 0)
  })

  it("gets edits on a copy of the request, once for each attempt", () => {
    const edits = { _tag: "RequestHeaderModifier", add: [{ name: "x-a", value: "1" }], set: [], remove: [] } as const
    const w = world(
      routing([toBackend("api.test")], [{ _tag: "Retry", attempts: 1, codes: [503] }], {
        backends: table(host("api.test", [edits])),
      }),
    )
    w.answer = (_, index) => makeReply({ status: index === 0 ? 503 : 200 })
    const exchange = makeExchange()
    assert.strictEqual(statusOf(w.answered(exchange)), 200)
    assert.deepStrictEqual(
      w.calls.map(({ request }) => request.headers.all("x-a")),
      [["1"], ["1"]],
    )
    assert.isFalse(exchange.request.headers.has("x-a"))
  })
})

describe("the version of HTTP", () => {
  const version = (told: Parameters<typeof makeExchange>[0]) => {
    const w = world(routing([toBackend("api.test")], [], { backends: table(host("api.test")) }))
    w.ask(told)
    return w.call.options.version
  }
  it("follows the client in plaintext as far as the upstream can, and for gRPC in any case", () => {
    assert.strictEqual(version({ version: "2" }), "either")
    assert.strictEqual(version({ version: "2", headers: { "content-type": "application/grpc" } }), "2")
    assert.strictEqual(version({ version: "1.0" }), "1.1")
  })
  it("is 1.1 for clients over TLS, except for gRPC", () => {
    assert.strictEqual(version({ url: "https://x.test/", version: "2" }), "1.1")
    assert.strictEqual(
      version({ url: "https://x.test/", version: "2", headers: { "content-type": "application/grpc" } }),
      "2",
    )
  })
  it("is what the port of a service speaks", () => {
    const w = world(balancing([workload("a", "10.0.0.1")], { service: { appProtocols: { 80: "Grpc" } } }))
    w.ask({ version: "1.1" })
    assert.strictEqual(w.call.options.version, "2")
  })
})

describe("timeouts", () => {
  const timeouts = (requestMillis: number | undefined, backendRequestMillis: number | undefined) => ({
    _tag: "Timeout" as const,
    ...(requestMillis === undefined ? {} : { requestMillis }),
    ...(backendRequestMillis === undefined ? {} : { backendRequestMillis }),
  })
  const waited = (policy: ReturnType<typeof timeouts>, own?: number) => {
    const policies = own === undefined ? [] : [{ _tag: "BackendHttp" as const, requestTimeoutMillis: own }]
    const w = world(routing([toBackend("api.test")], [policy], { backends: table(host("api.test", policies)) }))
    w.answer = () => ({ _tag: "ReplyTimeout", message: "late" })
    const answer = w.ask()
    return [w.call.options.replyTimeoutMillis, refusalOf(answer)] as const
  }
  it("bound each attempt by whichever comes first, and say which it was", () => {
    assert.deepStrictEqual(waited(timeouts(1000, 200)), [200, "UpstreamTimeout"])
    assert.deepStrictEqual(waited(timeouts(100, 200)), [100, "RequestTimeout"])
    assert.deepStrictEqual(waited(timeouts(undefined, 200)), [200, "UpstreamTimeout"])
  })
  it("of the backend itself overrule those of the route", () => {
    assert.deepStrictEqual(waited(timeouts(undefined, 200), 50), [50, "UpstreamTimeout"])
    assert.deepStrictEqual(waited(timeouts(undefined, 200), 0), [undefined, "UpstreamTimeout"])
  })
  it("send nothing when the time is up before", () => {
    const w = world(routing([toBackend("api.test")], [timeouts(1, undefined)], { backends: table(host("api.test")) }))
    const exchange = makeExchange({ startedMillis: 0 })
    assert.strictEqual(refusalOf(w.answered(exchange)), "RequestTimeout")
    assert.strictEqual(w.calls.length, 0)
  })
})

describe("a service", () => {
  it("leads to its endpoints, at the port of each, and keeps the client's authority", () => {
    const w = world(
      balancing([
        workload("a", "10.0.0.1"),
        workload("b", "10.0.0.2", { services: { "shop/cart.shop.svc": { 80: 9090 } } }),
      ]),
    )
    const exchange = makeExchange({ url: "http://front.test/" })
    w.clock.draw = 0
    w.answered(exchange)
    w.clock.draw = 0.9
    w.ask()
    assert.deepStrictEqual(w.targets, ["10.0.0.1:8080", "10.0.0.2:9090"])
    assert.strictEqual(w.call.authority, "front.test")
    assert.strictEqual(exchange.trail.backend, "shop/cart.shop.svc:80")
  })

  it("is called by its own name where `auto` says so", () => {
    const w = world(
      balancing([workload("a", "10.0.0.1")], {
        policies: [{ _tag: "UrlRewrite", authority: { _tag: "Auto" } }],
      }),
    )
    w.ask({ url: "http://front.test/" })
    assert.strictEqual(w.call.authority, "cart.shop.svc")
  })

  it("proves its own name over TLS, not its endpoint's address", () => {
    const w = world(balancing([workload("a", "10.0.0.1")], { backendPolicies: [{ _tag: "BackendTls", tls }] }))
    w.ask()
    assert.strictEqual(w.call.spec.tls?.hostname, "cart.shop.svc")
  })

  it("without a usable endpoint, or without that port, has nobody to ask", () => {
    assert.strictEqual(refusalOf(world(balancing([])).ask()), "NoHealthyBackends")
    const unhealthy = world(balancing([workload("a", "10.0.0.1", { healthy: false })]))
    assert.strictEqual(refusalOf(unhealthy.ask()), "NoHealthyBackends")
    const drained = world(balancing([workload("a", "10.0.0.1", { capacity: 0 })]))
    assert.strictEqual(refusalOf(drained.ask()), "NoHealthyBackends")
    const portless = world(balancing([workload("a", "10.0.0.1")], { service: { ports: { 81: 8080 } } }))
    assert.strictEqual(refusalOf(portless.ask()), "NoHealthyBackends")
  })

  it("asks unhealthy endpoints where the policy allows all", () => {
    const w = world(
      balancing([workload("a", "10.0.0.1", { healthy: false })], {
        service: { loadBalancer: { routingPreferences: [], mode: "Standard", healthPolicy: "AllowAll" } },
      }),
    )
    assert.strictEqual(statusOf(w.ask()), 200)
  })

  it("of one address family is asked there only", () => {
    const both = workload("a", "10.0.0.1", { addresses: ["10.0.0.1", "fd00::1"] })
    const w = world(balancing([both], { service: { ipFamilies: "IPv6" } }))
    w.ask()
    assert.deepStrictEqual(w.targets, ["fd00::1:8080"])
  })
})

describe("a dynamic backend", () => {
  const dynamic = () => world(routing([to({ _tag: "Dynamic" })]))
  it("goes where the client asked, at the usual port of its scheme", () => {
    const w = dynamic()
    w.ask({ url: "http://a.test/" })
    w.ask({ url: "https://a.test/" })
    w.ask({ url: "http://a.test:81/" })
    assert.deepStrictEqual(w.targets, ["a.test:80", "a.test:443", "a.test:81"])
    assert.strictEqual(w.calls[2]?.authority, "a.test:81")
  })
  it("does not lead back to the door the client came in by", () => {
    for (const name of ["127.0.0.1:8080", "localhost:8080", "0.0.0.0:8080", "[::1]:8080", "[::ffff:127.0.0.1]:8080"]) {
      const w = dynamic()
      assert.strictEqual(refusalOf(w.ask({ url: `http://${name}/` })), "LoopDetected", name)
      assert.strictEqual(w.calls.length, 0)
    }
    assert.strictEqual(statusOf(dynamic().ask({ url: "http://127.0.0.1:8081/" })), 200)
    assert.strictEqual(statusOf(dynamic().ask({ url: "http://10.0.0.1:8080/" })), 200)
  })
  it("keeps only so many endpoints open, the ones used last", () => {
    const w = dynamic()
    for (let i = 0; i < DYNAMIC_ENDPOINTS_MAX; i++) w.ask({ url: `http://h${i}.test/` })
    assert.strictEqual(w.endpoints.size, DYNAMIC_ENDPOINTS_MAX)
    w.ask({ url: "http://h0.test/" })
    w.ask({ url: "http://new.test/" })
    assert.strictEqual(w.endpoints.size, DYNAMIC_ENDPOINTS_MAX)
    assert.deepStrictEqual(w.closed, ["h1.test:80"])
  })
})

describe("CONNECT", () => {
  const socket = { destroy: () => {} } as unknown as Socket
  it("is answered with the raw connection", () => {
    const w = world(routing([toBackend("api.test")], [], { backends: table(host("api.test")) }))
    w.dial = () => Effect.succeed(socket)
    const answer = w.ask({ method: "CONNECT", url: "http://db.test:5432" }) as Reply
    assert.strictEqual(answer.status, 200)
    assert.strictEqual(answer.tunnel, socket)
    assert.strictEqual(w.calls.length, 0)
  })
  it("to a dynamic backend needs a port", () => {
    const w = world(routing([to({ _tag: "Dynamic" })]))
    w.dial = () => Effect.succeed(socket)
    assert.strictEqual(refusalOf(w.ask({ method: "CONNECT", url: "http://db.test" })), "InvalidRequest")
    assert.strictEqual(statusOf(w.ask({ method: "CONNECT", url: "http://db.test:5432" })), 200)
    assert.deepInclude(w.dialled[0]?.target, { host: "db.test", port: 5432 })
  })
})

describe("what leads nowhere", () => {
  const cases = [
    ["an invalid reference", to({ _tag: "Invalid" }), "BackendNotFound"],
    ["an invalid backend", toBackend("broken"), "BackendNotFound"],
    ["an unknown backend", toBackend("missing"), "ServiceNotFound"],
    ["an unknown service", to({ _tag: "Service", service: ServiceKey.make("a/b"), port: 80 }), "ServiceNotFound"],
    ["a backend that cannot be called", toBackend("internal"), "InvalidBackendType"],
  ] as const
  const backends = table(
    { _tag: "Invalid", key: BackendKey.make("/broken"), policies: [], reason: "no" } as const,
    { _tag: "Internal", key: BackendKey.make("/internal"), policies: [] } as const,
  )
  for (const [name, backend, refusal] of cases)
    it(`${name} is refused as such`, () => {
      assert.strictEqual(refusalOf(world(routing([backend], [], { backends })).ask()), refusal)
    })
  it("no backends, or none with a weight, is refused unless a policy answers", () => {
    assert.strictEqual(refusalOf(world(routing([])).ask()), "NoValidBackends")
    const weightless = routing([toBackend("a.test", { weight: 0 })], [], { backends: table(host("a.test")) })
    assert.strictEqual(refusalOf(world(weightless).ask()), "NoValidBackends")
    assert.strictEqual(
      statusOf(world(routing([], [{ _tag: "DirectResponse", status: 204, headers: [] } as never])).ask()),
      204,
    )
  })
  it("a missing group is no route", () => {
    const w = world(routing([to({ _tag: "Group", group: RouteGroupKey.make("none") })]))
    assert.strictEqual(refusalOf(w.ask()), "RouteNotFound")
  })
})

describe("weights", () => {
  it("share requests, one draw for each", () => {
    const w = world(
      routing([toBackend("a.test", { weight: 3 }), toBackend("b.test", { weight: 1 })], [], {
        backends: table(host("a.test"), host("b.test")),
      }),
    )
    for (const drawn of [0, 0.3, 0.74, 0.76]) {
      w.clock.draw = drawn
      w.ask()
    }
    assert.deepStrictEqual(w.targets, ["a.test:80", "a.test:80", "a.test:80", "b.test:80"])
  })
  it("are drawn once for all attempts", () => {
    const w = world(
      routing([toBackend("a.test"), toBackend("b.test")], [{ _tag: "Retry", attempts: 2, codes: [500] }], {
        backends: table(host("a.test"), host("b.test")),
      }),
    )
    let draws = 0
    w.answer = () => {
      w.clock.draw = ++draws % 2 === 0 ? 0.1 : 0.9
      return makeReply({ status: 500 })
    }
    w.clock.draw = 0.1
    w.ask()
    assert.deepStrictEqual(w.targets, ["a.test:80", "a.test:80", "a.test:80"])
  })
})
