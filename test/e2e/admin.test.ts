import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { AttachmentKey, BackendKey, BindKey, ListenerKey, RouteKey } from "../../ir/Key.ts"
import { any } from "../../ir/Match.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { empty } from "../../ir/emptySnapshot.ts"
import * as Admin from "../../src/admin/Admin.ts"
import type { Served } from "../../src/admin/serve.ts"
import { adminClient } from "../../src/cli/adminClient.ts"
import { parse } from "../../src/config/Address.ts"
import type { Source, Told, Unusable } from "../../src/config/Source.ts"
import { fromStream } from "../../src/config/fromStream.ts"
import { resolve } from "../../src/config/Static.ts"
import { Gateway, layer as gatewayLayer } from "../../src/Gateway.ts"
import * as NodeWorld from "../../src/node/world.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import { read, type Sample, valueOf } from "../telemetry/prometheus.ts"

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

const ask = (served: Served, path: string, { headers = {}, method = "GET" }: Ask = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const where = "path" in served ? { socketPath: served.path } : { host: served.host, port: served.port }
    const request = http.request({ ...where, path, method, headers, agent: false }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.on("error", reject)
    })
    request.on("error", reject)
    request.end()
  })

const only = (served: ReadonlyArray<Served>): Served => {
  const [one] = served
  assert.isDefined(one)
  return one as Served
}

const bindKey = BindKey.make("bind/0")
const listenerKey = ListenerKey.make("gateway/default")
const backendKey = BackendKey.make("/b")

const snapshotTo = (port: number, more: Partial<Snapshot> = {}): Snapshot => ({
  ...empty,
  binds: new Map([
    [
      bindKey,
      { key: bindKey, address: { _tag: "Ip", host: "127.0.0.1", port: 0 }, protocol: "http", tunnel: "direct" },
    ],
  ]),
  listeners: new Map([
    [
      listenerKey,
      {
        key: listenerKey,
        bind: bindKey,
        name: { gatewayName: "default", gatewayNamespace: "default", listenerName: "main" },
        hostname: "*",
        protocol: "HTTP",
      },
    ],
  ]),
  routes: new Map([
    [
      RouteKey.make("r"),
      {
        key: RouteKey.make("r"),
        parent: { _tag: "Listener", listener: listenerKey },
        name: { name: "orders", namespace: "shop" },
        hostnames: ["shop.example"],
        matches: [any],
        backends: [{ weight: 1, backend: { _tag: "Backend", backend: backendKey }, policies: [] }],
        policies: [],
      },
    ],
  ]),
  backends: new Map([
    [backendKey, { _tag: "Host", key: backendKey, target: { _tag: "Host", host: "127.0.0.1", port }, policies: [] }],
  ]),
  ...more,
})

const addressOf = (text: string) => {
  const parsed = parse(text)
  if (parsed._tag === "Failure") throw new Error(parsed.failure.message)
  return parsed.success
}

interface Started {
  readonly admin: Admin.Admin["Service"]
  readonly gateway: Gateway["Service"]
  readonly lines: () => ReadonlyArray<string>
  readonly tell: (update: Told | Unusable) => void
  readonly closed: () => Promise<void>
}

const opened: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

interface Options extends Partial<Omit<Admin.AdminOptions, "settings">> {
  readonly adminAddr?: string
  readonly drainMillis?: number
  readonly logLevel?: string
}

