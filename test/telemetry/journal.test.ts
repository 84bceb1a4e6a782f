import { assert, describe, it } from "vitest"
import type { Ending, RelayEnding } from "../../stages/ports/Journal.ts"
import type { CompiledBind, CompiledListener } from "../../stages/Plan.ts"
import { flowFailure } from "../../stages/Body.ts"
import { makeHosts } from "../../stages/4-route/host.ts"
import { Headers } from "../../protocols/http/headers.ts"
import {
  acceptedFrom,
  answered,
  bind,
  exchangeOf,
  listener,
  planOf,
  removing,
  reply,
  routeOf,
  upstream,
  world,
} from "./exchanges.ts"
import { valueOf } from "./prometheus.ts"

const requests = "agentgateway_requests_total"

describe("an exchange", () => {
  it("is one line with everything that is known of it", () => {
    const { journal, lines } = world()
    const trail = { ...upstream, route: routeOf("orders", "rule1") }
    journal.exchange(exchangeOf({ trail, query: "page=2" }), answered())
    assert.deepEqual(lines, [
      "2023-11-14T22:13:21.005875Z\tinfo\trequest gateway=ns/default listener=listener0 route_rule=rule1 " +
        "route=ns/orders endpoint=10.1.1.1:80 src.addr=10.0.0.1:5000 http.method=GET http.host=example.com " +
        "http.path=/a?page=2 http.version=HTTP/1.1 http.status=200 protocol=http duration=5ms\n",
    ])
  })

  it("is one JSON object where that is asked for", () => {
    const { journal, lines } = world(undefined, "json")
    const trail = { ...upstream, route: routeOf("orders"), attempts: 3 }
    journal.exchange(exchangeOf({ trail, path: '/a"\\b' }), answered())
    assert.deepEqual(JSON.parse(lines.join("")), {
      level: "info",
      time: "2023-11-14T22:13:21.005875Z",
      scope: "request",
      gateway: "ns/default",
      listener: "listener0",
      route: "ns/orders",
      endpoint: "10.1.1.1:80",
      "src.addr": "10.0.0.1:5000",
      "http.method": "GET",
      "http.host": "example.com",
      "http.path": '/a"\\b',
      "http.version": "HTTP/1.1",
      "http.status": 200,
      protocol: "http",
      "retry.attempt": 2,
      duration: "5ms",
    })
  })

  it("is counted under every label it has", () => {
    const { journal, samples } = world()
    const exchange = exchangeOf({ trail: { ...upstream, route: routeOf("orders", "rule1"), attempts: 3 } })
    journal.exchange(exchange, answered())
    journal.exchange(exchange, answered())
    const labels = {
      backend: "/backend0",
      protocol: "http",
      method: "GET",
      status: "200",
      reason: "Upstream",
      bind: "bind/8080",
      gateway: "ns/default",
      listener: "listener0",
      route: "ns/orders",
      route_rule: "rule1",
    }
    const all = samples()
    assert.equal(valueOf(all, requests, labels), 2)
    assert.equal(valueOf(all, "agentgateway_request_duration_seconds_count", labels), 2)
    assert.closeTo(valueOf(all, "agentgateway_request_duration_seconds_sum", labels), 0.01175, 1e-9)
    assert.equal(valueOf(all, "agentgateway_response_bytes_total", labels), 128)
    assert.equal(valueOf(all, "agentgateway_retries_total", labels), 4)
    assert.closeTo(valueOf(all, "agentgateway_request_processing_seconds_sum", { route: "ns/orders" }), 0.0004, 1e-9)
    assert.closeTo(valueOf(all, "agentgateway_response_processing_seconds_sum", { backend: "/backend0" }), 0.001, 1e-9)
    const call = { kind: "Primary", subtype: "Http" }
    assert.equal(valueOf(all, "agentgateway_upstream_call_duration_seconds_count", call), 2)
    assert.closeTo(valueOf(all, "agentgateway_upstream_call_duration_seconds_sum", call), 0.0076, 1e-9)
  })

  it("has no series for bytes and retries that it did not have", () => {
    const { journal, samples } = world()
    const delivered = { outcome: "complete", bytes: 0, failure: undefined } as const
    journal.exchange(exchangeOf({ trail: upstream }), answered({ delivered }))
    const names = samples().map(({ name }) => name)
    assert.notInclude(names, "agentgateway_response_bytes_total")
    assert.notInclude(names, "agentgateway_retries_total")
  })

  const endings: ReadonlyArray<{
    readonly name: string
    readonly trail?: Parameters<typeof exchangeOf>[0]
    readonly ending: Ending
    readonly status: string
    readonly reason: string
    readonly line: RegExp
  }> = [
    {
      name: "refused by the gateway",
      trail: { trail: { refusal: { _tag: "RouteNotFound" } } },
      ending: answered({ reply: reply(404, { origin: "gateway" }) }),
      status: "404",
      reason: "NotFound",
      line: / http\.status=404 protocol=http error="route not found" reason=NotFound duration=5ms\n$/,
    },
    {
      name: "answered by the gateway",
      ending: answered({ reply: reply(301, { origin: "gateway" }) }),
      status: "301",
      reason: "DirectResponse",
      line: / http\.status=301 protocol=http reason=DirectResponse duration=5ms\n$/,
    },
    {
      name: "broken off by the upstream in the middle",
      trail: { trail: upstream },
      ending: answered({
        outcome: "upstreamFailed",
        delivered: { outcome: "upstreamFailed", bytes: 5, failure: flowFailure("gone", "connection reset") },
      }),
      status: "200",
      reason: "UpstreamFailure",
      line: / http\.status=200 protocol=http error="connection reset" reason=UpstreamFailure duration=5ms\n$/,
    },
    {
      name: "left silent by the upstream in the middle",
      trail: { trail: upstream },
      ending: answered({
        outcome: "upstreamFailed",
        delivered: { outcome: "upstreamFailed", bytes: 5, failure: flowFailure("stalled", "nothing for 5 ms") },
      }),
      status: "200",
      reason: "Timeout",
      line: / http\.status=200 protocol=http error="nothing for 5 ms" reason=Timeout duration=5ms\n$/,
    },
    {
      name: "left silent by the upstream, of which the client was told in words of a protocol",
      trail: { trail: { ...upstream, brokenOff: flowFailure("stalled", "nothing for 5 ms") } },
      ending: answered(),
      status: "200",
      reason: "Timeout",
      line: / http\.status=200 protocol=http error="nothing for 5 ms" reason=Timeout duration=5ms\n$/,
    },
    {
      name: "left by the client in the middle",
      trail: { trail: upstream },
      ending: answered({
        outcome: "clientGone",
        delivered: { outcome: "clientGone", bytes: 5, failure: undefined },
      }),
      status: "200",
      reason: "ClientGone",
      line: / http\.status=200 protocol=http error="the client left in the middle of the reply" reason=ClientGone /,
    },
    {
      name: "left by the client before there was a reply",
      trail: { trail: { ...upstream, upstreamHeadMillis: 0, replyMillis: 0 } },
      ending: answered({ outcome: "interrupted", reply: undefined, delivered: undefined }),
      status: "unknown",
      reason: "ClientGone",
      line: / http\.version=HTTP\/1\.1 protocol=http error="the client left before there was a reply" reason=ClientGone /,
    },
    {
      name: "ended by the gateway's own end",
      trail: { trail: upstream },
      ending: answered({ outcome: "drained" }),
      status: "200",
      reason: "Drained",
      line: / error="the gateway shut down before the end of the reply" reason=Drained /,
    },
  ]
  for (const { ending, line, name, reason, status, trail } of endings) {
    it(`${name} is one line and one request`, () => {
      const { journal, lines, samples } = world()
      journal.exchange(exchangeOf(trail), ending)
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", line)
      assert.equal(valueOf(samples(), requests), 1)
      assert.equal(valueOf(samples(), requests, { reason, status }), 1)
    })
  }

  it("cannot forge another line", () => {
    for (const format of ["text", "json"] as const) {
      const { journal, lines } = world(undefined, format)
      const path = "/a\n2023-11-14T22:13:21.005000Z\tinfo\trequest forged=yes\u2028\u001b[31m\u009b"
      journal.exchange(exchangeOf({ path, host: "a b", method: "GE\tT" }), answered())
      const line = lines.join("")
      assert.lengthOf(line.split("\n"), 2)
      assert.notMatch(line.slice(0, -1), /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028]/)
      if (format === "json") assert.equal((JSON.parse(line) as Record<string, unknown>)["http.path"], path)
      else assert.include(line, ` http.path=${'"/a\\n2023'}`)
    }
  })

  it("shows no credentials from its query", () => {
    const { journal, lines } = world()
    const query = "a=1&access_token=s3cret1&API_KEY=s3cret2&key=s3cret3&monkey=ok&X-Amz-Signature=s3cret4&code=s3cret5"
    journal.exchange(exchangeOf({ query }), answered())
    assert.notInclude(lines.join(""), "s3cret")
    assert.include(lines.join(""), "a=1&access_token=<redacted>&")
    assert.include(lines.join(""), "&monkey=ok&")
  })

  it("tells where the client meant to go, not where it was sent", () => {
    const { journal, lines } = world()
    const exchange = exchangeOf({ host: "inside", path: "/new" })
    exchange.original = { scheme: "http", authority: "outside", host: "outside", path: "/old", query: undefined }
    journal.exchange(exchange, answered())
    assert.match(lines.join(""), / http\.host=outside http\.path=\/old /)
  })

  it("is counted as another method when its method is an invention", () => {
    const { journal, samples } = world()
    for (let i = 0; i < 20; i++) journal.exchange(exchangeOf({ method: `M${i}` }), answered())
    assert.equal(valueOf(samples(), requests, { method: "_OTHER" }), 20)
  })

  it("tells the client's SPIFFE identity, and the status of gRPC", () => {
    const { journal, lines } = world()
    const client = {
      subject: "",
      subjectCn: undefined,
      issuer: "",
      subjectAltNames: ["a.example", "spiffe://td/ns/a/sa/b"],
      certificatePem: "",
    }
    const tls = { serverName: "s.example", alpn: "h2", version: "TLSv1.3", client }
    const headers = new Headers(["content-type", "application/grpc", "grpc-status", "14"])
    journal.exchange(exchangeOf({ tls, version: "2" }), answered({ reply: reply(200, { headers }) }))
    assert.include(lines.join(""), " src.identity=spiffe://td/ns/a/sa/b ")
    assert.include(lines.join(""), " http.version=HTTP/2.0 http.status=200 grpc.status=14 ")
    assert.notInclude(lines.join(""), "tls.sni")
  })

  it("tells whom a verified token is about, on a line of its own", () => {
    const { journal, lines } = world()
    for (const sub of ["ann", "a b\nrequest x=y", 7]) {
      const exchange = exchangeOf({})
      exchange.identity = { jwt: { sub } }
      journal.exchange(exchange, answered({ reply: reply(200) }))
    }
    const [first = "", second = "", third = "", ...rest] = lines.join("").trimEnd().split("\n")
    assert.include(first, " http.status=200 jwt.sub=ann protocol=http ")
    assert.include(second, ' jwt.sub="a b\\nrequest x=y" protocol=http ')
    assert.notInclude(third, "jwt.sub")
    assert.deepStrictEqual(rest, [])
  })

  it("has numbers of its own only when debugging is asked for", () => {
    const { journal, lines } = world({ level: "info", targets: [{ target: "request", level: "debug" }] })
    const accepted = acceptedFrom("::1", 9)
    journal.exchange(exchangeOf({ accepted }), answered())
    journal.exchange(exchangeOf({ accepted }), answered())
    journal.exchange(exchangeOf(), answered())
    assert.deepEqual(
      lines.map((line) => /connection\.id=\d+ request\.id=\d+/.exec(line)?.[0]),
      ["connection.id=1 request.id=1", "connection.id=1 request.id=2", "connection.id=2 request.id=3"],
    )
    assert.include(lines[0] ?? "", " src.addr=[::1]:9 ")
  })

  it("leaves out the fields that a policy takes out", () => {
    const { journal, lines } = world()
    const plan = planOf(removing("http.path", "gateway", "duration", "src.addr", "no.such"))
    journal.exchange(exchangeOf({ plan, trail: { ...upstream, route: routeOf("orders") } }), answered())
    assert.match(
      lines.join(""),
      /\trequest listener=listener0 route=ns\/orders endpoint=\S+ http\.method=GET http\.host=/,
    )
    assert.notMatch(lines.join(""), /path|gateway=|duration|src\.addr/)
  })

  it("is counted but not written while the level of its target is off", () => {
    const { journal, levels, lines, samples } = world({ level: "info", targets: [{ target: "request", level: "off" }] })
    journal.exchange(exchangeOf(), answered())
    journal.malformed(bind, { host: "10.0.0.1", port: 1 }, 400, "bad")
    assert.lengthOf(lines, 0)
    levels.set({ level: undefined, targets: [{ target: "request", level: "info" }] })
    journal.exchange(exchangeOf(), answered())
    assert.lengthOf(lines, 1)
    assert.equal(valueOf(samples(), requests, { method: "GET" }), 2)
  })

  it("that no listener took has the names that are known", () => {
    const { journal, lines, samples } = world()
    const refusal = { _tag: "ListenerNotFound" } as const
    journal.exchange(exchangeOf({ trail: { listener: undefined, refusal } }), answered({ reply: reply(404) }))
    assert.match(lines.join(""), /\trequest src\.addr=/)
    assert.equal(valueOf(samples(), requests, { bind: "bind/8080", gateway: "unknown", route: "unknown" }), 1)
  })
})

