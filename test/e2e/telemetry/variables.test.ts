/** The variables of OpenTelemetry, as a receiver and an upstream see what comes of them. */
import { readFileSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { otlpReceiver, type OtlpReceiver } from "../../peers/otlp.ts"
import { Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const certificates = new URL("../certificates/", import.meta.url)
const pem = (name: string): string => readFileSync(new URL(name, certificates), "utf8")

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

let upstream: number
let seen: Array<http.IncomingHttpHeaders>
beforeEach(async () => {
  seen = []
  const server = http.createServer((request, response) => {
    seen.push(request.headers)
    response.end("hello")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  upstream = (server.address() as AddressInfo).port
})

const received = async (tls?: Parameters<typeof otlpReceiver>[0]): Promise<OtlpReceiver> => {
  const receiver = await otlpReceiver(tls)
  closing.push(() => receiver.close())
  return receiver
}

const start = async (
  env: Record<string, string>,
  more = "",
): Promise<{ readonly gateway: Standalone; readonly port: number }> => {
  const port = await freePort()
  const text = `${more}
gateways: {default: {port: ${port}}}
routes: [{matches: [{path: {pathPrefix: /api}}], backends: [{host: "127.0.0.1:${upstream}"}]}]
`
  const gateway = await new Standalone({
    args: ["-c", text],
    env: { OTEL_BSP_SCHEDULE_DELAY: "20", OTEL_METRIC_EXPORT_INTERVAL: "100", ...env },
  }).serving()
  closing.push(() => gateway.kill("SIGKILL"))
  return { gateway, port }
}

const everything = { OTEL_TRACES_EXPORTER: "otlp", OTEL_METRICS_EXPORTER: "otlp", OTEL_LOGS_EXPORTER: "otlp" }

const get = (port: number, path: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers })

const allCame = (receiver: OtlpReceiver) =>
  until(
    () =>
      receiver.spans.length >= 2 &&
      receiver.logs.length > 0 &&
      // The first that are told may be from before the request.
      receiver.metrics.some(({ name }) => name === "agentgateway_requests_total"),
    () => `${receiver.spans.length} spans, ${receiver.logs.length} records, ${receiver.metrics.length} metrics`,
  )

/** What every way of saying it has to come to. */
const isRight = (receiver: OtlpReceiver): void => {
  const [outer] = receiver.spans.filter(({ kind }) => kind === 2)
  const [inner] = receiver.spans.filter(({ kind }) => kind === 3)
  expect(outer).toMatchObject({
    name: "GET /api/*",
    resource: { "service.name": "edge" },
    attributes: { "http.path": "/api/x", "http.status": 200 },
  })
  expect(inner).toMatchObject({ traceId: outer?.traceId, parentId: outer?.spanId })
  expect(receiver.logs[0]).toMatchObject({
    traceId: outer?.traceId,
    scope: "agentgateway.access",
    attributes: { "http.path": "/api/x" },
  })
  expect(receiver.metrics.map(({ name }) => name)).toContain("agentgateway_requests_total")
  expect(receiver.resources[0]).toMatchObject({ "service.name": "edge" })
}

describe("all signals, by variables alone", () => {
  it("over HTTP as JSON, compressed, with headers", async () => {
    const receiver = await received()
    const { port } = await start({
      ...everything,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=blue",
      OTEL_SERVICE_NAME: "edge",
    })
    await get(port, "/api/x")
    await allCame(receiver)
    isRight(receiver)
    expect(new Set(receiver.requests.map(({ path }) => path))).toEqual(
      new Set(["/v1/traces", "/v1/logs", "/v1/metrics"]),
    )
    for (const { headers } of receiver.requests) {
      expect(headers).toMatchObject({
        "content-type": "application/json",
        "content-encoding": "gzip",
        "x-tenant": "blue",
      })
    }
  })

  it("over gRPC, compressed", async () => {
    const receiver = await received()
    const { port } = await start({
      ...everything,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.grpcPort}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_SERVICE_NAME: "edge",
    })
    await get(port, "/api/x")
    await allCame(receiver)
    isRight(receiver)
    expect(receiver.requests.map(({ path }) => path)).toEqual(
      expect.arrayContaining([expect.stringMatching(/TraceService\/Export$/), expect.stringMatching(/LogsService/)]),
    )
  })

  it("over TLS, with an authority of its own, and a certificate of ours", async () => {
    const receiver = await received({
      cert: pem("server.pem"),
      key: pem("server.key"),
      ca: pem("ca.pem"),
      requestCert: true,
      rejectUnauthorized: true,
    })
    const { port } = await start({
      ...everything,
      OTEL_EXPORTER_OTLP_ENDPOINT: `https://localhost:${receiver.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_CERTIFICATE: new URL("ca.pem", certificates).pathname,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: new URL("client.pem", certificates).pathname,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: new URL("client.key", certificates).pathname,
      OTEL_SERVICE_NAME: "edge",
    })
    await get(port, "/api/x")
    await allCame(receiver)
    isRight(receiver)
  })
})

describe("traces", () => {
  it("are followed and told in the way that is asked for, within their limits", async () => {
    const receiver = await received()
    const { port } = await start({
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}`,
      OTEL_PROPAGATORS: "b3multi,jaeger",
      OTEL_ATTRIBUTE_COUNT_LIMIT: "6",
      OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: "5",
    })
    const [traceId, spanId] = ["a".repeat(32), "b".repeat(16)]
    const unread = `00-${"c".repeat(32)}-${"d".repeat(16)}-01`
    await get(port, "/api/long-path", {
      traceparent: unread,
      "x-b3-traceid": traceId,
      "x-b3-spanid": spanId,
      "x-b3-sampled": "1",
    })
    await until(() => receiver.spans.length >= 2)
    const outer = receiver.spans.find(({ kind }) => kind === 2)
    const inner = receiver.spans.find(({ kind }) => kind === 3)
    expect([outer?.traceId, outer?.parentId]).toEqual([traceId, spanId])
    expect(seen[0]).toMatchObject({
      traceparent: unread,
      "x-b3-traceid": traceId,
      "x-b3-spanid": inner?.spanId,
      "x-b3-sampled": "1",
      "uber-trace-id": `${traceId}:${inner?.spanId}:0:01`,
    })
    for (const { attributes } of receiver.spans) {
      expect(Object.keys(attributes).length).toBeLessThanOrEqual(6)
      for (const value of Object.values(attributes))
        if (typeof value === "string") expect(value.length).toBeLessThanOrEqual(5)
    }
  })

  it("are sampled whatever the client decided, where the sampler does not ask it", async () => {
    const receiver = await received()
    const { port } = await start({
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}`,
      OTEL_TRACES_SAMPLER: "always_on",
    })
    await get(port, "/api/x", { traceparent: `00-${"c".repeat(32)}-${"d".repeat(16)}-00` })
    await until(() => receiver.spans.length >= 2)
    expect(receiver.spans.find(({ kind }) => kind === 2)).toMatchObject({
      traceId: "c".repeat(32),
      parentId: "d".repeat(16),
    })
    expect(seen[0]?.["traceparent"]).toMatch(/-01$/)
  })

  it("are nobody's where everything is disabled, and headers go on as they came", async () => {
    const receiver = await received()
    const { gateway, port } = await start(
      { ...everything, OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}` },
      `frontendPolicies: {tracing: {host: "127.0.0.1:${receiver.port}", protocol: http, randomSampling: true}, accessLog: {otlp: {host: "127.0.0.1:${receiver.port}", protocol: http}}}`,
    )
    const traceparent = `00-${"c".repeat(32)}-${"d".repeat(16)}-01`
    await get(port, "/api/x", { traceparent })
    await get(port, "/api/y")
    await until(() => gateway.out.includes("/api/y"))
    expect(seen.map((headers) => headers["traceparent"])).toEqual([traceparent, undefined])
    expect(await gateway.stop()).toBe(0)
    expect(receiver.requests).toEqual([])
  })

  it("are given up when a receiver takes too long, and counted", async () => {
    const receiver = await received()
    receiver.delayMillis = 60_000
    const { gateway, port } = await start({
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: "100",
      OTEL_BSP_EXPORT_TIMEOUT: "300",
    })
    await get(port, "/api/x")
    await until(async () => (await gateway.metric("exports_dropped_total", 'signal="traces"')) === 2)
    await gateway.says("were not exported")
  })
})