const start = async ({ adminAddr = "localhost:0", drainMillis = 2000, ...more }: Options = {}): Promise<Started> => {
  const settings = {
    ...resolve({}, { env: {}, cpus: 1 }).static,
    adminAddress: addressOf(adminAddr),
    statsAddress: addressOf("127.0.0.1:0"),
    readinessAddress: addressOf("127.0.0.1:0"),
    sessionKey: Redacted.make("canary-session-key"),
  }
  const chunks: Array<string> = []
  const out = (bytes: Uint8Array): number => {
    chunks.push(Buffer.from(bytes).toString("utf8"))
    return bytes.byteLength
  }
  const updates = await Effect.runPromise(Queue.unbounded<Told | Unusable>())
  const source: Source = fromStream("test", Stream.fromQueue(updates))
  const scope = Scope.makeUnsafe()
  const node = NodeWorld.layer({ dns: "V4Only", ipv6: false, network: { reusePort: false } })
  const telemetry = Telemetry.layer({ version: "9.9.9", logging: settings.logging, out })
  const all = Admin.layer({ settings, version: "9.9.9", ...more }).pipe(
    Layer.provideMerge(gatewayLayer({ config: source, ipv6: false, drain: { minMillis: 0, maxMillis: drainMillis } })),
    Layer.provideMerge(telemetry),
    Layer.provideMerge(node),
  )
  let closing: Promise<void> | undefined
  const closed = (): Promise<void> => (closing ??= Effect.runPromise(Scope.close(scope, Exit.void)))
  opened.push(closed)
  const services = await Effect.runPromise(Layer.buildWithScope(all, scope))
  return {
    admin: Context.get(services, Admin.Admin),
    gateway: Context.get(services, Gateway),
    lines: () => chunks.join("").split("\n").slice(0, -1),
    tell: (update) => void Queue.offerUnsafe(updates, update),
    closed,
  }
}

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const giveUpAt = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error("it never came about")
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const upstream = async (answer: http.RequestListener): Promise<number> => {
  const server = http.createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  opened.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  return (server.address() as AddressInfo).port
}

const told = (snapshot: Snapshot): Told => ({ _tag: "Told", snapshot })

const downstream = (gateway: Gateway["Service"]): Served => {
  const address = gateway.addresses().get(bindKey)
  assert.isDefined(address)
  return { host: "127.0.0.1", port: address?.port ?? 0 }
}

describe("readiness", () => {
  it("waits for a configuration, and is told apart from liveness", async () => {
    const { admin, gateway, tell } = await start()
    const ready = only(admin.readiness)
    assert.deepInclude(await ask(ready, "/healthz/ready"), { status: 500, body: "not ready, pending: configuration\n" })
    assert.deepInclude(await ask(ready, "/healthz/live"), { status: 200, body: "live\n" })
    tell({ _tag: "Unusable", problems: ["line 1: nonsense"] })
    await until(() => gateway.config().problems.length > 0)
    assert.equal((await ask(ready, "/healthz/ready")).status, 500)
    tell(told(snapshotTo(1)))
    await until(async () => (await ask(ready, "/healthz/ready")).status === 200)
    assert.equal((await ask(ready, "/healthz/ready")).body, "ready\n")
    assert.equal((await ask(ready, "/healthz/ready", { method: "HEAD" })).status, 200)
    assert.equal((await ask(ready, "/healthz/ready", { method: "POST" })).status, 405)
    assert.equal((await ask(ready, "/healthz")).status, 404)
  })

  it("falls first, and stays answerable, while the last exchanges end", async () => {
    let finish: (() => void) | undefined
    const port = await upstream((_, response) => {
      finish = () => response.end("late")
    })
    const { admin, closed, gateway, tell } = await start({ drainMillis: 10_000 })
    tell(told(snapshotTo(port)))
    await until(() => gateway.config().version === 1)
    const late = ask(downstream(gateway), "/", { headers: { host: "shop.example" } })
    await until(() => finish !== undefined)
    const closing = closed()
    await until(() => gateway.draining())
    assert.deepInclude(await ask(only(admin.readiness), "/healthz/ready"), {
      status: 500,
      body: "not ready, pending: drain\n",
    })
    assert.equal((await ask(only(admin.readiness), "/healthz/live")).status, 200)
    const samples = read((await ask(only(admin.stats), "/metrics")).body)
    assert.equal(valueOf(samples, "agentgateway_exchanges_open"), 1)
    finish?.()
    assert.deepInclude(await late, { status: 200, body: "late" })
    await closing
    const gone = await ask(only(admin.readiness), "/healthz/ready").catch((error: NodeJS.ErrnoException) => error.code)
    assert.equal(gone, "ECONNREFUSED")
  })
})

