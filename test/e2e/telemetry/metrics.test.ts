/** Metrics as people get them: read by Prometheus, as text and as protobuf, and told to a receiver of OTLP. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { otlpReceiver, type OtlpReceiver } from "../../peers/otlp.ts"
import { familiesIn, nativeBuckets } from "../../peers/prometheus.ts"
import { read } from "../../telemetry/prometheus.ts"
import { get, Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

let receiver: OtlpReceiver
let upstream: http.Server
let gateway: Standalone
let port: number
let metricsUrl: string

beforeAll(async () => {
  receiver = await otlpReceiver()
  upstream = http.createServer((_, response) => response.end("hello"))
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  port = await freePort()
  const text = `
config:
  histograms: both
  metrics:
    otlp:
      endpoint: "grpc://127.0.0.1:${receiver.grpcPort}"
      headers: {x-tenant: blue}
      temporality: delta
      histograms: exponential
binds: [{port: ${port}, listeners: [{routes: [{backends: [{host: "127.0.0.1:${(upstream.address() as AddressInfo).port}"}]}]}]}]
`
  gateway = await new Standalone({
    args: ["-c", text],
    env: { OTEL_METRIC_EXPORT_INTERVAL: "100", OTEL_SERVICE_NAME: "edge", WORKER_THREADS: "2" },
  }).serving()
  metricsUrl = /^ +metrics +(http\S+)$/m.exec(gateway.out)?.[1] ?? ""
  for (let i = 0; i < 10; i++) await (await fetch(`http://127.0.0.1:${port}/`)).text()
}, 60_000)
afterAll(() => {
  gateway.kill("SIGKILL")
  receiver.close()
  upstream.closeAllConnections()
  upstream.close()
})

it("Prometheus reads text, or native histograms in protobuf, and both say the same of all threads", async () => {
  const bytes = Buffer.from(
    await (
      await fetch(metricsUrl, {
        headers: {
          accept:
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;q=0.3",
        },
      })
    ).arrayBuffer(),
  )
  const duration = familiesIn(bytes).find(({ name }) => name === "agentgateway_request_duration_seconds")
  const histogram = duration?.metrics[0]?.histogram
  expect(histogram?.sampleCount).toBe(10)
  expect(nativeBuckets(histogram ?? { sampleCount: 0, sampleSum: 0 }).reduce((sum, { count }) => sum + count, 0)).toBe(
    10,
  )
  const reply = await get(metricsUrl)
  expect(reply.headers["content-type"]).toContain("text/plain")
  const samples = read(reply.body)
  const buckets = samples.filter(({ name }) => name === "agentgateway_request_duration_seconds_bucket")
  expect(histogram?.bucket?.map(({ cumulativeCount }) => cumulativeCount)).toEqual(buckets.map(({ value }) => value))
})

interface Told {
  readonly name: string
  readonly unit?: string
  readonly sum?: {
    readonly aggregationTemporality: number
    readonly isMonotonic: boolean
    readonly dataPoints: ReadonlyArray<{ readonly asDouble: number }>
  }
  readonly exponentialHistogram?: {
    readonly aggregationTemporality: number
    readonly dataPoints: ReadonlyArray<{ readonly count: string; readonly scale: number }>
  }
}

const told = (name: string): ReadonlyArray<Told> =>
  (receiver.metrics as unknown as ReadonlyArray<Told>).filter((one) => one.name === `agentgateway_${name}`)

const requestsTold = (): number =>
  told("requests_total").reduce(
    (sum, { sum: points }) => sum + (points?.dataPoints ?? []).reduce((all, { asDouble }) => all + asDouble, 0),
    0,
  )

it("a receiver of OTLP is told what came since, at intervals, and the rest at the end", async () => {
  await until(() => requestsTold() >= 10)
  expect(requestsTold()).toBe(10)
  expect(receiver.requests[0]).toMatchObject({
    path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    headers: { "x-tenant": "blue" },
  })
  expect(receiver.resources[0]).toMatchObject({ "service.name": "edge" })
  const [requests] = told("requests_total")
  expect(requests?.sum).toMatchObject({ aggregationTemporality: 1, isMonotonic: true })
  const [duration] = told("request_duration_seconds")
  expect(duration).toMatchObject({
    unit: "s",
    exponentialHistogram: { aggregationTemporality: 1, dataPoints: [{ scale: 3 }] },
  })
  await (await fetch(`http://127.0.0.1:${port}/`)).text()
  expect(await gateway.stop()).toBe(0)
  expect(requestsTold()).toBe(11)
})

describe("labels that clients can make up", () => {
  const bound = 10_000
  const beyond = 25

  /** As many requests, each of a tenant of its own, on a few connections. */
  const flood = async (to: number, count: number): Promise<void> => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
    const ask = (tenant: number): Promise<void> =>
      new Promise((resolve, reject) => {
        http
          .get({ agent, host: "127.0.0.1", port: to, headers: { "x-tenant": `tenant-${tenant}` } }, (reply) => {
            reply.resume().once("end", resolve)
          })
          .once("error", reject)
      })
    const lanes = 16
    const some = async (_: unknown, first: number): Promise<void> => {
      for (let tenant = first; tenant < count; tenant += lanes) await ask(tenant)
    }
    await Promise.all(Array.from({ length: lanes }, some))
    agent.destroy()
  }

  it("are bounded: what is beyond shares one series, and how much that was is told", async () => {
    const one = await freePort()
    const text = `
config:
  metrics:
    fields: {add: {tenant: 'request.headers["x-tenant"]'}}
    # So many buckets are more than the reader can check in time.
    remove: [request_duration, request_processing, response_processing, request_overhead, response_bytes]
gateways: {default: {port: ${one}}}
routes: [{policies: {directResponse: {status: 200, body: ok}}}]
`
    const small = await new Standalone({ args: ["-c", text], env: { RUST_LOG: "request=off" } }).serving()
    try {
      await flood(one, bound + beyond)
      const samples = read(await small.metrics())
      const requests = samples.filter(({ name }) => name === "agentgateway_requests_total")
      const rest = requests.filter(({ labels }) => labels["tenant"] === "overflow")
      expect(requests).toHaveLength(bound + 1)
      expect(rest).toHaveLength(1)
      expect(new Set(Object.values(rest[0]?.labels ?? {}))).toEqual(new Set(["overflow"]))
      expect(requests.reduce((sum, { value }) => sum + value, 0)).toBe(bound + beyond)
      expect(rest[0]?.value).toBe(beyond)
      expect(
        samples.find(
          ({ labels, name }) =>
            name === "agentgateway_metric_series_overflow_total" && labels["metric"] === "agentgateway_requests_total",
        )?.value,
      ).toBe(beyond)
    } finally {
      small.kill("SIGKILL")
    }
  }, 120_000)
})
