/** Authentication, forged requests and local limits through a whole gateway, from the file to the upstream. */
import { hashSync } from "bcryptjs"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as http from "node:http"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { Endpoints } from "../../stages/6-dispatch/Endpoints.ts"
import { fetchDocument } from "../../stages/5-policy/fetchDocument.ts"
import { compile } from "../../stages/5-policy/jwtAuth.ts"
import { DOCUMENT_BYTES_MAX } from "../../stages/5-policy/fetchDocument.ts"
import { RETRY_MILLIS } from "../../stages/5-policy/RemoteDocument.ts"
import { Upstream } from "../../stages/ports/Upstream.ts"
import * as upstream from "../../src/node/upstream.ts"
import { loadedOf } from "../config/memoryIo.ts"
import { gateOf } from "../stages/5-policy/gate.ts"
import { ec, jwks, signed } from "../stages/5-policy/tokens.ts"
import { FakeClock, makeExchange } from "../stages/exchange.ts"
import { changing, type HttpUpstream, httpUpstream, type Started, startGateway } from "./harness.ts"
import { get, makeDirectory, Standalone, until } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const closed = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  closing.push(() => one.close())
  return one
}

const snapshotOf = async (policies: string, to: number): Promise<Snapshot> => {
  const text = `
gateways: {default: {port: 1}}
routes:
- policies:
    ${policies}
  backends: [{host: "127.0.0.1:${to}"}]
`
  const { snapshot } = await loadedOf(text, { files: { htpasswd: `ann:${hashSync("sesame", 4)}\n` } })
  const binds = [...snapshot.binds].map(
    ([key, bind]) => [key, { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const }] as const,
  )
  return { ...snapshot, binds: new Map(binds) }
}

interface Place {
  readonly gateway: Started
  readonly backend: HttpUpstream
  readonly send: (path: string, options?: http.RequestOptions) => ReturnType<typeof get>
}

const start = async (policies: string): Promise<Place> => {
  const backend = closed(await httpUpstream())
  const gateway = closed(await startGateway(await snapshotOf(policies, backend.port)))
  const send: Place["send"] = (path, options) => get(`http://127.0.0.1:${gateway.port}${path}`, options)
  return { gateway, backend, send }
}

const reached = (body: string) => JSON.parse(body) as { readonly url: string; readonly headers: Record<string, string> }

