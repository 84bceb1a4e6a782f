/**
 * Secrets in every place where one can stand — the configuration, the environment, requests, replies — and every sink of
 * the gateway read to its last byte. None may be found anywhere.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { otlpReceiver, type OtlpReceiver } from "../../peers/otlp.ts"
import { command, get, makeDirectory, Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const planted = new Map<string, string>()

/** A secret of its own for a place. */
const plant = (place: string, shape: (random: string) => string = (random) => random): string => {
  if (planted.has(place)) throw new Error(`${place} has a secret already`)
  const random = randomBytes(12).toString("hex")
  planted.set(place, random)
  return shape(random)
}

const hex = (place: string): string => {
  const key = randomBytes(32).toString("hex")
  planted.set(place, key)
  return key
}

/** A token of the shape that libraries make, signed by nobody. */
const jwt = (place: string): string => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const signature = randomBytes(24).toString("base64url")
  planted.set(place, signature)
  return `${part({ alg: "RS256" })}.${part({ sub: "ann" })}.${signature}`
}

/** A key set whose key came with its private part. */
const jwks = (place: string): string => {
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" })
  planted.set(place, String(key.d).slice(0, 40))
  return JSON.stringify({ keys: [{ ...key, kid: "a", alg: "RS256" }] })
}

const pem = readFileSync(new URL("../certificates/server.key", import.meta.url), "utf8")

const folder = makeDirectory()
const database = join(folder, "data.db")
const file = join(folder, "config.yaml")
let receiver: OtlpReceiver
let upstream: http.Server
let gateway: Standalone
let port: number
let tlsPort: number
let admin: string
const sinks = new Map<string, string>()
const seenUpstream: Array<string> = []
const token = plant("environment: SLUICE_ADMIN_TOKEN")

