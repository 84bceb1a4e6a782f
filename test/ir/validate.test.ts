import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import type { Attachment } from "../../ir/Attachment.ts"
import type { BackendRef } from "../../ir/BackendRef.ts"
import type { Bind } from "../../ir/Bind.ts"
import { changedPart, diff } from "../../ir/diff.ts"
import { Expression } from "../../ir/Expression.ts"
import {
  AttachmentKey,
  BackendKey,
  BindKey,
  ListenerKey,
  RouteGroupKey,
  RouteKey,
  ServiceKey,
  TcpRouteKey,
} from "../../ir/Key.ts"
import type { Listener } from "../../ir/Listener.ts"
import type { Match } from "../../ir/Match.ts"
import type { BackendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import type { Route } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Target } from "../../ir/Target.ts"
import type { TcpRoute } from "../../ir/TcpRoute.ts"
import type { ClientTls, ServerTls } from "../../ir/Tls.ts"
import { isTransient } from "../../ir/Issue.ts"
import { validate } from "../../ir/validate.ts"
import type { Service } from "../../ir/Workload.ts"
import { backend, bind, listener, route, snapshot, table } from "./snapshots.ts"

/** `table/key path code`, the part of an issue that a reader would look for. */
const found = (snapshot: Snapshot): ReadonlyArray<string> =>
  validate(snapshot).map(
    ({ code, path, resource, severity }) =>
      `${severity === "error" ? "" : `${severity} `}${code} ${resource.table}/${resource.key} ${path.join(".")}`,
  )

const expectFound = (snapshot: Snapshot, ...expected: ReadonlyArray<string>) =>
  assert.deepStrictEqual(found(snapshot), expected)

const withRoute = (more: Partial<Route>) => snapshot({ routes: table({ ...route, ...more }) })
const withListener = (more: Partial<Listener>) =>
  snapshot({ listeners: table({ ...listener, ...more }), routes: new Map() })
const withBackendRef = (ref: BackendRef) => withRoute({ backends: [{ weight: 1, backend: ref, policies: [] }] })

const serverTls: ServerTls = {
  identity: { certificatePem: "pem", keyPem: Redacted.make("key") },
  mintsLeaves: false,
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [],
  keyExchangeGroups: [],
}
const clientTls: ClientTls = {
  verify: "full",
  subjectAltNames: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [],
  keyExchangeGroups: [],
}
const service: Service = {
  key: ServiceKey.make("n/svc"),
  name: "svc",
  namespace: "n",
  hostname: "svc",
  vips: [],
  ports: { "80": 8080 },
  appProtocols: {},
  subjectAltNames: [],
}

const attach = (policy: Attachment["policy"], target: Target): Snapshot =>
  snapshot({
    services: table(service),
    attachments: table<Attachment>({
      key: AttachmentKey.make("a"),
      target,
      inheritance: "default",
      policy,
    }),
  })
const gateway: Target = { _tag: "Gateway", name: "g", namespace: "n" }
const csrf: TrafficPolicy = { _tag: "Csrf", additionalOrigins: [] }

it("a snapshot that works has no issues", () => expectFound(snapshot({ services: table(service) })))

it("every issue says what is wrong and what to do", () => {
  const [issue] = validate(withRoute({ matches: [] }))
  assert.deepStrictEqual(issue, {
    severity: "error",
    code: "unreachable",
    resource: { table: "routes", key: "l/n/r" },
    path: ["matches"],
    message: "a route without matches never takes a request",
    remedy: "leave matches out to match everything, or remove the route",
  })
})

it("a resource is stored under its own key", () =>
  expectFound(
    snapshot({ backends: new Map([...table(backend), [BackendKey.make("x"), backend]]) }),
    "key backends/x key",
  ))

it("a change is judged without the rest", () => {
  const broken: Route = { ...route, key: RouteKey.make("broken"), matches: [] }
  const before = snapshot({ routes: table(route, broken) })
  const changed: Route = { ...route, parent: { _tag: "Listener", listener: ListenerKey.make("gone") } }
  const after = { ...before, routes: table(changed, broken) }
  const issues = validate(after, changedPart(diff(before, after)))
  assert.deepStrictEqual(
    issues.map(({ code, resource }) => [code, resource.key]),
    [["dangling", route.key]],
  )
  assert.lengthOf(validate(after), 2)
})

