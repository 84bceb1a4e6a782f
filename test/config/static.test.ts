import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import type { StaticSection } from "../../src/config/local/staticSection.ts"
import { resolve, type Static } from "../../src/config/Static.ts"

const of = (section: StaticSection, env: Record<string, string> = {}, cpus = 4) => {
  const { problems, static: settings } = resolve(section, { env, cpus })
  expect(problems).toEqual([])
  return settings
}

const said = (section: StaticSection, env: Record<string, string> = {}) =>
  resolve(section, { env, cpus: 4 }).problems.map((problem) => `${problem.path.join(".")}: ${problem.message}`)

describe("defaults", () => {
  it("are those of the documentation", () => {
    const { adminAddress, backend, dns, logging, readinessAddress, statsAddress, workerThreads } = of({})
    expect({ adminAddress, statsAddress, readinessAddress }).toEqual({
      adminAddress: { _tag: "Localhost", port: 15000 },
      statsAddress: { _tag: "Ip", host: "::", port: 15020 },
      readinessAddress: { _tag: "Ip", host: "::", port: 15021 },
    })
    expect(backend).toEqual({
      keepalives: { enabled: true, timeMillis: 180_000, intervalMillis: 180_000, retries: 9 },
      connectTimeoutMillis: 10_000,
      poolIdleTimeoutMillis: 90_000,
    })
    expect([dns, logging, workerThreads]).toEqual([
      { lookupFamily: "V4Preferred" },
      { level: "info", targets: [], format: "text" },
      4,
    ])
  })
  it("without IPv6 are IPv4 addresses and names", () => {
    const { dns, statsAddress } = of({ enableIpv6: false })
    expect([dns.lookupFamily, statsAddress]).toEqual(["V4Only", { _tag: "Ip", host: "0.0.0.0", port: 15020 }])
  })
})

/** Setting, its value from the file, from the environment, and what is read of it. */
const rows: ReadonlyArray<
  readonly [
    name: string,
    variable: string,
    text: string,
    section: StaticSection,
    read: (s: Static) => unknown,
    env: unknown,
    file: unknown,
  ]
> = [
  ["enableIpv6", "IPV6_ENABLED", "false", { enableIpv6: true }, (s) => s.enableIpv6, false, true],
  [
    "dns.lookupFamily",
    "DNS_LOOKUP_FAMILY",
    "v6only",
    { dns: { lookupFamily: "All" } },
    (s) => s.dns.lookupFamily,
    "V6Only",
    "All",
  ],
  ["dns.edns0", "DNS_EDNS0", "1", { dns: { edns0: false } }, (s) => s.dns.edns0, true, false],
  [
    "adminAddr",
    "ADMIN_ADDR",
    "off",
    { adminAddr: "localhost:1" },
    (s) => s.adminAddress,
    { _tag: "Off" },
    { _tag: "Localhost", port: 1 },
  ],
  [
    "statsAddr",
    "STATS_ADDR",
    "unix:/s",
    { statsAddr: "localhost:1" },
    (s) => s.statsAddress,
    { _tag: "Unix", path: "/s" },
    { _tag: "Localhost", port: 1 },
  ],
  [
    "readinessAddr",
    "READINESS_ADDR",
    "127.0.0.1:9",
    { readinessAddr: "localhost:1" },
    (s) => s.readinessAddress,
    { _tag: "Ip", host: "127.0.0.1", port: 9 },
    { _tag: "Localhost", port: 1 },
  ],
  ["logging.level", "RUST_LOG", "debug", { logging: { level: "warn" } }, (s) => s.logging.level, "debug", "warn"],
  ["logging.format", "LOG_FORMAT", "json", { logging: { format: "text" } }, (s) => s.logging.format, "json", "text"],
  ["workerThreads", "WORKER_THREADS", "50%", { workerThreads: 3 }, (s) => s.workerThreads, 2, 3],
  [
    "connectionMinTerminationDeadline",
    "CONNECTION_MIN_TERMINATION_DEADLINE",
    "1s",
    { connectionMinTerminationDeadline: 2000 },
    (s) => s.connectionMinTerminationDeadlineMillis,
    1000,
    2000,
  ],
  [
    "connectionTerminationDeadline",
    "CONNECTION_TERMINATION_DEADLINE",
    "1m",
    { connectionTerminationDeadline: 9000 },
    (s) => s.connectionTerminationDeadlineMillis,
    60_000,
    9000,
  ],
]

describe("the environment wins over the file, the file over the default", () => {
  it.each(rows)("%s", (_name, variable, text, section, read, fromEnv, fromFile) => {
    expect(read(of(section, { [variable]: text }))).toEqual(fromEnv)
    expect(read(of(section))).toEqual(fromFile)
    expect(read(of({}, { [variable]: text }))).toEqual(fromEnv)
    expect(read(of(section, { [variable]: "" }))).toEqual(fromFile)
  })
})