describe("metrics and access log", () => {
  it("tell of every exchange that went through, once each", async () => {
    const port = await upstream((request, response) => {
      if (request.url === "/broken")
        response.writeHead(200, { "content-length": "10" }).end("half", () => response.destroy())
      else response.end("hello")
    })
    const { admin, gateway, lines, tell } = await start()
    tell(told(snapshotTo(port)))
    await until(() => gateway.config().version === 1)
    const headers = { host: "shop.example" }
    const through = downstream(gateway)
    assert.equal((await ask(through, "/a?token=canary-in-query", { headers })).body, "hello")
    assert.equal((await ask(through, "/b", { headers: { host: "other.example" } })).status, 404)
    await ask(through, "/broken", { headers }).catch(() => {})
    const requestLines = () => lines().filter((line) => line.split("\t")[2]?.startsWith("request ") === true)
    await until(() => requestLines().length === 3)
    const [answered = "", refused = "", broken = ""] = requestLines()
    assert.match(
      answered,
      /^\S+Z\tinfo\trequest gateway=default\/default listener=main route=shop\/orders endpoint=127\.0\.0\.1:\d+ src\.addr=127\.0\.0\.1:\d+ http\.method=GET http\.host=shop\.example http\.path=\/a\?token=<redacted> http\.version=HTTP\/1\.1 http\.status=200 protocol=http duration=\d+ms$/,
    )
    assert.match(refused, / http\.status=404 protocol=http error="route not found" reason=NotFound duration=\d+ms$/)
    assert.match(broken, / http\.status=200 protocol=http error=".+" reason=UpstreamFailure duration=\d+ms$/)

    for (const path of ["/metrics", "/stats/prometheus"]) {
      const answer = await ask(only(admin.stats), path)
      assert.equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      const samples: ReadonlyArray<Sample> = read(answer.body)
      const labels = { bind: bindKey, gateway: "default/default", listener: "main", route: "shop/orders" }
      const requests = "agentgateway_requests_total"
      assert.equal(valueOf(samples, requests, { ...labels, reason: "Upstream", status: "200" }), 1)
      assert.equal(valueOf(samples, requests, { ...labels, reason: "UpstreamFailure" }), 1)
      assert.equal(valueOf(samples, requests, { reason: "NotFound", status: "404", route: "unknown" }), 1)
      assert.equal(valueOf(samples, "agentgateway_response_bytes_total", { ...labels, reason: "Upstream" }), 5)
      assert.equal(valueOf(samples, "agentgateway_request_processing_seconds_count", labels), 2)
      assert.equal(valueOf(samples, "agentgateway_response_processing_seconds_count", labels), 2)
      assert.equal(
        valueOf(samples, "agentgateway_downstream_connections_total", { protocol: "http", listener: "main" }),
        3,
      )
      assert.equal(valueOf(samples, "agentgateway_build_info", { tag: "9.9.9" }), 1)
      assert.isAbove(valueOf(samples, "agentgateway_heap_used_bytes"), 1e6)
      assert.isAtLeast(valueOf(samples, "agentgateway_event_loop_delay_seconds", { quantile: "0.99" }), 0)
    }
    assert.equal((await ask(only(admin.stats), "/other")).status, 404)
    assert.equal((await ask(only(admin.stats), "/metrics", { method: "POST" })).status, 405)
  })

  it("tell that the client left before there was a reply", async () => {
    const asked = Deferred.makeUnsafe<void>()
    const port = await upstream(() => Deferred.doneUnsafe(asked, Effect.void))
    const { gateway, lines, tell } = await start()
    tell(told(snapshotTo(port)))
    await until(() => gateway.config().version === 1)
    const { port: to } = downstream(gateway) as { readonly port: number }
    const request = http.get({ host: "127.0.0.1", port: to, headers: { host: "shop.example" }, agent: false })
    request.on("error", () => {})
    await Effect.runPromise(Deferred.await(asked))
    request.destroy()
    await until(() => lines().some((line) => line.includes("\trequest ")))
    assert.match(
      lines().join("\n"),
      /protocol=http error="the client left before there was a reply" reason=ClientGone /,
    )
  })

  it("say whether the configuration that was told last is the one that serves", async () => {
    const { admin, gateway, tell } = await start()
    const synchronized = async () =>
      valueOf(read((await ask(only(admin.stats), "/metrics")).body), "agentgateway_config_synchronized")
    tell(told(snapshotTo(1)))
    await until(() => gateway.config().version === 1)
    assert.equal(await synchronized(), 1)
    tell({ _tag: "Unusable", problems: ["line 7: nonsense"] })
    await until(() => !gateway.config().synchronized)
    assert.equal(await synchronized(), 0)
    tell(told(snapshotTo(2)))
    await until(() => gateway.config().version === 2)
    assert.equal(await synchronized(), 1)
  })

  it("of other threads are part of the whole", async () => {
    const definition = {
      name: "agentgateway_build_info",
      kind: "gauge",
      help: "h",
      labels: ["tag"],
      across: "max",
    } as const
    const pool = {
      ask: async () => [[{ definition, series: [{ labels: ["other"], value: 1 }] }], undefined],
      tellLevels: () => {},
    }
    const { admin } = await start({ pool })
    const samples = read((await ask(only(admin.stats), "/metrics")).body)
    assert.equal(valueOf(samples, "agentgateway_build_info", { tag: "other" }), 1)
    assert.equal(valueOf(samples, "agentgateway_build_info", { tag: "9.9.9" }), 1)
  })
})