describe("what a resource refers to exists", () => {
  it("the bind of a listener", () =>
    expectFound(withListener({ bind: BindKey.make("gone") }), "dangling listeners/l bind"))
  it("the parent of a route", () => {
    expectFound(
      withRoute({ parent: { _tag: "Listener", listener: ListenerKey.make("gone") } }),
      "dangling routes/l/n/r parent.listener",
    )
    expectFound(
      withRoute({ parent: { _tag: "Group", group: RouteGroupKey.make("gone") } }),
      "dangling routes/l/n/r parent.group",
    )
    expectFound(
      withRoute({ parent: { _tag: "Service", service: service.key, port: 0 } }),
      "dangling routes/l/n/r parent.service",
    )
  })
  it("the port of a service, where 0 stands for all", () => {
    const at = (port: number): Snapshot => ({
      ...withRoute({ parent: { _tag: "Service", service: service.key, port } }),
      services: table(service),
    })
    expectFound(at(0))
    expectFound(at(80))
    expectFound(at(81), "dangling routes/l/n/r parent.port")
  })
  it("the backends of a route", () => {
    expectFound(
      withBackendRef({ _tag: "Backend", backend: BackendKey.make("gone") }),
      "dangling routes/l/n/r backends.0.backend.backend",
    )
    expectFound(
      withBackendRef({ _tag: "Service", service: service.key, port: 80 }),
      "dangling routes/l/n/r backends.0.backend.service",
    )
    expectFound(
      { ...withBackendRef({ _tag: "Service", service: service.key, port: 81 }), services: table(service) },
      "dangling routes/l/n/r backends.0.backend.port",
    )
    expectFound(
      withBackendRef({ _tag: "Group", group: RouteGroupKey.make("gone") }),
      "dangling routes/l/n/r backends.0.backend.group",
    )
    expectFound(withBackendRef({ _tag: "Dynamic" }))
    expectFound(withBackendRef({ _tag: "Invalid" }))
  })
  it("the services that policies call, however deep they are named", () => {
    const gone: BackendRef = { _tag: "Backend", backend: BackendKey.make("gone") }
    const policies: ReadonlyArray<TrafficPolicy> = [
      { _tag: "RequestMirror", mirrors: [{ backend: gone, fraction: 1 }] },
      {
        _tag: "Conditional",
        entries: [
          {
            policy: {
              _tag: "RemoteRateLimit",
              callee: {
                backend: { _tag: "Backend", backend: backend.key },
                policies: [{ _tag: "BackendTunnel", proxy: gone }],
              },
              domain: "d",
              descriptors: [],
              failureMode: "failClosed",
            },
          },
        ],
      },
    ]
    expectFound(
      withRoute({ policies }),
      "dangling routes/l/n/r policies.0.mirrors.0.backend.backend",
      "dangling routes/l/n/r policies.1.entries.0.policy.callee.policies.0.proxy.backend",
    )
  })
  it("a policy cannot call a group of routes", () =>
    expectFound(
      withRoute({
        policies: [
          {
            _tag: "RequestMirror",
            mirrors: [{ backend: { _tag: "Group", group: RouteGroupKey.make("x") }, fraction: 1 }],
          },
        ],
      }),
      "value routes/l/n/r policies.0.mirrors.0.backend",
    ))
  it("while a control plane is still sending, what is missing is no fault", () => {
    const [issue] = validate(withRoute({ parent: { _tag: "Listener", listener: ListenerKey.make("gone") } }))
    assert.isTrue(issue !== undefined && isTransient(issue))
    const [other] = validate(withListener({ protocol: "TCP" }))
    assert.isFalse(other === undefined || isTransient(other))
  })
})