it("an API key names its holder and goes no further", async () => {
  const { backend, gateway, send } = await start(
    `apiKey: {mode: strict, keys: [{key: alpha, metadata: {user: ann}}], location: {queryParameter: {name: key}}}`,
  )
  const good = await send("/a?x=1&key=alpha&y")
  expect([good.status, reached(good.body).url]).toEqual([200, "/a?x=1&y"])
  const { identity } = gateway.told.exchanges[0]?.exchange ?? {}
  expect(identity?.apiKey?.metadata).toEqual({ user: "ann" })
  expect(JSON.stringify(identity)).not.toContain("alpha")
  const wrong = await send("/a?key=beta")
  expect([wrong.status, wrong.body]).toEqual([401, "api key authentication failure: invalid credentials"])
  expect((await send("/a")).body).toBe("api key authentication failure: no API Key found")
  expect(backend.requests.length).toBe(1)
})

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` })

describe("a password", () => {
  it("is checked against its bcrypt hash, and goes no further", async () => {
    const { backend, gateway, send } = await start("basicAuth: {mode: strict, htpasswd: {file: htpasswd}, realm: r}")
    const none = await send("/")
    expect([none.status, none.headers["www-authenticate"]]).toEqual([401, 'Basic realm="r", charset="UTF-8"'])
    const wrong = await send("/", { headers: basic("ann:Sesame") })
    expect([wrong.status, wrong.body]).toEqual([401, "basic authentication failure: invalid credentials"])
    for (let i = 0; i < 3; i++) {
      const good = await send("/", { headers: basic("ann:sesame") })
      expect([good.status, reached(good.body).headers["authorization"]]).toEqual([200, undefined])
    }
    expect(gateway.told.exchanges.at(-1)?.exchange.identity).toEqual({ basicAuth: { username: "ann" } })
    expect(backend.requests.length).toBe(3)
  })

  it("for a proxy is asked for as a proxy does", async () => {
    const { send } = await start(
      "basicAuth: {mode: strict, htpasswd: {file: htpasswd}, authorizationLocation: {header: {name: proxy-authorization, prefix: 'Basic '}}}",
    )
    const none = await send("/")
    expect([none.status, none.headers["proxy-authenticate"]]).toEqual([
      407,
      'Basic realm="Restricted", charset="UTF-8"',
    ])
    const headers = { "proxy-authorization": basic("ann:sesame").authorization }
    expect((await send("/", { headers })).status).toBe(200)
  })
})

describe("a token", () => {
  const key = ec("k1")
  const claims = () => ({ iss: "https://issuer", sub: "ann", exp: Date.now() / 1000 + 300 })
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  it("is held against keys at a URL, which are fetched once", async () => {
    const issuer = closed(
      await httpUpstream((_, response) => response.setHeader("cache-control", "max-age=600").end(jwks(key))),
    )
    const { backend, gateway, send } = await start(
      `jwtAuth: {mode: strict, issuer: "https://issuer", jwks: {url: "http://127.0.0.1:${issuer.port}/keys?a=b"}}`,
    )
    const token = signed(key, "ES256", claims())
    const replies = await Promise.all(Array.from({ length: 8 }, () => send("/", bearer(token))))
    for (const { body, status } of replies) {
      expect([status, status === 200 ? reached(body).headers["authorization"] : body]).toEqual([200, undefined])
    }
    expect(issuer.requests.map(({ url }) => url)).toEqual(["/keys?a=b"])
    expect(gateway.told.exchanges[0]?.exchange.identity?.jwt?.["sub"]).toBe("ann")
    const none = await send("/")
    expect([none.status, none.headers["www-authenticate"]]).toEqual([401, "Bearer"])
    const wrong = await send("/", bearer(signed(ec("k1"), "ES256", claims())))
    expect([wrong.status, wrong.body, wrong.headers["www-authenticate"]]).toEqual([
      401,
      "authentication failure: the token is invalid or malformed: InvalidSignature",
      'Bearer error="invalid_token"',
    ])
    expect(backend.requests.length).toBe(8)
    expect(issuer.requests.length).toBe(1)
  })

  it("is refused as a fault of ours while nobody answers at the URL", async () => {
    const { backend, send } = await start(
      `jwtAuth: {mode: strict, issuer: "https://issuer", jwks: {url: "http://127.0.0.1:${await freePort()}/"}}`,
    )
    const reply = await send("/", bearer(signed(key, "ES256", claims())))
    expect([reply.status, reply.headers["retry-after"]]).toEqual([503, "15"])
    expect(backend.requests.length).toBe(0)
  })

  it("passes once the server of the keys is up, and stays good when it is down again", async () => {
    const port = await freePort()
    const clock = new FakeClock()
    const endpoints = new Endpoints(await Effect.runPromise(openUpstream))
    closing.push(async () => endpoints.close())
    const fetch = fetchDocument({
      clock,
      endpoints,
      defaults: {
        connectTimeoutMillis: 1000,
        poolIdleMillis: 1000,
        poolSizeMax: undefined,
        keepAlive: { enabled: false, timeMillis: 1000 },
      },
    })
    const step = compile(
      {
        _tag: "JwtAuth",
        mode: "strict",
        location: { _tag: "Query", name: "t" },
        providers: [
          {
            issuer: "https://issuer",
            audiences: [],
            requiredClaims: [],
            jwks: { _tag: "Remote", url: `http://127.0.0.1:${port}/` },
          },
        ],
      },
      { clock, maxBufferBytes: 0, gate: gateOf(undefined, { clock, fetch }) },
      "route",
    )
    const ask = async () => {
      const exchange = makeExchange({ url: `http://a/?t=${signed(key, "ES256", { iss: "https://issuer" })}` })
      const result = await Effect.runPromise(Effect.result(step.run(exchange)))
      return result._tag === "Success" ? result.success._tag : result.failure._tag
    }
    expect(await ask()).toBe("KeysUnavailable")
    const server = http.createServer((_, response) => response.end(jwks(key)))
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
    expect(await ask()).toBe("KeysUnavailable")
    clock.advance(RETRY_MILLIS)
    expect(await ask()).toBe("Pass")
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    clock.advance(86_400_000)
    expect(await ask()).toBe("Pass")
  })

  const documents: ReadonlyArray<readonly [what: string, answer: http.RequestListener, why: RegExp]> = [
    ["a redirect", (_, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(), /status 302/],
    ["an error", (_, response) => response.writeHead(500).end(jwks(key)), /status 500/],
    ["more than anybody needs", (_, response) => response.end("x".repeat(DOCUMENT_BYTES_MAX + 1)), /larger than/],
    [
      "a coding nobody asked for",
      (_, response) => response.setHeader("content-encoding", "br").end("x"),
      /coded as br/,
    ],
    ["no text", (_, response) => response.end(Buffer.of(0xff, 0xfe)), /UTF-8/],
    [
      "half of it",
      (_, response) => void response.writeHead(200, { "content-length": 9 }).write("x", () => response.destroy()),
      /./,
    ],
  ]
  for (const [what, answer, why] of documents) {
    it(`is not held against ${what}`, async () => {
      const issuer = closed(await httpUpstream(answer))
      const endpoints = new Endpoints(await Effect.runPromise(openUpstream))
      closing.push(async () => endpoints.close())
      const fetched = fetchDocument({
        clock: new FakeClock(),
        endpoints,
        defaults: {
          connectTimeoutMillis: 1000,
          poolIdleMillis: 1000,
          poolSizeMax: undefined,
          keepAlive: { enabled: false, timeMillis: 1000 },
        },
      })(`http://127.0.0.1:${issuer.port}/`)
      await expect(Effect.runPromise(Effect.flip(fetched))).resolves.toMatch(why)
    })
  }
})