describe("the admin interface", () => {
  it("answers what can be read", async () => {
    const { admin } = await start()
    const at = only(admin.admin)
    assert.match((await ask(at, "/")).body, /POST \/quitquitquit/)
    assert.equal((JSON.parse((await ask(at, "/version")).body) as { version: string }).version, "9.9.9")
    assert.isAbove((JSON.parse((await ask(at, "/memory")).body) as { rss: number }).rss, 1e6)
    assert.equal((await ask(at, "/nothing")).status, 404)
    assert.equal((await ask(at, "/__proto__")).status, 404)
    assert.equal((await ask(at, "/constructor", { method: "POST" })).status, 404)
    assert.equal((await ask(at, "/version", { method: "POST" })).status, 405)
  })

  it("listens on both loopback addresses where it is told localhost", async () => {
    const { admin } = await start()
    const hosts = admin.admin.map((one) => ("host" in one ? one.host : ""))
    assert.equal(hosts[0], "127.0.0.1")
    assert.isTrue(hosts.slice(1).every((host) => host === "::1"))
    const ports = new Set(admin.admin.map((one) => ("port" in one ? one.port : 0)))
    assert.equal(ports.size, 1)
    for (const one of admin.admin) assert.equal((await ask(one, "/version")).status, 200)
  })

  it("listens on a unix socket, also where a dead one was left, and nowhere when it is off", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"))
    opened.push(async () => rmSync(folder, { recursive: true }))
    const path = join(folder, "admin.sock")
    const left = spawn(process.execPath, ["-e", 'require("net").createServer().listen(process.argv[1])', path])
    await until(() => existsSync(path))
    left.kill("SIGKILL")
    await once(left, "exit")
    assert.isTrue(existsSync(path))
    const { admin, closed } = await start({ adminAddr: `unix:${path}` })
    assert.equal((await ask(only(admin.admin), "/version", { headers: { host: "whatever" } })).status, 200)
    assert.equal((await ask(only(admin.admin), "/logging", { method: "POST" })).status, 200)
    // So do the commands that ask.
    const commands = adminClient(`unix:${path}`, {})
    assert.isString(((await (await commands.ask("GET", "/version")).json()) as { version: string }).version)
    assert.equal(await (await commands.ask("POST", "/logging?level=warn")).text(), "current log level is warn\n")
    const nowhere: unknown = await adminClient(`unix:${path}.not`, {})
      .ask("GET", "/version")
      .catch((error: unknown) => error)
    assert.match(String(nowhere), /no gateway answers at unix:.*\.not \(.*ENOENT/)
    const second: unknown = await start({ adminAddr: `unix:${path}` }).catch((error: unknown) => error)
    assert.match(JSON.stringify(second), /EADDRINUSE/, "one that is alive is left alone")
    await closed()
    const off = await start({ adminAddr: "off" })
    assert.deepEqual(off.admin.admin, [])
  })

  it("says what to do when its address is taken", async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve))
    opened.push(() => new Promise((resolve) => taken.close(() => resolve())))
    const { port } = taken.address() as AddressInfo
    const failure: unknown = await start({ adminAddr: `127.0.0.1:${port}` }).then(
      () => undefined,
      (error: unknown) => error,
    )
    assert.match(
      JSON.stringify(failure) + String((failure as Error).message),
      /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*adminAddr.*ADMIN_ADDR/,
    )
  })

  it("changes the log level while the gateway runs", async () => {
    const settings: Array<unknown> = []
    const pool = { ask: async () => [], tellLevels: (setting: unknown) => void settings.push(setting) }
    const { admin, lines } = await start({ pool })
    const post = (path: string) => ask(only(admin.admin), path, { method: "POST" })
    assert.deepInclude(await post("/logging"), { status: 200, body: "current log level is info\n" })
    assert.equal(
      (await post("/logging?level=request=off,dns=debug")).body,
      "current log level is info,request=off,dns=debug\n",
    )
    assert.equal((await post("/logging?level=warn")).body, "current log level is warn,request=off,dns=debug\n")
    assert.equal((await post("/logging?reset&level=a=trace")).body, "current log level is info,a=trace\n")
    const bad = await post("/logging?level=loud")
    assert.equal(bad.status, 400)
    assert.match(bad.body, /invalid level "loud"[^]*usage: POST \/logging/)
    assert.equal((await post("/logging?reset")).body, "current log level is info\n")
    assert.equal((await ask(only(admin.admin), "/logging?level=debug")).status, 405)
    assert.equal((await ask(only(admin.admin), "/logging")).headers["allow"], "POST")
    assert.lengthOf(settings, 4)
    assert.deepEqual(settings.at(-1), { level: "info", targets: [] })
    await until(() => lines().some((line) => line.includes("\tadmin\tThe log level was changed")))
  })

  it("ends the gateway when asked to", async () => {
    const { admin } = await start()
    const fiber = Effect.runFork(admin.stopAsked)
    assert.equal((await ask(only(admin.admin), "/quitquitquit")).status, 405)
    assert.isUndefined(fiber.pollUnsafe())
    assert.deepInclude(await ask(only(admin.admin), "/quitquitquit", { method: "POST" }), {
      status: 200,
      body: "shutdown now\n",
    })
    await Effect.runPromise(Fiber.join(fiber))
  })

  it("answers nobody who comes under another name", async () => {
    const { admin } = await start()
    const at = only(admin.admin)
    for (const host of [
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.nip.io:15000",
      "10.0.0.1",
      "a@localhost",
    ]) {
      for (const [path, method] of [
        ["/config_dump", "GET"],
        ["/logging", "POST"],
        ["/quitquitquit", "POST"],
        ["/nothing", "GET"],
      ] as const) {
        assert.equal((await ask(at, path, { method, headers: { host } })).status, 403, `${host} ${path}`)
      }
    }
    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:15000", "127.1.2.3", "[::1]:15000"]) {
      assert.equal((await ask(at, "/logging", { method: "POST", headers: { host } })).status, 200, host)
    }
  })

  it("changes nothing for a page of another origin", async () => {
    const { admin } = await start()
    const at = only(admin.admin)
    const post = (headers: Readonly<Record<string, string>>) =>
      ask(at, "/logging?level=trace", { method: "POST", headers: { host: "localhost:15000", ...headers } })
    for (const origin of ["http://evil.example", "null", "http://localhost:3000", "https://localhost:15000", ""]) {
      assert.equal((await post({ origin })).status, 403, origin)
    }
    assert.equal((await post({ "sec-fetch-site": "cross-site" })).status, 403)
    assert.equal((await ask(at, "/logging", { method: "POST" })).body, "current log level is info\n")
    assert.equal((await post({ origin: "http://localhost:15000", "sec-fetch-site": "same-origin" })).status, 200)
  })

  it("changes nothing beyond loopback without a token, and says what to do", async () => {
    const { admin } = await start({ adminAddr: "0.0.0.0:0" })
    const at = { host: "127.0.0.1", port: (only(admin.admin) as { readonly port: number }).port }
    assert.equal((await ask(at, "/config_dump", { headers: { host: "sluice.svc:15000" } })).status, 200)
    for (const path of ["/logging", "/quitquitquit"]) {
      const { body, status } = await ask(at, path, { method: "POST" })
      assert.equal(status, 403)
      assert.match(body, /Set SLUICE_ADMIN_TOKEN .*`Authorization: Bearer <token>`/)
    }
  })

  it("asks for the token wherever there is one", async () => {
    for (const adminAddr of ["0.0.0.0:0", "localhost:0"]) {
      const { admin, closed } = await start({ adminAddr, token: Redacted.make("canary-token") })
      const at = { host: "127.0.0.1", port: (only(admin.admin) as { readonly port: number }).port }
      const post = (authorization?: string) =>
        ask(at, "/logging", { method: "POST", headers: authorization === undefined ? {} : { authorization } })
      const without = await post()
      assert.equal(without.status, 401)
      assert.match(without.headers["www-authenticate"] ?? "", /^Bearer /)
      assert.equal((await post("Bearer wrong")).status, 401)
      assert.equal((await post("Basic canary-token")).status, 401)
      assert.equal((await post("Bearer canary-token")).status, 200)
      assert.notInclude((await ask(at, "/config_dump")).body, "canary")
      await closed()
    }
  })
})

