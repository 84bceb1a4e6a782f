/** Spans of what the gateway asks of others for an exchange: identity providers, token endpoints, and guards of tools. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Browser, client as oidcClient, openIdProvider } from "../../oidc/provider.ts"
import { localServer } from "../../node/credentials/local.ts"
import { type grpc, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { otlpReceiver, type OtlpReceiver, type ReceivedSpan } from "../../peers/otlp.ts"
import { ec, jwks, signed } from "../../stages/5-policy/tokens.ts"
import { answerOf, ask, modern, scripted } from "../mcp/harness.ts"
import { Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const server = 2
const client = 3

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

let receiver: OtlpReceiver
let upstream: number
beforeEach(async () => {
  receiver = await otlpReceiver()
  closing.push(() => receiver.close())
  const listening = http.createServer((_, response) => response.end("hello"))
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    listening.closeAllConnections()
    listening.close()
  })
  upstream = (listening.address() as AddressInfo).port
})

const start = async (rest: string): Promise<{ readonly gateway: Standalone; readonly port: number }> => {
  const port = await freePort()
  const text = `
frontendPolicies: {tracing: {host: "127.0.0.1:${receiver.port}", protocol: http, randomSampling: true}}
gateways: {default: {port: ${port}}}
${rest}`
  const gateway = await new Standalone({ args: ["-c", text], env: { OTEL_BSP_SCHEDULE_DELAY: "20" } }).serving()
  closing.push(() => gateway.kill("SIGKILL"))
  return { gateway, port }
}

/** The spans of the exchange for that path, the whole first. */
const traceOf = async (
  path: string,
): Promise<{ readonly top: ReceivedSpan; readonly parts: ReadonlyArray<ReceivedSpan> }> => {
  const find = (): ReceivedSpan | undefined =>
    receiver.spans.find(({ attributes, kind }) => kind === server && String(attributes["http.path"]).startsWith(path))
  await until(
    () => find() !== undefined,
    () => `no exchange of ${path} among ${receiver.spans.map(({ name }) => name).join(", ")}`,
  )
  const top = find() as ReceivedSpan
  return {
    top,
    parts: receiver.spans.filter(({ spanId, traceId }) => traceId === top.traceId && spanId !== top.spanId),
  }
}

const ofSubtype = (spans: ReadonlyArray<ReceivedSpan>, subtype: string): ReadonlyArray<ReceivedSpan> =>
  spans.filter(({ attributes }) => attributes["agentgateway.outbound.subtype"] === subtype)

const parentIn = (traceparent: unknown): string | undefined =>
  /^00-[0-9a-f]{32}-([0-9a-f]{16})-01$/.exec(String(traceparent))?.[1]