const openUpstream = Effect.provide(
  Effect.map(Upstream, ({ open }) => open),
  upstream.layer,
)

it("a forged request is refused, one of its own page is not", async () => {
  const { backend, send } = await start("csrf: {additionalOrigins: ['https://admin.example']}")
  const post = (headers: Record<string, string>) =>
    send("/", { method: "POST", headers: { host: "shop.example", ...headers } })
  const forged = await post({ origin: "https://evil.example", "sec-fetch-site": "cross-site" })
  expect([forged.status, forged.body]).toEqual([403, "CSRF validation failed"])
  expect((await post({ origin: "http://shop.example" })).status).toBe(200)
  expect((await post({ origin: "https://admin.example", "sec-fetch-site": "same-site" })).status).toBe(200)
  expect((await post({})).status).toBe(200)
  expect(backend.requests.length).toBe(3)
})

describe("a limit", () => {
  const limit = "localRateLimit: [{maxTokens: 2, tokensPerFill: 2, fillInterval: 10000h}]"

  it("answers 429 and says how long", async () => {
    const { backend, send } = await start(limit)
    const replies = [await send("/"), await send("/"), await send("/")]
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(replies.map(({ headers }) => headers["x-ratelimit-remaining"])).toEqual(["1", "0", "0"])
    expect(replies[2]?.body).toBe("rate limit exceeded")
    expect(Number(replies[2]?.headers["retry-after"])).toBeGreaterThan(0)
    expect(backend.requests.length).toBe(2)
  })

  it("goes on counting over changes of everything else", async () => {
    const backend = closed(await httpUpstream())
    const { change, source } = changing(await snapshotOf(limit, backend.port))
    const gateway = closed(await startGateway(source))
    const send = () => get(`http://127.0.0.1:${gateway.port}/`)
    expect((await send()).status).toBe(200)
    const next = await snapshotOf(`${limit}\n    timeout: {requestTimeout: 9s}`, backend.port)
    const { version } = gateway.gateway.config()
    change(next)
    while (gateway.gateway.config().version === version) await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await send()).headers["x-ratelimit-remaining"]).toBe("0")
    expect((await send()).status).toBe(429)
  })
})