const pem = "-----BEGIN PRIVATE KEY-----\ncanary-pem\n-----END PRIVATE KEY-----\n"
const secret = (text: string) => Redacted.make(`canary-${text}`)
const location = { _tag: "Header", name: "authorization", prefix: "Bearer " } as const

/** A secret in every kind of place a secret can stand. */
const withSecrets = (port: number): Snapshot => {
  const key = AttachmentKey.make("keys")
  const base = snapshotTo(port)
  const listener = base.listeners.get(listenerKey)
  const route = base.routes.get(RouteKey.make("r"))
  if (listener === undefined || route === undefined) throw new Error("the snapshot lacks what it is made of")
  const sealed = ListenerKey.make("sealed")
  return {
    ...base,
    listeners: new Map([
      ...base.listeners,
      [
        sealed,
        {
          ...listener,
          key: sealed,
          protocol: "HTTPS",
          tls: {
            identity: {
              certificatePem: "-----BEGIN CERTIFICATE-----\nshown\n-----END CERTIFICATE-----",
              keyPem: Redacted.make(pem),
            },
            mintsLeaves: false,
            minVersion: "TLSv1.2",
            maxVersion: "TLSv1.3",
            cipherSuites: [],
            keyExchangeGroups: [],
          },
        },
      ],
    ]),
    routes: new Map([
      [
        route.key,
        {
          ...route,
          backends: [
            {
              weight: 1,
              backend: { _tag: "Backend", backend: backendKey },
              policies: [
                {
                  _tag: "BackendAuth",
                  auth: { _tag: "Key", value: secret("backend-key"), location },
                  credentials: [{ location: { _tag: "Query", name: "k" }, value: secret("extra") }],
                },
              ],
            },
          ],
          policies: [
            {
              _tag: "RequestHeaderModifier",
              add: [{ name: "x-api-key", value: "canary-header-1" }],
              set: [
                { name: "authorization", value: "Bearer canary-header-2" },
                { name: "x-plain", value: "shown-value" },
                { name: "x-odd", value: "Basic canary+header+3=" },
                { name: "x-custom", value: "sk-canary-0123456789abcdef" },
              ],
              remove: [],
            },
            { _tag: "BasicAuth", htpasswd: secret("htpasswd"), realm: "shown-realm", mode: "strict", location },
          ],
        },
      ],
    ]),
    attachments: new Map([
      [
        key,
        {
          key,
          target: { _tag: "Gateway", name: "default", namespace: "default" },
          inheritance: "default",
          policy: {
            _tag: "Traffic",
            phase: "route",
            policy: {
              _tag: "ApiKey",
              mode: "strict",
              location,
              keys: [
                {
                  value: { _tag: "Plain", key: secret("api-key") },
                  metadata: { user: "shown-user", upstreamToken: "canary-metadata" },
                },
                { value: { _tag: "Hashed", sha256: "ca11ab1e".repeat(8) } },
              ],
            },
          },
        },
      ],
      [
        AttachmentKey.make("jwt"),
        {
          key: AttachmentKey.make("jwt"),
          target: { _tag: "Gateway", name: "default", namespace: "default" },
          inheritance: "default",
          policy: {
            _tag: "Traffic",
            phase: "route",
            policy: {
              _tag: "JwtAuth",
              mode: "strict",
              location,
              providers: [
                {
                  issuer: "shown-issuer",
                  audiences: [],
                  requiredClaims: [],
                  jwks: { _tag: "Inline", text: '{"keys":[{"kty":"oct","k":"canary-jwk"}]}' },
                },
                {
                  issuer: "remote",
                  audiences: [],
                  requiredClaims: [],
                  jwks: {
                    _tag: "Remote",
                    url: "https://user:canary-password@idp.example/keys?api_key=canary-url&shown=1",
                  },
                },
              ],
            },
          },
        },
      ],
    ]),
  }
}