describe("two things never take the same place", () => {
  const on = (key: string, address: Bind["address"]): Bind => ({ ...bind, key: BindKey.make(key), address })
  it("binds at one address", () => {
    const clash = (a: Bind["address"], b: Bind["address"]) =>
      found(snapshot({ binds: table(bind, on("x", a), on("y", b)) }))
    assert.deepStrictEqual(clash({ _tag: "Ip", port: 81 }, { _tag: "Ip", port: 81 }), ["address binds/y address"])
    assert.deepStrictEqual(clash({ _tag: "Ip", port: 81 }, { _tag: "Ip", host: "127.0.0.1", port: 81 }), [
      "address binds/y address",
    ])
    assert.deepStrictEqual(clash({ _tag: "Ip", host: "127.0.0.1", port: 81 }, { _tag: "Ip", port: 81 }), [
      "address binds/y address",
    ])
    assert.deepStrictEqual(
      clash({ _tag: "Ip", host: "127.0.0.1", port: 81 }, { _tag: "Ip", host: "127.0.0.2", port: 81 }),
      [],
    )
    assert.deepStrictEqual(clash({ _tag: "Ip", port: 0 }, { _tag: "Ip", port: 0 }), [])
    assert.deepStrictEqual(clash({ _tag: "Unix", path: "/s" }, { _tag: "Unix", path: "/s" }), [
      "address binds/y address",
    ])
    assert.deepStrictEqual(clash({ _tag: "Internal" }, { _tag: "Internal" }), ["address binds/y address"])
    assert.deepStrictEqual(clash({ _tag: "Internal" }, { _tag: "Internal", port: 81 }), [])
  })
  it("listeners with one host name, unless one of them is for TLS", () => {
    const two = (a: Partial<Listener>, b: Partial<Listener>, protocol: Bind["protocol"]) =>
      found(
        snapshot({
          binds: table({ ...bind, protocol }),
          listeners: table({ ...listener, ...a }, { ...listener, key: ListenerKey.make("m"), ...b }),
          routes: new Map(),
        }),
      )
    assert.deepStrictEqual(two({}, {}, "http"), ["unreachable listeners/m hostname"])
    assert.deepStrictEqual(two({}, { hostname: "a.com" }, "http"), [])
    assert.deepStrictEqual(two({}, { protocol: "HTTPS", tls: serverTls }, "auto"), [])
  })
  it("TCP listeners on one bind", () =>
    expectFound(
      snapshot({
        binds: table({ ...bind, protocol: "tcp" }),
        listeners: table(
          { ...listener, protocol: "TCP" },
          { ...listener, key: ListenerKey.make("m"), hostname: "a.com", protocol: "TCP" },
        ),
        routes: new Map(),
      }),
      "protocol listeners/m bind",
    ))
})

describe("routes that can never match", () => {
  const second = (more: Partial<Route>): Snapshot =>
    snapshot({ routes: table(route, { ...route, key: RouteKey.make("l/n/z"), ...more }) })
  it("an equal match of a smaller key wins, whichever came first", () => {
    expectFound(second({}), "unreachable routes/l/n/z matches.0")
    expectFound(second({ key: RouteKey.make("l/n/a") }), "unreachable routes/l/n/r matches.0")
  })
  it("another host name, parent, method or header is another match", () => {
    const match: Match = { path: { _tag: "Prefix", path: "/" }, headers: [], query: [] }
    expectFound(second({ hostnames: ["a.com"] }))
    expectFound(second({ matches: [{ ...match, method: "GET" }] }))
    expectFound(second({ matches: [{ ...match, headers: [{ name: "a", value: { _tag: "Exact", value: "b" } }] }] }))
    expectFound(second({ matches: [{ ...match, path: { _tag: "Exact", path: "/" } }] }))
  })
  it("the order of conditions and a slash at the end make no difference", () => {
    const a = { name: "a", value: { _tag: "Exact", value: "1" } } as const
    const b = { name: "b", value: { _tag: "Regex", pattern: "2" } } as const
    const having = (path: string, headers: Match["headers"]): Partial<Route> => ({
      matches: [{ path: { _tag: "Prefix", path }, headers, query: [] }],
    })
    expectFound(
      snapshot({
        routes: table(
          { ...route, ...having("/x", [a, b]) },
          { ...route, key: RouteKey.make("z"), ...having("/x/", [b, a]) },
        ),
      }),
      "unreachable routes/z matches.0",
    )
  })
  it("a route that keeps some of its matches only earns a warning", () =>
    expectFound(
      second({
        matches: [
          { path: { _tag: "Prefix", path: "/x" }, headers: [], query: [] },
          { path: { _tag: "Prefix", path: "/" }, headers: [], query: [] },
        ],
      }),
      "warning unreachable routes/l/n/z matches.1",
    ))
})