const config = (to: number): string => `
config:
  database: {url: "sqlite://${database}"}
  sensitiveHeaders: [x-house-secret]
  session: {key: "${hex("config: session.key")}"}
  logging: {level: trace}
  histograms: both
  metrics: {otlp: {endpoint: "http://127.0.0.1:${receiver.port}", protocol: http, interval: 200ms, headers: {x-metrics-key: "${plant("config: headers of exported metrics")}"}}}
  tracing:
    otlpEndpoint: "http://127.0.0.1:${receiver.port}"
    otlpProtocol: http
    randomSampling: true
    headers: {x-vendor-key: "${plant("config: tracing.headers")}"}
    fields: {add: {headers: 'request.headers.redacted()'}}
frontendPolicies:
  accessLog:
    add: {asked: 'flatten(request.headers.redacted())', answered: 'flatten(response.headers.redacted())'}
    database: {llm: full, add: {asked: 'request.headers.redacted()'}}
    otlp:
      host: "127.0.0.1:${receiver.port}"
      protocol: http
      policies: {backendAuth: {key: "${plant("config: backendAuth of a receiver")}"}}
llm:
  port: ${port + 2}
  policies:
    apiKey: {mode: strict, keys: [{key: "${llmKey}", metadata: {name: "team", secret: "${plant("config: metadata of a key")}"}}]}
  providers:
  - {name: stored, provider: openAI, params: {apiKey: "${plant("config: key of a provider", (r) => `sk-${r}`)}", baseUrl: "http://127.0.0.1:${to}"}}
  models:
  - {name: gpt, provider: {reference: stored}}
  - name: judged
    provider: {reference: stored}
    guardrails:
      request: [{webhook: {target: {host: "127.0.0.1:${to}"}, headers: {x-api-key: "'${plant("config: a header for the webhook of a guard")}'"}}}]
  - {name: direct, provider: anthropic, params: {apiKey: "${plant("config: key of a model", (r) => `sk-ant-${r}`)}", baseUrl: "http://127.0.0.1:${to}"}}
binds:
- port: ${port}
  listeners:
  - routes:
    - name: keyed
      matches: [{path: {pathPrefix: /keyed}}]
      policies:
        apiKey: {mode: strict, keys: [{key: "${apiKey}", metadata: {name: ann, password: "${plant("config: metadata of an API key")}"}}]}
        backendAuth: {key: "${plant("config: backendAuth of a route")}"}
      backends: [{host: "127.0.0.1:${to}"}]
    - name: basic
      matches: [{path: {pathPrefix: /basic}}]
      policies: {basicAuth: {htpasswd: "ann:{SHA}${plant("config: hash of a password", (r) => Buffer.from(r.slice(0, 20)).toString("base64"))}", realm: x}}
      backends: [{host: "127.0.0.1:${to}"}]
    - name: tokens
      matches: [{path: {pathPrefix: /tokens}}]
      policies: {jwtAuth: {issuer: x, audiences: [y], jwks: '${jwks("config: private part of a key of tokens")}'}}
      backends: [{host: "127.0.0.1:${to}"}]
    - name: headers
      matches: [{path: {pathPrefix: /headers}}]
      policies:
        requestHeaderModifier: {set: {authorization: "Bearer ${plant("config: a header that is set")}", x-house-secret: "${plant("config: a sensitive header that is set")}"}}
      backends:
      - host: "127.0.0.1:${to}"
    - name: tools
      matches: [{path: {pathPrefix: /mcp}}]
      backends:
      - mcp:
          targets:
          - name: shop
            mcp: {host: "http://127.0.0.1:${to}/tools"}
            policies: {backendAuth: {key: "${plant("config: key of a server of tools")}"}}
          - name: local
            stdio: {cmd: node, args: [-e, "process.stdin.resume()"], env: {SHOP_TOKEN: "${plant("config: environment of a server of tools")}"}}
    - name: agent
      matches: [{path: {pathPrefix: /agent}}]
      policies: {a2a: {}}
      backends:
      - host: "127.0.0.1:${to}"
        policies: {backendAuth: {key: "${plant("config: key of an agent")}"}}
    - name: exchanged
      matches: [{path: {pathPrefix: /exchanged}}]
      backends:
      - host: "127.0.0.1:${to}"
        policies:
          backendAuth:
            oauthClientCredentials: {host: "127.0.0.1:${to}", path: /oauth/token, clientAuth: {clientId: gateway, clientSecret: "${plant("config: secret of an OAuth client")}", method: clientSecretPost}}
    - name: login
      matches: [{path: {pathPrefix: /login}}]
      policies:
        oidc:
          issuer: "http://127.0.0.1:${to}"
          clientId: gateway
          clientSecret: "${plant("config: secret of a client of OpenID")}"
          cookieSecret: "${hex("config: secret of cookies")}"
          redirectURI: "http://127.0.0.1/login/callback"
      backends: [{host: "127.0.0.1:${to}"}]
    - name: guarded
      matches: [{path: {pathPrefix: /guarded}}]
      policies:
        extAuthz: {host: "127.0.0.1:${to}", protocol: {http: {addRequestHeaders: {x-api-key: "'${plant("config: a header for an authorization service")}'"}}}, policies: {backendAuth: {key: "${plant("config: key of an authorization service")}"}}}
      backends: [{host: "127.0.0.1:${to}"}]
    - name: tunnel
      matches: [{path: {pathPrefix: /tunnel}}]
      policies: {backendTunnel: {proxy: {host: "127.0.0.1:1"}, policies: {backendAuth: {key: "${plant("config: credential of a proxy")}"}}}}
      backends: [{host: "127.0.0.1:${to}"}]
    - name: rest
      backends: [{host: "127.0.0.1:${to}"}]
- port: ${tlsPort}
  listeners: [{protocol: HTTPS, tls: {cert: "${new URL("../certificates/server.pem", import.meta.url).pathname}", key: "${keyFile}"}, routes: [{backends: [{host: "127.0.0.1:${to}"}]}]}]
`

const keyFile = join(folder, "server.key")
const apiKey = plant("config: an API key")
const llmKey = plant("config: a key for models")

const sent = async (path: string, headers: Record<string, string> = {}, body?: string): Promise<string> => {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers,
    ...(body === undefined ? {} : { method: "POST", body }),
  }).catch(() => undefined)
  return `${reply?.status ?? 0} ${(await reply?.text()) ?? ""}`
}