describe("the configuration dump", () => {
  it("shows no secret, wherever one may stand, and everything else", async () => {
    const { dump } = await import("../../src/admin/dump.ts")
    const settings = { ...resolve({}, { env: {}, cpus: 1 }).static, sessionKey: secret("session") }
    const text = [
      ...dump({
        snapshot: withSecrets(9),
        version: 3,
        config: settings,
        sensitiveHeaders: ["x-mine"],
        endpoints: undefined,
      }),
    ].join("")
    assert.notMatch(text, /canary|ca11ab1e/)
    const shown = JSON.parse(text) as Record<string, ReadonlyArray<unknown>>
    assert.deepEqual(Object.keys(shown), [
      "version",
      "problems",
      "config",
      "binds",
      "routes",
      "policies",
      "backends",
      "models",
      "services",
      "workloads",
    ])
    for (const expected of [
      "shown-value",
      "shown-realm",
      "shown-user",
      "shown-issuer",
      "shown=1",
      "BEGIN CERTIFICATE",
    ]) {
      assert.include(text, expected)
    }
    assert.isAbove(text.split("<redacted>").length, 12)
  })

  it("is there over HTTP, as what serves right now", async () => {
    const port = await upstream((_, response) => response.end("hello"))
    const { admin, gateway, tell } = await start()
    tell(told(snapshotTo(port)))
    await until(() => gateway.config().version === 1)
    const { body, headers } = await ask(only(admin.admin), "/config_dump")
    assert.equal(headers["content-type"], "application/json")
    const dumped = JSON.parse(body) as {
      readonly version: number
      readonly config: { readonly sessionKey: string }
      readonly binds: ReadonlyArray<{
        readonly key: string
        readonly listeners: ReadonlyArray<{
          readonly routes: ReadonlyArray<{ readonly name: { readonly name: string } }>
        }>
      }>
    }
    assert.equal(dumped.version, 1)
    assert.equal(dumped.config.sessionKey, "<redacted>")
    assert.equal(dumped.binds[0]?.key, bindKey)
    assert.equal(dumped.binds[0]?.listeners[0]?.routes[0]?.name.name, "orders")
    assert.notInclude(body, "canary")
  })

  it("of many routes arrives whole", async () => {
    const base = snapshotTo(1)
    const [route] = base.routes.values()
    assert.isDefined(route)
    const routes = new Map(
      Array.from({ length: 3000 }, (_, i) => {
        const key = RouteKey.make(`r${i}`)
        return [key, { ...(route as NonNullable<typeof route>), key, hostnames: [`h${i}.example`] }] as const
      }),
    )
    const { admin, gateway, tell } = await start()
    tell(told({ ...base, routes }))
    await until(() => gateway.config().version === 1)
    const { body } = await ask(only(admin.admin), "/config_dump")
    const dumped = JSON.parse(body) as { binds: [{ listeners: [{ routes: ReadonlyArray<unknown> }] }] }
    assert.lengthOf(dumped.binds[0].listeners[0].routes, 3000)
  })
})