describe("TLS that cannot work", () => {
  it("a listener for HTTPS without a certificate", () =>
    expectFound(
      { ...withListener({ protocol: "HTTPS" }), binds: table({ ...bind, protocol: "tls" }) },
      "tls listeners/l tls",
    ))
  it("a certificate where nothing is encrypted", () =>
    expectFound(withListener({ tls: serverTls }), "tls listeners/l tls"))
  it("versions that exclude each other", () =>
    expectFound(
      {
        ...withListener({ protocol: "HTTPS", tls: { ...serverTls, minVersion: "TLSv1.3", maxVersion: "TLSv1.2" } }),
        binds: table({ ...bind, protocol: "tls" }),
      },
      "tls listeners/l tls.minVersion",
    ))
  it("passing through unread on a tunnel", () =>
    expectFound(
      { ...withListener({ protocol: "TLS" }), binds: table({ ...bind, protocol: "tls", tunnel: "connect" }) },
      "tls listeners/l tls",
    ))
  it("towards a backend", () => {
    const of = (policy: BackendPolicy) => found(snapshot({ backends: table({ ...backend, policies: [policy] }) }))
    assert.deepStrictEqual(of({ _tag: "BackendTls", tls: clientTls, spiffe: true }), [])
    assert.deepStrictEqual(of({ _tag: "BackendTls", tls: { ...clientTls, rootsPem: "pem" }, spiffe: true }), [
      "tls backends//b policies.0.spiffe",
    ])
    assert.deepStrictEqual(
      of({ _tag: "BackendTls", tls: { ...clientTls, minVersion: "TLSv1.3", maxVersion: "TLSv1.2" } }),
      ["tls backends//b policies.0.tls.minVersion"],
    )
  })
})

describe("protocols that never meet", () => {
  it("a listener on a bind for something else", () =>
    expectFound(withListener({ protocol: "TCP" }), "protocol listeners/l protocol"))
  it("HTTP routes on a listener for raw connections, and the reverse", () => {
    expectFound(
      snapshot({ binds: table({ ...bind, protocol: "tcp" }), listeners: table({ ...listener, protocol: "TCP" }) }),
      "protocol routes/l/n/r parent.listener",
    )
    const tcp: TcpRoute = {
      key: TcpRouteKey.make("t"),
      listener: listener.key,
      name: { name: "t", namespace: "n" },
      hostnames: [],
      backends: route.backends,
    }
    expectFound(snapshot({ tcpRoutes: table(tcp) }), "protocol tcpRoutes/t listener")
    expectFound(
      snapshot({
        binds: table({ ...bind, protocol: "tcp" }),
        listeners: table({ ...listener, protocol: "TCP" }),
        routes: new Map(),
        tcpRoutes: table({ ...tcp, hostnames: ["a.com"] }),
      }),
      "unreachable tcpRoutes/t hostnames",
    )
  })
})