beforeAll(async () => {
  writeFileSync(keyFile, pem)
  planted.set("file: private key of a certificate", pem.split("\n")[3] ?? "")
  receiver = await otlpReceiver()
  const replies = {
    "set-cookie": plant("reply: set-cookie", (r) => `session=${r}`),
    "x-house-secret": plant("reply: a sensitive header"),
    "x-api-key": plant("reply: x-api-key"),
    "x-auth-token": plant("reply: x-auth-token"),
  }
  const said = plant("reply: what a model says", (r) => `sk-proj-${r}`)
  const body = plant("reply: a body")
  const granted = plant("reply: a token of an OAuth server")
  const toolSession = plant("reply: the session of a server of tools")
  const toolSaid = plant("reply: what a tool says")
  upstream = http.createServer((request, response) => {
    let body_ = ""
    request.on("data", (chunk: Buffer) => (body_ += chunk.toString()))
    request.on("end", () => {
      seenUpstream.push(JSON.stringify(request.headers))
      seenUpstream.push(request.url ?? "")
      if (request.url === "/oauth/token") {
        response.writeHead(200, { "content-type": "application/json" })
        response.end(JSON.stringify({ access_token: granted, token_type: "Bearer", expires_in: 300 }))
        return
      }
      if (request.url === "/tools") {
        response.writeHead(200, { "content-type": "application/json", "mcp-session-id": toolSession })
        const result = {
          protocolVersion: "2025-11-25",
          capabilities: { tools: {} },
          serverInfo: { name: "shop", version: "1" },
          tools: [{ name: "buy", inputSchema: { type: "object" } }],
          content: [{ type: "text", text: toolSaid }],
        }
        response.end(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(body_ || "{}").id ?? null, result }))
        return
      }
      if (request.url === "/request") {
        response.writeHead(200, { "content-type": "application/json" })
        response.end('{"action": {}}')
        return
      }
      const isModel = /completions|messages/.test(request.url ?? "")
      const answer = {
        id: "1",
        object: "chat.completion",
        created: 1,
        model: "gpt",
        type: "message",
        role: "assistant",
        choices: [
          {
            index: 0,
            finish_reason: "stop",
            message: { role: "assistant", content: `take ${said}` },
          },
        ],
        content: [{ type: "text", text: "hi" }],
        stop_reason: "end_turn",
        usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, input_tokens: 3, output_tokens: 4 },
      }
      response.writeHead(request.url?.includes("fail") ? 500 : 200, { ...replies, "content-type": "application/json" })
      response.end(isModel ? JSON.stringify(answer) : `{"secret":"${body}"}`)
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  const to = (upstream.address() as AddressInfo).port
  port = await freePort()
  tlsPort = port + 1
  const text = config(to)
  writeFileSync(file, text)
  gateway = await new Standalone({
    args: ["-f", file],
    env: {
      OTEL_BSP_SCHEDULE_DELAY: "20",
      SLUICE_ADMIN_TOKEN: token,
      OIDC_COOKIE_SECRET: hex("environment: OIDC_COOKIE_SECRET"),
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${plant("environment: OTEL_EXPORTER_OTLP_HEADERS")}`,
      OPENAI_API_KEY: plant("environment: OPENAI_API_KEY", (r) => `sk-${r}`),
      ANTHROPIC_API_KEY: plant("environment: ANTHROPIC_API_KEY", (r) => `sk-ant-${r}`),
      AWS_SECRET_ACCESS_KEY: plant("environment: AWS_SECRET_ACCESS_KEY"),
      NODE_EXTRA_CA_CERTS: new URL("../certificates/ca.pem", import.meta.url).pathname,
    },
  }).serving()
  admin = /^ +admin +(http\S+)$/m.exec(gateway.out)?.[1] ?? ""

  await sent("/keyed/a", { authorization: `Bearer ${apiKey}` })
  await sent("/keyed/a", { authorization: plant("request: a wrong API key", (r) => `Bearer ${r}`) })
  await sent(
    `/rest/a?access_token=${plant("request: access_token")}&api_key=${plant("request: api_key")}&code=${plant("request: code")}&sig=${plant("request: sig")}`,
  )
  await sent(
    `/rest/b?X-Amz-Signature=${plant("request: X-Amz-Signature")}&client_secret=${plant("request: client_secret")}&id_token=${jwt("request: id_token")}`,
  )
  await sent("/rest/c", {
    cookie: plant("request: cookie", (r) => `sid=${r}`),
    "proxy-authorization": plant(
      "request: proxy-authorization",
      (r) => `Basic ${Buffer.from(`a:${r}`).toString("base64")}`,
    ),
    "x-api-key": plant("request: x-api-key"),
    "x-house-secret": plant("request: a sensitive header"),
    "x-goog-api-key": plant("request: x-goog-api-key"),
  })
  const password = plant("request: a password")
  planted.set("request: a password, encoded", Buffer.from(`ann:${password}`).toString("base64"))
  await sent("/basic/a", { authorization: `Basic ${Buffer.from(`ann:${password}`).toString("base64")}` })
  await sent("/tokens/a", { authorization: `Bearer ${jwt("request: a token")}` })
  await sent("/headers/a")
  await sent("/tunnel/a")
  await sent("/login/a")
  await sent(`/login/callback?state=a.b&code=${plant("request: a code of a login")}`)
  await sent("/guarded/a", { authorization: `Bearer ${plant("request: a token that an authorization service sees")}` })
  await sent(
    "/rest/fail",
    { authorization: plant("request: a token that is passed on", (r) => `Bearer ${r}`) },
    plant("request: a body"),
  )
  const chat = async (model: string, key: string) => {
    const reply = await fetch(`http://127.0.0.1:${port + 2}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({
        model,
        messages: [
          {
            role: "user",
            content: `my key is ${plant(`request: a prompt for ${model} with ${key}`, (r) => `sk-live-${r}`)}`,
          },
        ],
      }),
    })
    return `${reply.status} ${await reply.text()}`
  }
  expect(await chat("gpt", llmKey)).toMatch(/^200/)
  expect(await chat("direct", llmKey)).toMatch(/^200/)
  expect(await chat("gpt", plant("request: a wrong key for models"))).toMatch(/^401/)
  expect(await chat("judged", llmKey)).toMatch(/^200/)
  expect(await sent("/exchanged/a")).toMatch(/^200/)

  // Tools: their client's session, what it says in arguments, and what it says in `_meta`.
  const mcp = async (message: object, headers: Record<string, string> = {}) => {
    const reply = await fetch(`http://127.0.0.1:${port}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    })
    return { session: reply.headers.get("mcp-session-id") ?? "", text: await reply.text() }
  }
  const { session } = await mcp({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } },
  })
  expect(session).not.toBe("")
  planted.set("reply: the session of a client of tools", session)
  const inSession = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }
  await mcp({ method: "notifications/initialized" }, inSession)
  const called = await mcp(
    {
      id: 2,
      method: "tools/call",
      params: {
        name: "shop_buy",
        arguments: { card: plant("request: an argument of a tool") },
        _meta: { "example.com/token": plant("request: a token in `_meta`") },
      },
    },
    inSession,
  )
  expect(called.text).toContain(planted.get("reply: what a tool says"))
  await mcp({ id: 3, method: "tools/list" }, { "mcp-session-id": plant("request: a session that there is not") })

  // Agents: what is said to them, and where they are to push to.
  await sent(
    "/agent/a2a",
    {
      "content-type": "application/json",
      "a2a-version": "1.0",
      authorization: `Bearer ${plant("request: a token for an agent")}`,
    },
    JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "SendMessage",
      params: {
        message: { messageId: "1", role: "ROLE_USER", parts: [{ text: plant("request: a message to an agent") }] },
        configuration: {
          pushNotificationConfig: {
            url: `https://push.example/?token=${plant("request: a token in an address to push to")}`,
            token: plant("request: a token to push with"),
            authentication: { scheme: "Bearer", credentials: plant("request: a credential to push with") },
          },
        },
      },
    }),
  )

  await until(() => receiver.spans.filter(({ kind }) => kind === 2).length >= 12 && receiver.logs.length >= 12)
  const auth = { authorization: `Bearer ${token}` }
  const ask = async (path: string, body?: unknown) =>
    (
      await fetch(`${admin}${path}`, {
        headers: auth,
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      })
    ).text()
  for (const path of [
    "/config_dump",
    "/api/config",
    "/api/status",
    "/api/targets",
    "/api/connections",
    "/api/explain?count=500",
    "/api/mcp/sessions",
    "/api/caches",
    "/api/fibers",
    "/api/budgets",
    "/memory",
  ]) {
    sinks.set(`admin ${path}`, await ask(path))
  }
  const issued = JSON.parse(await ask("/api/keys", { name: "team", metadata: { note: "for the canary" } })) as {
    key: string
  }
  planted.set("reply: a key that was given out", issued.key)
  await chat("gpt", issued.key)
  sinks.set("keys", await ask("/api/keys"))
  const stories = JSON.parse(sinks.get("admin /api/explain?count=500") ?? "{}").stories as ReadonlyArray<{
    readonly id: string
  }>
  expect(stories.length).toBeGreaterThan(8)
  sinks.set("stories", (await Promise.all(stories.map(({ id }) => ask(`/api/explain/${id}`)))).join("\n"))
  sinks.set("request log", await ask("/api/logs/search", { limit: 500, includeAttributes: true }))
  const kept = JSON.parse(sinks.get("request log") ?? "{}").logs as ReadonlyArray<{
    readonly id: string
    readonly hasPayload: boolean
  }>
  expect(kept.some(({ hasPayload }) => hasPayload)).toBe(true)
  sinks.set(
    "payloads",
    (await Promise.all(kept.map(({ id }) => ask("/api/logs/get", { id, includePayload: true })))).join("\n"),
  )
  sinks.set("refused without a token", (await get(`${admin}/api/config/text`)).body)
  sinks.set("metrics", await gateway.metrics())
  const metricsUrl = /^ +metrics +(http\S+)$/m.exec(gateway.out)?.[1] ?? ""
  const asProtobuf = await fetch(metricsUrl, {
    headers: {
      accept: "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    },
  })
  sinks.set("metrics as protobuf", Buffer.from(await asProtobuf.arrayBuffer()).toString("latin1"))
  // What a person sees of the same.
  const words = { env: { SLUICE_ADMIN_TOKEN: token } }
  for (const args of [
    ["explain", "--latest", "-n", "500"],
    ["explain", "--id", stories[0]?.id ?? ""],
    ["logs", "-n", "500"],
    ["logs", "-n", "500", "--json"],
    ["status", "--json"],
  ]) {
    const { code, error, out } = await command([...args, "--admin", admin], words)
    expect([args, code]).toEqual([args, 0])
    sinks.set(`sluice ${args.join(" ")}`, out + error)
  }
  await until(() => receiver.metrics.length > 0)
  sinks.set(
    "a plan",
    await ask("/api/config/plan", { edits: [{ set: ["config", "logging", "level"], value: "debug" }] }),
  )
  sinks.set(
    "a configuration that is refused",
    await ask("/api/config/validate", { text: text.replace("randomSampling: true", "randomSampling: [") }),
  )
  const wrong = text.replaceAll("mode: strict", "mode: nonsense")
  sinks.set("another that is refused", await ask("/api/config/validate", { text: wrong }))
  writeFileSync(file, wrong)
  await gateway.says("Failed to reload config")
  for (const args of [
    ["validate", file],
    ["doctor", file, "--admin", admin],
    ["explain", file, "--request", `GET http://a:${port}/keyed`],
    ["status", "--admin", admin],
  ]) {
    const { error, out } = await command(args)
    sinks.set(`sluice ${args[0] ?? ""}`, out + error)
  }
  gateway.kill("SIGTERM")
  await gateway.ended
  sinks.set("standard output", gateway.out)
  sinks.set("standard error", gateway.error)
  sinks.set("what receivers of OTLP got", Buffer.concat(receiver.raw).toString("latin1"))
  for (const name of readdirSync(folder).filter((name) => name.startsWith("data.db"))) {
    sinks.set(`database ${name}`, readFileSync(join(folder, name), "latin1"))
  }
}, 180_000)
afterAll(() => {
  gateway?.kill("SIGKILL")
  receiver.close()
  upstream.closeAllConnections()
  upstream.close()
  rmSync(folder, { recursive: true, force: true })
})

