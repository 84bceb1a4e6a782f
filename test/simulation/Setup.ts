/** Configurations of a gateway as data that chance can make and shrink, over one small universe of names. */
import * as Arbitrary from "effect/Arbitrary"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Backend } from "../../ir/Backend.ts"
import type { BackendRef } from "../../ir/BackendRef.ts"
import type { Bind } from "../../ir/Bind.ts"
import { BackendKey, BindKey, ListenerKey, RouteKey, ServiceKey, WorkloadKey } from "../../ir/Key.ts"
import type { Listener } from "../../ir/Listener.ts"
import type { BackendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import type { Route } from "../../ir/Route.ts"
import { empty } from "../../ir/emptySnapshot.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Service, Workload } from "../../ir/Workload.ts"
import { worlds } from "../../src/sim/generate.ts"
import type { Scenario } from "../../src/sim/run.ts"
import type { Door, Terrain } from "../../src/sim/Terrain.ts"
import { planHeader } from "../../src/sim/Trace.ts"
import { natural } from "../../src/sim/World.ts"

const drawn = natural(99)

const RouteSetup = Schema.Struct({
  host: natural(2),
  path: natural(2),
  backends: Schema.NonEmptyArray(Schema.Struct({ server: natural(5), weight: natural(3) })).check(
    Schema.isMaxLength(3),
  ),
  /** Each is in force when its draw is high enough, so that smaller draws mean simpler routes. */
  timeout: Schema.Struct({
    drawn,
    requestMillis: natural(600),
    backendRequestMillis: natural(300),
    idleMillis: natural(100),
  }),
  retry: Schema.Struct({ drawn, attempts: natural(3), backoffMillis: natural(80) }),
  delay: Schema.Struct({ drawn, millis: natural(120) }),
  buffer: Schema.Struct({ drawn, requestBytes: natural(6000), responseBytes: natural(6000) }),
  mirror: Schema.Struct({ drawn, server: natural(3) }),
  /** Of the service, should it be called. */
  eviction: Schema.Struct({ drawn, millis: natural(400), failures: natural(2) }),
  answersItself: drawn,
})
type RouteSetup = typeof RouteSetup.Type

export const Setup = Schema.Struct({
  routes: Schema.Array(RouteSetup).check(Schema.isMaxLength(4)),
  /** Another port is opened, or one that somebody else has. */
  extraPort: drawn,
  /** Refers to a backend that does not exist. */
  broken: drawn,
})
export type Setup = typeof Setup.Type

const hosts = ["a.example", "b.example", "*"] as const
const paths = ["/", "/one", "/one/two"] as const
const servers = [0, 1, 2, 3].map((i) => ({ host: `s${i}.internal`, port: 9000 }))
const backendKeys = servers.map(({ host }) => BackendKey.make(`/${host}`))

const missing = BackendKey.make("/nobody")

export const takenPort = 7000
const ports = { plain: 80, mixed: 443, extra: 8080 }

const serviceKey = ServiceKey.make("n/many.internal")
const service: Service = {
  key: serviceKey,
  name: "many",
  namespace: "n",
  hostname: "many.internal",
  vips: [],
  ports: { "80": 9000 },
  appProtocols: {},
  subjectAltNames: [],
}

const workloads = servers.slice(0, 3).map(({ host, port }, i): Workload => ({
  key: WorkloadKey.make(host),
  name: host,
  namespace: "n",
  addresses: [host],
  hostname: "",
  protocol: "TCP",
  network: "",
  trustDomain: "",
  serviceAccount: "",
  node: "",
  clusterId: "",
  healthy: true,
  capacity: i + 1,
  services: { [serviceKey]: { "80": port } },
}))

/** Numbers beyond the single servers stand for the service. */
const refOf = (server: number): BackendRef => {
  const backend = backendKeys[server]
  return backend === undefined ? { _tag: "Service", service: serviceKey, port: 80 } : { _tag: "Backend", backend }
}

const healthOf = ({ eviction }: RouteSetup): ReadonlyArray<BackendPolicy> =>
  eviction.drawn <= 30
    ? []
    : [
        {
          _tag: "Health",
          eviction: {
            durationMillis: eviction.millis,
            ...(eviction.failures === 0 ? {} : { consecutiveFailures: eviction.failures }),
          },
        },
      ]

const edits = (name: string, value: string) => ({ add: [], set: [{ name, value }], remove: [] })

const policiesOf = (route: RouteSetup, tag: string): ReadonlyArray<TrafficPolicy> => {
  const policies: Array<TrafficPolicy> = [
    { _tag: "RequestHeaderModifier", ...edits(planHeader, tag) },
    { _tag: "ResponseHeaderModifier", ...edits(planHeader, tag) },
  ]
  const { buffer, delay, mirror, retry, timeout } = route
  if (timeout.drawn > 60) {
    policies.push({
      _tag: "Timeout",
      ...(timeout.drawn % 3 === 0 ? {} : { requestMillis: timeout.requestMillis + 1 }),
      ...(timeout.drawn % 3 === 1 ? {} : { backendRequestMillis: timeout.backendRequestMillis + 1 }),
      ...(timeout.drawn % 2 === 1 ? { idleMillis: timeout.idleMillis + 1 } : {}),
    })
  }
  if (retry.drawn > 50) {
    policies.push({
      _tag: "Retry",
      attempts: retry.attempts,
      codes: [500, 502, 503],
      ...(retry.drawn % 2 === 0 ? {} : { backoffMillis: retry.backoffMillis }),
    })
  }
  if (delay.drawn > 85) policies.push({ _tag: "Delay", duration: { _tag: "Fixed", millis: delay.millis } })
  if (buffer.drawn > 75) {
    const failureMode = buffer.drawn % 2 === 0 ? "failOpen" : "failClosed"
    policies.push({
      _tag: "Buffer",
      ...(buffer.drawn % 3 === 0 ? {} : { request: { maxBytes: buffer.requestBytes, failureMode } }),
      ...(buffer.drawn % 3 === 1 ? {} : { response: { maxBytes: buffer.responseBytes, failureMode } }),
    })
  }
  if (mirror.drawn > 85) {
    policies.push({
      _tag: "RequestMirror",
      mirrors: [{ backend: { _tag: "Backend", backend: backendKeys[mirror.server] as BackendKey }, fraction: 1 }],
    })
  }
  if (route.answersItself > 93) {
    policies.push({ _tag: "DirectResponse", status: 202, body: { _tag: "Text", text: "here" }, headers: [] })
  }
  return policies
}

const table = <R extends { readonly key: unknown }>(resources: ReadonlyArray<R>): ReadonlyMap<R["key"], R> =>
  new Map(resources.map((resource) => [resource.key, resource]))

const bind = (port: number, protocol: Bind["protocol"]): Bind => ({
  key: BindKey.make(`bind/${port}`),
  address: { _tag: "Ip", port },
  protocol,
  tunnel: "direct",
})

const listener = (port: number, name: string, protocol: "HTTP" | "HTTPS"): Listener => ({
  key: ListenerKey.make(name),
  bind: BindKey.make(`bind/${port}`),
  name: { gatewayName: "g", gatewayNamespace: "n", listenerName: name },
  hostname: "*",
  protocol,
  ...(protocol === "HTTP"
    ? {}
    : {
        tls: {
          identity: { certificatePem: "certificate", keyPem: Redacted.make("key") },
          mintsLeaves: false,
          cipherSuites: [],
          keyExchangeGroups: [],
          minVersion: "TLSv1.2",
          maxVersion: "TLSv1.3",
        },
      }),
})

/** The snapshot of a setup; the tag says which one it is. */
export const toSnapshot = (setup: Setup, tag: string): Snapshot => {
  const binds = [bind(ports.plain, "http"), bind(ports.mixed, "auto")]
  const listeners = [
    listener(ports.plain, "plain", "HTTP"),
    listener(ports.mixed, "sealed", "HTTPS"),
    listener(ports.mixed, "open", "HTTP"),
  ]
  if (setup.extraPort > 70) {
    const port = setup.extraPort > 90 ? takenPort : ports.extra
    binds.push(bind(port, "http"))
    listeners.push(listener(port, "extra", "HTTP"))
  }
  const backends = servers.map(({ host, port }, i): Backend => ({
    _tag: "Host",
    key: backendKeys[i] as BackendKey,
    target: { _tag: "Host", host, port },
    policies: [],
  }))
  const routes = listeners.flatMap(({ key }) =>
    setup.routes.map((route, i): Route => {
      const name = `${key}-${i}`
      return {
        key: RouteKey.make(name),
        parent: { _tag: "Listener", listener: key },
        name: { name, namespace: "n" },
        hostnames: hosts[route.host] === "*" ? [] : [hosts[route.host] as string],
        matches: [{ path: { _tag: "Prefix", path: paths[route.path] as string }, headers: [], query: [] }],
        backends: route.backends.map(({ server, weight }) => ({
          weight,
          backend: setup.broken > 90 ? { _tag: "Backend", backend: missing } : refOf(server),
          policies: healthOf(route),
        })),
        policies: policiesOf(route, tag),
      }
    }),
  )
  return {
    ...empty,
    binds: table(binds),
    listeners: table(listeners),
    backends: table(backends),
    routes: table(routes),
    services: table([service]),
    workloads: table(workloads),
  }
}

const doors: ReadonlyArray<Door> = [
  ...[ports.plain, ports.mixed, ports.plain, ports.extra].map((port) => ({ port, sealed: false })),
  { port: ports.mixed, sealed: true },
].flatMap(({ port, sealed }) =>
  ["a.example", "b.example"].flatMap((authority) =>
    paths.map((path) => ({
      port,
      serverName: sealed ? authority : undefined,
      authority,
      method: undefined,
      path,
      headers: [],
    })),
  ),
)

const terrain: Terrain = { doors, servers, configs: 3 }

/** The first configuration must be one that serves. */
const usable = (setup: Setup): Setup => ({ ...setup, extraPort: Math.min(setup.extraPort, 89), broken: 0 })

const basic: Setup = {
  routes: [
    {
      host: 2,
      path: 0,
      backends: [{ server: 0, weight: 1 }],
      timeout: { drawn: 0, requestMillis: 0, backendRequestMillis: 0, idleMillis: 0 },
      retry: { drawn: 0, attempts: 0, backoffMillis: 0 },
      delay: { drawn: 0, millis: 0 },
      buffer: { drawn: 0, requestBytes: 0, responseBytes: 0 },
      mirror: { drawn: 0, server: 0 },
      eviction: { drawn: 0, millis: 0, failures: 0 },
      answersItself: 0,
    },
  ],
  extraPort: 0,
  broken: 0,
}

export interface Drawn {
  readonly setups: readonly [Setup, Setup, Setup]
}

/** Of routes with equal matches only the first could ever be taken, which is refused. */
const distinct = (routes: ReadonlyArray<RouteSetup>): ReadonlyArray<RouteSetup> => [
  ...new Map(routes.toReversed().map((route) => [`${route.host} ${route.path}`, route])).values(),
]

const setup = Arbitrary.map(Arbitrary.schema(Setup), (one) => ({
  ...one,
  routes: one.routes.length === 0 ? basic.routes : distinct(one.routes),
}))

/** Which setups a scenario was made of, for whoever has to print it. */
const drawnOf = new WeakMap<Scenario, Drawn>()
export const describe = (scenario: Scenario): unknown => ({ ...drawnOf.get(scenario), world: scenario.world })

export const scenarios: Arbitrary.Arbitrary<Scenario> = Arbitrary.map(
  Arbitrary.all({
    first: Arbitrary.map(setup, usable),
    second: setup,
    third: setup,
    world: worlds(terrain),
    limits: Arbitrary.schema(Schema.Struct({ few: drawn, pool: drawn })),
  }),
  ({ first, limits, second, third, world }): Scenario => {
    const setups = [first, second, third] as const
    const [a, b, c] = setups.map((one, i) => toSnapshot(one, `v${i}`)) as [Snapshot, Snapshot, Snapshot]
    const scenario: Scenario = {
      configs: [a, b, c],
      world: { ...world, takenPorts: [takenPort] },
      gateway: {
        drain: { minMillis: 0, maxMillis: 3_000 },
        limits: {
          ...(limits.few > 85 ? { connectionsMax: 2 } : {}),
          bodyIdleTimeoutMillis: 5_000,
          headTimeoutMillis: 4_000,
          writeStallTimeoutMillis: 4_000,
        },
        upstream: { connectTimeoutMillis: 250, ...(limits.pool > 80 ? { poolSizeMax: 2 } : {}) },
      },
    }
    drawnOf.set(scenario, { setups })
    return scenario
  },
)