const compiledBind = (more: Partial<CompiledBind>): CompiledBind => ({
  ir: { key: bind, address: { _tag: "Ip", port: 8080 }, protocol: "http", tunnel: "direct" },
  frontend: {} as CompiledBind["frontend"],
  plaintext: makeHosts([]),
  sealed: makeHosts([]),
  tcp: undefined,
  ...more,
})

describe("a connection", () => {
  const plan = { ...planOf(), binds: new Map([[bind, compiledBind({})]]) }

  it("is counted under what its bind says of it", () => {
    const { journal, samples, watch } = world()
    const peer = { host: "10.0.0.1", port: 1 }
    watch(plan)
    journal.accepted(bind, peer)
    const labels = { bind, gateway: "ns/default", listener: "listener0", protocol: "http" }
    assert.equal(valueOf(samples(), "agentgateway_downstream_connections_total", labels), 1)
  })

  it("is counted before there is a plan", () => {
    const { journal, samples } = world()
    journal.accepted(bind, { host: "10.0.0.1", port: 1 })
    assert.equal(valueOf(samples(), "agentgateway_downstream_connections_total", { bind, gateway: "unknown" }), 1)
  })

  it("that ends early is counted by its stage, and told on request", () => {
    const quiet = world()
    quiet.journal.rejected(bind, { host: "10.0.0.1", port: 1 }, "tls", "no certificate")
    assert.lengthOf(quiet.logged, 0)
    assert.equal(
      valueOf(quiet.samples(), "agentgateway_downstream_connections_rejected_total", { bind, stage: "tls" }),
      1,
    )
    const loud = world({ level: "debug", targets: [] })
    loud.journal.rejected(bind, { host: "10.0.0.1", port: 1 }, "tls", "no certificate")
    assert.match(loud.logged.join(""), /^debug connection .*no certificate/)
  })

  it("tells how long its handshake took, under the listener it was for", () => {
    const { journal, samples, watch } = world()
    const sealed = { ...listener, ir: { ...listener.ir, protocol: "HTTPS" as const } }
    const hosts = makeHosts([{ hostname: "*.example.com", value: sealed }])
    watch({
      ...plan,
      binds: new Map([[bind, compiledBind({ sealed: hosts })]]),
      listeners: new Map([[listener.ir.key, sealed]]),
    })
    journal.handshake(bind, 2.5, { serverName: "a.example.com", alpn: "h2", version: "TLSv1.3", client: undefined })
    const labels = { listener: "listener0", protocol: "https" }
    assert.equal(valueOf(samples(), "agentgateway_tls_handshake_duration_seconds_sum", labels), 0.0025)
  })

  it("with bytes that are no request is one line and one request", () => {
    const { journal, lines, samples, watch } = world()
    watch(plan)
    journal.malformed(bind, { host: "10.0.0.1", port: 1 }, 431, "header too large")
    assert.match(
      lines.join(""),
      /\trequest gateway=ns\/default listener=listener0 src\.addr=10\.0\.0\.1:1 http\.status=431 protocol=http error="header too large" reason=InvalidRequest\n$/,
    )
    assert.equal(valueOf(samples(), requests, { status: "431", reason: "InvalidRequest", method: "unknown" }), 1)
  })

  it("that is relayed is one line, with its bytes counted", () => {
    const { journal, lines, samples, watch } = world()
    const tcp: CompiledListener = { ...listener, ir: { ...listener.ir, protocol: "TLS" } }
    watch({ ...plan, listeners: new Map([[listener.ir.key, tcp]]) })
    const ending: RelayEnding = {
      listener: listener.ir.key,
      route: "gateway/default/ns/raw",
      endpoint: "10.1.1.1:5432",
      serverName: "db.example.com",
      startedMillis: 1000,
      endedMillis: 3000.7,
      sentBytes: 100,
      receivedBytes: 50,
      error: undefined,
    }
    journal.relay(acceptedFrom("10.0.0.1", 5000), ending)
    assert.match(
      lines.join(""),
      /\trequest gateway=ns\/default listener=listener0 route=gateway\/default\/ns\/raw endpoint=10\.1\.1\.1:5432 src\.addr=10\.0\.0\.1:5000 tls\.sni=db\.example\.com protocol=tcp duration=2000ms\n$/,
    )
    const labels = { listener: "listener0", protocol: "tls" }
    assert.equal(valueOf(samples(), "agentgateway_downstream_sent_bytes_total", labels), 100)
    assert.equal(valueOf(samples(), "agentgateway_downstream_received_bytes_total", labels), 50)
    journal.relay(acceptedFrom("10.0.0.1", 5000), { ...ending, endpoint: undefined, error: 'refused "here"' })
    assert.include(lines[1] ?? "", 'error="refused \\"here\\""')
  })
})