describe("delegation", () => {
  const group = (name: string) => RouteGroupKey.make(name)
  const to = (from: string, to: string): Route => ({
    ...route,
    key: RouteKey.make(`${from}>${to}`),
    parent: { _tag: "Group", group: group(from) },
    backends: [{ weight: 1, backend: { _tag: "Group", group: group(to) }, policies: [] }],
  })
  const groups = table(...["a", "b", "c"].map((name) => ({ key: group(name) })))
  it("may form a chain, also one that meets again", () =>
    expectFound(
      snapshot({
        routes: table(to("a", "b"), { ...to("a", "c"), hostnames: ["x"] }, to("b", "c")),
        routeGroups: groups,
      }),
    ))
  it("may not lead back", () => {
    expectFound(
      snapshot({ routes: table(to("a", "b"), to("b", "c"), to("c", "a")), routeGroups: groups }),
      "cycle routes/c>a backends.0.backend.group",
    )
    expectFound(
      snapshot({ routes: table(to("a", "a")), routeGroups: groups }),
      "cycle routes/a>a backends.0.backend.group",
    )
  })
  it("may be very deep", { timeout: 60_000 }, () => {
    const deep = Array.from({ length: 20_000 }, (_, i) => to(`g${i}`, `g${i + 1}`))
    const all = Array.from({ length: 20_001 }, (_, i) => ({ key: group(`g${i}`) }))
    expectFound(snapshot({ routes: table(...deep), routeGroups: table(...all) }))
  })
})

describe("a route must lead somewhere", () => {
  const warning = "warning noBackend routes/l/n/r backends"
  it("to a backend with a weight", () => {
    expectFound(withRoute({ backends: [] }), warning)
    expectFound(withRoute({ backends: route.backends.map((backend) => ({ ...backend, weight: 0 })) }), warning)
  })
  it("or to a policy that answers, wherever that stands", () => {
    const answer: TrafficPolicy = { _tag: "DirectResponse", status: 200, headers: [] }
    expectFound(withRoute({ backends: [], policies: [answer] }))
    expectFound(withRoute({ backends: [], policies: [{ _tag: "Conditional", entries: [{ policy: answer }] }] }))
    const attached = attach({ _tag: "Traffic", phase: "route", policy: answer }, gateway)
    expectFound({ ...attached, routes: table({ ...route, backends: [] }) })
  })
})

const servers = {
  _tag: "Mcp",
  key: backend.key,
  policies: [],
  targets: [],
  selectors: [],
  bundles: [],
} as unknown as Snapshot["backends"] extends ReadonlyMap<unknown, infer B> ? B : never