describe("log levels", () => {
  it("may differ by target, the longest name first", () => {
    expect(of({ logging: { level: "info, a=debug,a::b=TRACE" } }).logging).toMatchObject({
      level: "info",
      targets: [
        { target: "a::b", level: "trace" },
        { target: "a", level: "debug" },
      ],
    })
    expect(of({ logging: { level: ["error", "x=off"] } }).logging).toMatchObject({
      level: "error",
      targets: [{ target: "x", level: "off" }],
    })
  })
  it("are words that are known", () => {
    expect(said({ logging: { level: "loud" } })).toEqual(['config.logging.level: unknown log level "loud"'])
  })
})

describe("workers", () => {
  it.each([
    [1, 1],
    ["2", 2],
    ["1%", 1],
    ["26%", 2],
    ["100%", 4],
  ])("%s of four CPUs are %d", (workerThreads, count) => {
    expect(of({ workerThreads }).workerThreads).toBe(count)
  })
  it.each(["auto", 0, -1, 1.5, "0%", "101%", "many"])("%s is refused", (workerThreads) => {
    expect(said({ workerThreads })).toHaveLength(1)
  })
  it("are as many as CPU_LIMIT says", () => {
    expect(of({}, { CPU_LIMIT: "2" }).workerThreads).toBe(2)
    expect(of({ workerThreads: "50%" }, { CPU_LIMIT: "2" }).workerThreads).toBe(1)
  })
})

describe("the drain deadline", () => {
  it.each([
    ["30", 25_000],
    ["11", 6_000],
    ["10", 9_000],
    ["1", 1_000],
    ["0", 1_000],
  ])("leaves room in %s seconds of grace", (seconds, millis) => {
    expect(of({}, { TERMINATION_GRACE_PERIOD_SECONDS: seconds }).connectionTerminationDeadlineMillis).toBe(millis)
  })
  it("is five seconds otherwise", () => {
    expect(of({}).connectionTerminationDeadlineMillis).toBe(5_000)
  })
  it("cannot end before it may begin to", () => {
    expect(said({ connectionMinTerminationDeadline: 10_000 })).toEqual([
      "config.connectionMinTerminationDeadline: the shortest time to drain is longer than the longest",
    ])
  })
})

describe("a variable that makes no sense", () => {
  it.each([
    ["ADMIN_ADDR", "nowhere", 'invalid env var ADMIN_ADDR=nowhere ("nowhere" is not an address)'],
    ["IPV6_ENABLED", "maybe", "invalid env var IPV6_ENABLED=maybe (expected true or false)"],
    ["WORKER_THREADS", "auto", 'invalid env var WORKER_THREADS=auto ("auto" is not a number of workers)'],
    [
      "CONNECTION_TERMINATION_DEADLINE",
      "5",
      'invalid env var CONNECTION_TERMINATION_DEADLINE=5 (the duration "5" has no unit)',
    ],
    ["SESSION_KEY", "abc", "invalid env var SESSION_KEY=… (expected 32 bytes in hexadecimal)"],
    ["LOCALITY", "", ""],
  ])("%s=%s", (name, value, message) => {
    expect(said({}, { [name]: value })).toEqual(message === "" ? [] : [`: ${message}`])
  })
})

describe("secrets", () => {
  it("are trimmed, and never printed", () => {
    const settings = of({}, { SESSION_KEY: ` ${"ab".repeat(32)}\n`, OIDC_COOKIE_SECRET: "CD".repeat(32) })
    expect(settings.sessionKey && Redacted.value(settings.sessionKey)).toBe("ab".repeat(32))
    expect(JSON.stringify(settings)).not.toContain("abab")
    expect(String(settings.oidcCookieSecret)).not.toContain("cdcd")
  })
})

