/** Traces as a receiver gets them, from a gateway that runs as people run it. */
import { context, propagation, trace } from "@opentelemetry/api"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, expect, it } from "vitest"
import { otlpReceiver, type OtlpReceiver, type ReceivedSpan } from "../../peers/otlp.ts"
import { Standalone } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const server = 2
const client = 3
const failed = 2

let receiver: OtlpReceiver
let upstream: http.Server
let upstreamPort: number
let seen: Array<http.IncomingHttpHeaders>
let statuses: Array<number>
let gateway: Standalone | undefined

beforeEach(async () => {
  receiver = await otlpReceiver()
  seen = []
  statuses = []
  upstream = http.createServer((request, response) => {
    seen.push(request.headers)
    response.writeHead(statuses.shift() ?? 200, { "content-type": "text/plain" })
    response.end("hello")
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  upstreamPort = (upstream.address() as AddressInfo).port
})
afterEach(async () => {
  gateway?.kill("SIGKILL")
  gateway = undefined
  receiver.close()
  upstream.closeAllConnections()
  upstream.close()
})

interface Setup {
  readonly tracing?: string
  readonly config?: string
  readonly route?: string
  readonly env?: Record<string, string>
}

const start = async ({ config = "", env = {}, route = "", tracing }: Setup): Promise<number> => {
  const port = await freePort()
  const text = `
config: {${config}}
${tracing === undefined ? "" : `frontendPolicies: {tracing: {${tracing}}}`}
binds:
- port: ${port}
  listeners:
  - routes:
    - name: hello
      matches: [{path: {pathPrefix: /api}}]
      backends: [{host: "127.0.0.1:${upstreamPort}"}]
      ${route}
`
  gateway = await new Standalone({ args: ["-c", text], env: { OTEL_BSP_SCHEDULE_DELAY: "20", ...env } }).serving()
  return port
}

const http1 = (to: OtlpReceiver): string => `host: "127.0.0.1:${to.port}", protocol: http`

const until = async (isSo: () => boolean, what: string): Promise<void> => {
  for (let i = 0; i < 500; i++) {
    if (isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`waited for ${what}: ${JSON.stringify(receiver.spans)} ${gateway?.out ?? ""}`)
}

const received = async (count: number): Promise<ReadonlyArray<ReceivedSpan>> => {
  await until(() => receiver.spans.length >= count, `${count} spans`)
  return receiver.spans
}

const one = (spans: ReadonlyArray<ReceivedSpan>, kind: number): ReceivedSpan => {
  const found = spans.filter((span) => span.kind === kind)
  expect(found).toHaveLength(1)
  return found[0] as ReceivedSpan
}

const get = (port: number, path: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers })

it("an exchange is a span of the server, and its attempt one below it that the upstream knows", async () => {
  const port = await start({
    tracing: `${http1(receiver)}, randomSampling: true, attributes: {agent: 'request.headers["user-agent"]'}, resources: {team: '"blue"'}, remove: [src.addr]`,
  })
  expect((await get(port, "/api/things?token=hidden-word", { "user-agent": "tester" })).status).toBe(200)
  const spans = await received(2)
  const outer = one(spans, server)
  const inner = one(spans, client)
  expect(outer).toMatchObject({
    name: "GET /api/*",
    parentId: "",
    status: undefined,
    attributes: {
      "http.method": "GET",
      "http.path": "/api/things?token=<redacted>",
      "http.status": 200,
      protocol: "http",
      "url.scheme": "http",
      "network.protocol.version": "1.1",
      route: "default/hello",
      agent: "tester",
    },
    resource: { "service.name": "sluice", team: "blue" },
  })
  expect(outer.attributes).not.toHaveProperty("src.addr")
  expect(inner).toMatchObject({
    traceId: outer.traceId,
    parentId: outer.spanId,
    attributes: {
      "agentgateway.outbound.kind": "Primary",
      "http.status": 200,
      "server.address": "127.0.0.1",
      "server.port": upstreamPort,
    },
  })
  expect(seen[0]?.["traceparent"]).toBe(`00-${outer.traceId}-${inner.spanId}-01`)
  expect(inner.startedUnixMillis).toBeGreaterThanOrEqual(outer.startedUnixMillis)
  expect(inner.millis).toBeLessThanOrEqual(outer.millis + 0.01)
  expect(Math.abs(outer.startedUnixMillis - Date.now())).toBeLessThan(60_000)
  expect(gateway?.out).toContain(`trace.id=${outer.traceId} span.id=${outer.spanId}`)
})

it("goes on with the trace of a client of OpenTelemetry, and tells the state on", async () => {
  const port = await start({ tracing: http1(receiver) })
  const provider = new NodeTracerProvider()
  provider.register()
  const span = trace.getTracer("agent").startSpan("ask")
  const headers: Record<string, string> = {}
  propagation.inject(trace.setSpan(context.active(), span), headers)
  await get(port, "/api/x", { ...headers, tracestate: "vendor=1" })
  span.end()
  await provider.shutdown()
  for (const global of [trace, propagation, context]) global.disable()
  const outer = one(await received(2), server)
  expect([outer.traceId, outer.parentId]).toEqual([span.spanContext().traceId, span.spanContext().spanId])
  expect(seen[0]?.["tracestate"]).toBe("vendor=1")
})

it("leaves alone what nobody samples", async () => {
  const port = await start({ tracing: http1(receiver) })
  const unsampled = `00-${"a".repeat(32)}-${"b".repeat(16)}-00`
  await get(port, "/api/1")
  await get(port, "/api/2", { traceparent: unsampled })
  await get(port, "/api/3", { traceparent: `00-${"c".repeat(32)}-${"d".repeat(16)}-01` })
  await received(2)
  expect(seen.slice(0, 2).map((headers) => headers["traceparent"])).toEqual([undefined, unsampled])
  expect(new Set(receiver.spans.map(({ traceId }) => traceId))).toEqual(new Set(["c".repeat(32)]))
})

it("asks an expression which to sample, and another which to tell", async () => {
  const port = await start({
    tracing: `${http1(receiver)}, randomSampling: 'request.path.endsWith("yes")', filter: 'response.code < 400'`,
  })
  statuses = [200, 500, 200]
  for (const path of ["/api/no", "/api/fails-yes", "/api/yes"]) await get(port, path)
  await received(2)
  expect(receiver.spans.filter(({ kind }) => kind === server).map(({ attributes }) => attributes["http.path"])).toEqual(
    ["/api/yes"],
  )
})

it("has a span for each attempt, copy, and refusal", async () => {
  const port = await start({
    tracing: `${http1(receiver)}, randomSampling: 1`,
    route: `policies: {retry: {attempts: 1, codes: [503]}, requestMirror: {backend: {host: "127.0.0.1:${receiver.port}"}, percentage: 1}}`,
  })
  statuses = [503, 200]
  await get(port, "/api/again")
  expect((await get(port, "/nowhere")).status).toBe(404)
  await received(5)
  const outers = receiver.spans.filter(({ kind }) => kind === server)
  const [outer] = outers
  const attempts = receiver.spans.filter(({ attributes }) => attributes["agentgateway.outbound.kind"] === "Primary")
  expect(
    attempts.map(({ attributes }) => [attributes["http.status"], attributes["http.request.resend_count"]]),
  ).toEqual([
    [503, undefined],
    [200, 1],
  ])
  expect(attempts.map(({ status }) => status?.code)).toEqual([failed, undefined])
  expect(new Set(attempts.map(({ parentId }) => parentId))).toEqual(new Set([outer?.spanId]))
  expect(receiver.spans.map(({ attributes }) => attributes["agentgateway.outbound.kind"])).toContain("Mirror")
  expect(outers[1]).toMatchObject({ name: "unknown", status: { code: failed, message: "route not found" } })
})

it("goes to a receiver that speaks gRPC", async () => {
  const port = await start({ tracing: `host: "127.0.0.1:${receiver.grpcPort}", randomSampling: true` })
  await get(port, "/api/x")
  expect(one(await received(2), server).name).toBe("GET /api/*")
  expect(receiver.requests[0]?.path).toBe("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
})

it("is configured by the older section and the variables of OpenTelemetry", async () => {
  const port = await start({
    config: `tracing: {otlpEndpoint: "http://127.0.0.1:1", headers: {x-tenant: blue}, fields: {add: {path: request.path}}}`,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}/prefix`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hidden-word",
      OTEL_TRACES_SAMPLER: "parentbased_always_on",
      OTEL_SERVICE_NAME: "edge",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test,service.name=other",
    },
  })
  await get(port, "/api/x")
  const outer = one(await received(2), server)
  expect(outer.resource).toMatchObject({ "service.name": "edge", "deployment.environment": "test" })
  expect(outer.attributes["path"]).toBe("/api/x")
  expect(receiver.requests[0]).toMatchObject({
    path: "/prefix/v1/traces",
    headers: { "x-tenant": "blue", authorization: "Bearer hidden-word" },
  })
  expect(JSON.stringify(await gateway?.dump())).not.toContain("hidden-word")
})

it("waits for a receiver that is busy, gives up on one that refuses, and serves all the same", async () => {
  const port = await start({ tracing: `${http1(receiver)}, randomSampling: true` })
  receiver.answer = 503
  await get(port, "/api/x")
  await until(() => receiver.requests.length > 0, "a first try")
  receiver.answer = 200
  await received(2)
  receiver.answer = 400
  expect((await get(port, "/api/y")).status).toBe(200)
  await until(() => gateway?.out.includes("were not exported") === true, "a word about it")
  expect(await gateway?.metric("exports_dropped_total", 'signal="traces"')).toBe(2)
})

it("sends what waits before it ends", async () => {
  const port = await start({
    tracing: `${http1(receiver)}, randomSampling: true`,
    env: { OTEL_BSP_SCHEDULE_DELAY: "60000" },
  })
  await get(port, "/api/x")
  expect(await gateway?.stop()).toBe(0)
  expect(one(receiver.spans, server).name).toBe("GET /api/*")
})