/** Something that goes on only when it is let. */
const gate = () => {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

describe("identity providers", () => {
  it("metadata that an exchange waits for, and the code that is exchanged, are spans of it", async () => {
    const discovery = gate()
    const keys = gate()
    const provider = await openIdProvider({
      hold: (path) =>
        path === "/.well-known/openid-configuration"
          ? discovery.opened
          : path === "/jwks"
            ? keys.opened
            : Promise.resolve(),
    })
    closing.push(() => provider.close())
    const { gateway, port } = await start(`
routes:
- policies:
    oidc:
      issuer: ${provider.issuer}
      clientId: ${oidcClient.id}
      clientSecret: ${JSON.stringify(oidcClient.secret)}
      redirectURI: http://127.0.0.1/callback
      scopes: [openid]
      cookieSecret: ${"0f".repeat(32)}
  backends: [{host: "127.0.0.1:${upstream}"}]
`)
    const browser = new Browser(port)
    const asked = browser.get("/first")
    await until(async () => (await gateway.metric("exchanges_open")) === 1)
    discovery.open()
    const sent = await asked
    expect(sent.status).toBe(302)
    const first = await traceOf("/first")
    const [waited] = ofSubtype(first.parts, "Oidc")
    expect(waited).toMatchObject({
      kind: client,
      name: "GET 127.0.0.1",
      parentId: first.top.spanId,
      status: undefined,
      attributes: {
        "agentgateway.outbound.kind": "Policy",
        "http.method": "GET",
        "http.path": "/.well-known/openid-configuration",
      },
    })

    const back = new URL(provider.authorize(sent.location))
    const coming = browser.get(`${back.pathname}${back.search}`)
    await until(() => provider.tokenForms.length === 1)
    await until(() => provider.requests.some(({ url }) => url === "/jwks"))
    keys.open()
    expect((await coming).status).toBe(302)
    const callback = await traceOf("/callback")
    const [exchange, proof] = ofSubtype(callback.parts, "Oidc").toSorted((a, b) =>
      String(b.attributes["http.method"]).localeCompare(String(a.attributes["http.method"])),
    )
    expect(exchange).toMatchObject({
      kind: client,
      name: "POST 127.0.0.1",
      parentId: callback.top.spanId,
      attributes: { "http.path": "/token", "http.status": 200 },
    })
    expect(proof).toMatchObject({
      kind: client,
      name: "GET 127.0.0.1",
      parentId: callback.top.spanId,
      attributes: { "http.path": "/jwks" },
    })
    const token = provider.requests.find(({ url }) => url === "/token")
    expect(parentIn(token?.headers["traceparent"])).toBe(exchange?.spanId)
    expect(await gateway.metric("upstream_call_duration_seconds_count", 'kind="Policy",subtype="Oidc"')).toBe(3)
    expect(JSON.stringify(receiver.spans)).not.toContain(oidcClient.secret)
  })

  it("keys that a token waits for are a span of its exchange, and say so where they do not come", async () => {
    const key = ec("k")
    const published = gate()
    let status = 200
    const issuer = await localServer(async () => {
      await published.opened
      return status === 200 ? { text: jwks(key), type: "application/json" } : { status, body: {} }
    })
    closing.push(() => issuer.close())
    const { gateway, port } = await start(`
routes:
- policies: {jwtAuth: {mode: strict, issuer: i, jwks: {url: "${issuer.url}/keys"}}}
  backends: [{host: "127.0.0.1:${upstream}"}]
`)
    const bearer = `Bearer ${signed(key, "ES256", { iss: "i", sub: "ann", exp: Math.floor(Date.now() / 1000) + 600 })}`
    const asked = fetch(`http://127.0.0.1:${port}/one`, { headers: { authorization: bearer } })
    await until(async () => (await gateway.metric("exchanges_open")) === 1)
    status = 500
    published.open()
    expect((await asked).status).toBe(503)
    const { parts, top } = await traceOf("/one")
    expect(ofSubtype(parts, "Oidc")).toMatchObject([
      { kind: client, parentId: top.spanId, status: { code: 2, message: "the reply has the status 500" } },
    ])
  })

  it("a token that a backend wants is a span of the exchange that asked for it first", async () => {
    const seen: Array<unknown> = []
    const tokens = await localServer(({ headers }) => {
      seen.push(headers["traceparent"])
      return { body: { access_token: "granted", token_type: "Bearer", expires_in: 300 } }
    })
    closing.push(() => tokens.close())
    const { port } = await start(`
routes:
- backends:
  - host: "127.0.0.1:${upstream}"
    policies:
      backendAuth: {oauthClientCredentials: {host: "127.0.0.1:${tokens.port}", path: /token, clientAuth: {clientId: g, clientSecret: s, method: clientSecretPost}}}
`)
    expect((await fetch(`http://127.0.0.1:${port}/one`)).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${port}/two`)).status).toBe(200)
    const one = await traceOf("/one")
    const [granted] = ofSubtype(one.parts, "Credential")
    expect(granted).toMatchObject({
      kind: client,
      parentId: one.top.spanId,
      attributes: { "agentgateway.outbound.kind": "Policy", "http.path": "/token", "http.status": 200 },
    })
    expect(seen.map(parentIn)).toEqual([granted?.spanId])
    expect(ofSubtype((await traceOf("/two")).parts, "Credential")).toEqual([])
  })
})

describe("tools", () => {
  it("a guard that is asked over gRPC about a call and its result is a span of each", async () => {
    const told: Array<readonly [name: string, traceparent: unknown]> = []
    const say =
      (name: string): grpc.handleUnaryCall<object, object> =>
      (call, done) => {
        told.push([name, call.metadata.get("traceparent")[0]])
        done(null, { pass: {} })
      }
    const guard = await grpcServer([
      [
        serviceOf("ext_mcp.proto", "agentgateway.dev.ext_mcp.ExtMcp"),
        { CheckRequest: say("CheckRequest"), CheckResponse: say("CheckResponse") },
      ],
    ])
    closing.push(guard.close)
    const tools = await scripted(
      modern((turn) =>
        turn.message.method === "tools/list"
          ? turn.result({
              resultType: "complete",
              tools: [{ name: "get", inputSchema: { type: "object" } }],
              ttlMs: 0,
              cacheScope: "private",
            })
          : turn.result({ resultType: "complete", content: [] }),
      ),
    )
    closing.push(tools.close)
    const { gateway, port } = await start(`
routes:
- backends:
  - mcp: {targets: [{name: a, mcp: {host: "${tools.url}"}}]}
    policies: {mcpGuardrails: {processors: [{host: "127.0.0.1:${guard.port}", methods: {"tools/call": full}}]}}
`)
    const said = await ask(`http://127.0.0.1:${port}/mcp`, "tools/call", { name: "get", arguments: {} })
    expect(answerOf(said).result).toBeDefined()
    const { parts, top } = await traceOf("/mcp")
    const asked = ofSubtype(parts, "Guardrail")
    expect(asked.map(({ name }) => name).toSorted()).toEqual([
      "agentgateway.dev.ext_mcp.ExtMcp/CheckRequest",
      "agentgateway.dev.ext_mcp.ExtMcp/CheckResponse",
    ])
    const inTrace = new Set([top.spanId, ...parts.map(({ spanId }) => spanId)])
    for (const span of asked) {
      expect(span).toMatchObject({
        kind: client,
        attributes: { "agentgateway.outbound.kind": "Policy", "grpc.status": "0" },
      })
      expect(inTrace).toContain(span.parentId)
      const [, traceparent] = told.find(([name]) => span.name.endsWith(name)) ?? []
      expect(parentIn(traceparent)).toBe(span.spanId)
    }
    expect(await gateway.metric("upstream_call_duration_seconds_count", 'kind="Policy",subtype="Guardrail"')).toBe(2)
  })
})