describe("policies where they have no effect", () => {
  it("a kind that the gateway phase does not know", () => {
    expectFound(attach({ _tag: "Traffic", phase: "gateway", policy: csrf }, gateway), "noEffect attachments/a target")
    expectFound(attach({ _tag: "Traffic", phase: "route", policy: csrf }, gateway))
  })
  it("the gateway phase of a route or a service", () => {
    const policy: TrafficPolicy = { _tag: "Authorization", rules: [] }
    for (const target of [
      { _tag: "Route", name: "r", namespace: "n" },
      { _tag: "Service", service: service.key },
    ] as const) {
      expectFound(attach({ _tag: "Traffic", phase: "gateway", policy }, target), "noEffect attachments/a target")
      expectFound(attach({ _tag: "Traffic", phase: "route", policy }, target))
    }
  })
  it("settings of connections on what is known only later", () => {
    const policy = { _tag: "Frontend", policy: { _tag: "Connect", mode: "route" } } as const
    expectFound(attach(policy, gateway))
    expectFound(attach(policy, { ...gateway, port: 80 }))
    expectFound(attach(policy, { ...gateway, listener: "l" }), "noEffect attachments/a target")
  })
  it("traffic policies on a backend", () =>
    expectFound(
      attach({ _tag: "Traffic", phase: "route", policy: csrf }, { _tag: "Backend", backend: backend.key }),
      "noEffect attachments/a target",
    ))
  it("rules for MCP on a part of a backend", () => {
    const policy = { _tag: "Backend", policy: { _tag: "McpAuthorization", rules: [] } } as const
    const on = (target: Target): Snapshot => ({ ...attach(policy, target), backends: table(servers) })
    expectFound(on({ _tag: "Backend", backend: backend.key }))
    expectFound(on({ _tag: "Backend", backend: backend.key, section: "s" }), "noEffect attachments/a target")
  })
  it("a second one of a kind on one route, except rules, which add up", () => {
    expectFound(withRoute({ policies: [csrf, csrf] }), "noEffect routes/l/n/r policies.1")
    const rules: TrafficPolicy = {
      _tag: "Authorization",
      rules: [{ effect: "allow", expression: Expression.make("true") }],
    }
    expectFound(withRoute({ policies: [rules, rules] }))
  })
  it("an endpoint picker for anything but a service", () => {
    const policy: BackendPolicy = {
      _tag: "InferenceRouting",
      endpointPicker: { _tag: "Backend", backend: backend.key },
      destinationMode: "validated",
      failureMode: "failClosed",
    }
    const at = (ref: BackendRef): Snapshot => ({
      ...withRoute({ backends: [{ weight: 1, backend: ref, policies: [policy] }] }),
      services: table(service),
    })
    expectFound(at({ _tag: "Service", service: service.key, port: 80 }))
    expectFound(at({ _tag: "Backend", backend: backend.key }), "noEffect routes/l/n/r backends.0.policies.0")
  })
  it("a target that nothing answers to", () => {
    const on = (target: Target) => found(attach({ _tag: "Traffic", phase: "route", policy: csrf }, target))
    assert.deepStrictEqual(on({ ...gateway, name: "x" }), ["dangling attachments/a target"])
    assert.deepStrictEqual(on({ ...gateway, port: 81 }), ["dangling attachments/a target"])
    assert.deepStrictEqual(on({ ...gateway, listener: "x" }), ["dangling attachments/a target"])
    assert.deepStrictEqual(on({ ...gateway, listener: "l", port: 80 }), ["value attachments/a target"])
    assert.deepStrictEqual(on({ _tag: "Route", name: "r", namespace: "n", ruleName: "x" }), [
      "dangling attachments/a target",
    ])
    assert.deepStrictEqual(on({ _tag: "Service", service: service.key, port: 80 }), [])
    assert.deepStrictEqual(on({ _tag: "Service", service: service.key, port: 81 }), ["dangling attachments/a target"])
  })
  it("a prefix to replace where none was matched", () => {
    const rewrite: TrafficPolicy = { _tag: "UrlRewrite", path: { _tag: "Prefix", prefix: "/" } }
    const exact: Match = { path: { _tag: "Exact", path: "/a" }, headers: [], query: [] }
    expectFound(withRoute({ policies: [rewrite] }))
    expectFound(withRoute({ policies: [rewrite], matches: [exact] }), "value routes/l/n/r policies.0.path")
    expectFound(
      withRoute({ policies: [rewrite], matches: [exact, ...route.matches] }),
      "warning value routes/l/n/r policies.0.path",
    )
  })
})

describe("values that contradict themselves", () => {
  it("a bucket that overflows, or is filled all the time", () => {
    const limit = { maxTokens: 1, tokensPerFill: 1, fillIntervalMillis: 1000, type: "requests" } as const
    const of = (more: Partial<typeof limit> | { tokensPerFill: number } | { fillIntervalMillis: number }) =>
      found(withRoute({ policies: [{ _tag: "LocalRateLimit", limits: [{ ...limit, ...more }] }] }))
    assert.deepStrictEqual(of({}), [])
    assert.deepStrictEqual(of({ tokensPerFill: 2 }), ["value routes/l/n/r policies.0.limits.0.tokensPerFill"])
    assert.deepStrictEqual(of({ fillIntervalMillis: 0 }), ["value routes/l/n/r policies.0.limits.0.fillIntervalMillis"])
  })
  it("more attempts than are ever made", () => {
    const of = (attempts: number) => found(withRoute({ policies: [{ _tag: "Retry", attempts, codes: [] }] }))
    assert.deepStrictEqual(of(100), [])
    assert.deepStrictEqual(of(101), ["value routes/l/n/r policies.0.attempts"])
  })
  it("a status that no reply has", () =>
    expectFound(
      withRoute({ policies: [{ _tag: "DirectResponse", status: 99, headers: [] }] }),
      "value routes/l/n/r policies.0.status",
    ))
})