describe("the database", () => {
  const located = (url: string) => of({ database: { url } }).database.location
  it("is the file of the URL, a Postgres, or memory", () => {
    expect(located("sqlite://data.db")).toEqual({ _tag: "File", path: "data.db" })
    expect(located("sqlite:///var/lib/sluice/a%20b.db?mode=rwc")).toEqual({
      _tag: "File",
      path: "/var/lib/sluice/a b.db",
    })
    expect(of({ database: { url: "sqlite::memory:" }, workerThreads: 1 }).database.location).toEqual({ _tag: "Memory" })
    expect(located("/plain/path.db")).toEqual({ _tag: "File", path: "/plain/path.db" })
    expect(located("postgresql://db/sluice")).toMatchObject({ _tag: "Postgres", connectionsMax: 5 })
  })
  it("is a file of the user's own unless named, made when something needs it", () => {
    expect(of({}, { SLUICE_DATA_DIR: "/data" }).database).toEqual({
      location: { _tag: "File", path: "/data/data.db" },
      isNamed: false,
    })
    expect(of({}, { XDG_STATE_HOME: "/state", HOME: "/home/me" }).database.location).toEqual({
      _tag: "File",
      path: "/state/sluice/data.db",
    })
    expect(of({}, { HOME: "/home/me" }).database.location).toEqual({
      _tag: "File",
      path: "/home/me/.local/state/sluice/data.db",
    })
  })
  it("keeps the password of its URL to itself", () => {
    expect(JSON.stringify(located("postgres://sluice:hidden-word@db/sluice"))).not.toContain("hidden-word")
  })
  it("is refused when it is of another kind, has no path, or may not be connected to", () => {
    expect(said({ database: { url: "mysql://db/sluice" } })).toEqual([
      "config.database: `mysql` databases are not known",
    ])
    expect(said({ database: { url: "sqlite://" } })).toEqual(["config.database: no path in the URL of the database"])
    expect(said({ database: { url: "sqlite::memory:" }, workerThreads: 2 })).toEqual([
      "config.database: 2 workers cannot share a database in memory",
    ])
    expect(said({ database: { url: "postgres://db/x", maxConnections: 0 } })).toEqual([
      "config.database: a database needs at least one connection",
    ])
  })
})

describe("identity", () => {
  it("comes from the environment of the pod", () => {
    const env = { POD_NAME: "p", NODE_NAME: "n", INSTANCE_IP: "10.0.0.1", LOCALITY: "r/z", NAMESPACE: "ns" }
    expect(of({}, env).identity).toMatchObject({
      podName: "p",
      nodeName: "n",
      instanceIp: "10.0.0.1",
      namespace: "ns",
      locality: { region: "r", zone: "z", subzone: "" },
    })
  })
})

describe("settings that nothing reads yet", () => {
  it("are refused where they would matter, and said aloud where they do no harm", () => {
    expect(
      said({ xdsAddress: "http://a", hbone: {}, storage: { mode: "hybrid" }, histograms: "classic", listener: {} }),
    ).toEqual([
      "config.listener: `listener` has been removed; move to `frontendPolicies`",
      "config.storage.mode: `config.storage.mode: hybrid` is not built yet",
      "config.xdsAddress: `config.xdsAddress` is not built yet",
      "config.hbone: `config.hbone` is accepted, but what it configures is not built yet",
    ])
  })
})

describe("variables that name what is not built", () => {
  it("are refused like the settings they stand for", () => {
    expect(said({}, { XDS_ADDRESS: "http://a", CA_ADDRESS: "" })).toEqual([
      ": XDS_ADDRESS is set, but `config.xdsAddress` is not built yet",
    ])
  })
})

describe("settings that something reads", () => {
  it("are not said to be without effect", () => {
    expect(said({ namespace: "n", gateway: "g", clusterId: "c", network: "n", trustDomain: "t" })).toEqual([
      "config.trustDomain: `config.trustDomain` is accepted, but what it configures is not built yet",
    ])
  })
  it("leave time to connect", () => {
    expect(said({ backend: { connectTimeout: 0 } })).toEqual([
      "config.backend.connectTimeout: nobody is reached in no time",
    ])
  })
})

describe("notifications of agents", () => {
  const push = { callback: "https://gateway.example.com" }
  it("are passed on where it is said how the gateway is reached", () => {
    expect(of({}).push).toBe(undefined)
    expect(of({ a2a: {} }).push).toBe(undefined)
    expect(of({ a2a: { push } }).push).toEqual(push)
    expect(
      of({ a2a: { push: { ...push, allowHosts: ["A.test"], attempts: 3, giveUpAfter: 60_000, timeout: 500 } } }).push,
    ).toEqual({ ...push, allowedHosts: ["a.test"], attemptsMax: 3, giveUpMillis: 60_000, timeoutMillis: 500 })
  })
  it("are not signed with what is no key, and never show it", () => {
    const key = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"
    const settings = of({ a2a: { push: { ...push, signingKey: key } } })
    expect(settings.push?.signingKey && Redacted.value(settings.push.signingKey)).toBe(key)
    expect(JSON.stringify(settings)).not.toContain("secret")
    expect(said({ a2a: { push: { ...push, signingKey: "secret" } } })).toEqual([
      "config.a2a.push.signingKey: expected a private key, in PEM or as a JWK",
    ])
  })
  it.each([
    [{ callback: "gateway:3000" }, "callback: expected an http:// or https:// URL without a query"],
    [{ callback: "https://a.test/?x=1" }, "callback: expected an http:// or https:// URL without a query"],
    [{ ...push, attempts: 0 }, "attempts: a notification is tried once at least"],
    [{ ...push, timeout: 10 }, "timeout: a receiver gets from 100ms to 60s"],
  ])("%j is refused", (push, message) => expect(said({ a2a: { push } })).toEqual([`config.a2a.push.${message}`]))
})