it("forty secrets and more were planted, and the gateway used those it was given", () => {
  expect(planted.size).toBeGreaterThanOrEqual(70)
  const seen = seenUpstream.join("\n")
  for (const place of [
    "config: backendAuth of a route",
    "config: a header that is set",
    "config: key of a provider",
    "config: key of a server of tools",
    "config: key of an agent",
    "config: a header for the webhook of a guard",
    "config: key of an authorization service",
    "config: a header for an authorization service",
    "reply: a token of an OAuth server",
  ]) {
    expect(seen, place).toContain(planted.get(place))
  }
  expect(JSON.stringify(receiver.requests)).toContain(planted.get("config: backendAuth of a receiver"))
})

it("the sinks are those of a gateway at work", () => {
  for (const name of ["standard output", "what receivers of OTLP got", "database data.db", "request log"]) {
    expect(sinks.get(name), name).toContain("/rest/a")
  }
  expect([...sinks].filter(([, text]) => text === "").map(([name]) => name)).toEqual(["standard error"])
})

it("none is found in any sink", () => {
  const found = [...sinks].flatMap(([sink, text]) =>
    [...planted].flatMap(([place, secret]) => (secret !== "" && text.includes(secret) ? [`${place} → ${sink}`] : [])),
  )
  expect(found).toEqual([])
})