/** How many sockets listen on a port: one of each thread that serves. */
const listening = (port: number): number =>
  ["/proc/net/tcp", "/proc/net/tcp6"]
    .flatMap((file) => fs.readFileSync(file, "utf8").split("\n"))
    .filter((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/)
      return state === "0A" && Number.parseInt(local.split(":")[1] ?? "", 16) === port
    }).length

describe.runIf(process.platform === "linux")("two workers", () => {
  const root = makeDirectory()
  afterAll(() => fs.rmSync(root, { recursive: true }))

  it("count a limit together", async () => {
    const port = await freePort()
    const config = `
gateways: {default: {port: ${port}}}
routes:
- policies:
    localRateLimit: [{maxTokens: 30, tokensPerFill: 0, fillInterval: 1s}]
    directResponse: {status: 200, body: ok}
`
    const one = new Standalone({ args: ["-c", config], env: { WORKER_THREADS: "2" }, cwd: root })
    closing.push(async () => {
      one.kill("SIGKILL")
      await one.ended
    })
    await one.serving()
    await until(() => listening(port) === 2)
    const replies = await Promise.all(Array.from({ length: 100 }, () => get(`http://127.0.0.1:${port}/`)))
    expect(replies.filter(({ status }) => status === 200).length).toBe(30)
    expect(replies.filter(({ status }) => status === 429).length).toBe(70)
  })

  it("count together who is inside, and forget whom a worker that died had let in", async () => {
    const waiting: Array<http.ServerResponse> = []
    const answer = () => {
      for (const response of waiting.splice(0)) response.end("ok")
    }
    const upstream = closed(await httpUpstream((_request, response) => void waiting.push(response)))
    const port = await freePort()
    const config = `
gateways: {default: {port: ${port}}}
routes:
- policies:
    concurrencyLimit: [{maxConcurrent: 6}]
  backends: [{host: "127.0.0.1:${upstream.port}"}]
`
    const faults = fileURLToPath(new URL("workerFaults.ts", import.meta.url))
    const one = new Standalone({
      args: ["-c", config],
      env: { WORKER_THREADS: "2" },
      node: ["--import", faults],
      cwd: root,
    })
    closing.push(async () => {
      one.kill("SIGKILL")
      await one.ended
    })
    await one.serving()
    await until(() => listening(port) === 2)
    /** Sends so many at once; tells their statuses, 0 for a broken connection. */
    const burst = (count: number) => {
      const statuses: Array<number> = []
      const over = Promise.all(
        Array.from({ length: count }, () =>
          get(`http://127.0.0.1:${port}/`).then(
            ({ status }) => void statuses.push(status),
            () => void statuses.push(0),
          ),
        ),
      )
      return { statuses, over }
    }
    const many = burst(40)
    await until(() => many.statuses.length === 34 && waiting.length === 6)
    expect(many.statuses).toEqual(Array(34).fill(503))
    answer()
    await many.over
    expect(many.statuses.slice(34)).toEqual(Array(6).fill(200))

    const interrupted = burst(6)
    await until(() => waiting.length === 6)
    one.kill("SIGUSR2")
    await until(() => one.error.includes("thread ended"))
    await until(() => listening(port) === 2)
    answer()
    await interrupted.over
    const again = burst(6)
    await until(() => waiting.length === 6)
    expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(503)
    answer()
    await again.over
    expect(again.statuses).toEqual(Array(6).fill(200))
  })
})
