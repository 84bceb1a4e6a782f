/** The access log where it goes besides the console. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, it } from "vitest"
import { otlpReceiver, type OtlpReceiver } from "../../peers/otlp.ts"
import { Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

let receiver: OtlpReceiver
let upstream: http.Server
let gateway: Standalone
let port: number

beforeAll(async () => {
  receiver = await otlpReceiver()
  upstream = http.createServer((request, response) =>
    response.writeHead(request.url === "/bad" ? 500 : 200).end("hello"),
  )
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  port = await freePort()
  const text = `
frontendPolicies:
  accessLog:
    filter: response.code < 400
    remove: [src.addr]
    otlp:
      host: "127.0.0.1:${receiver.grpcPort}"
      filter: "true"
      fields: {add: {who: 'request.headers["x-who"]'}, remove: [http.version]}
  tracing: {host: "127.0.0.1:${receiver.port}", protocol: http, randomSampling: true}
binds: [{port: ${port}, listeners: [{routes: [{backends: [{host: "127.0.0.1:${(upstream.address() as AddressInfo).port}"}]}]}]}]
`
  gateway = await new Standalone({ args: ["-c", text], env: { OTEL_BSP_SCHEDULE_DELAY: "20" } }).serving()
})
afterAll(() => {
  gateway.kill("SIGKILL")
  receiver.close()
  upstream.close()
})

it("a receiver of OTLP gets the records its own filter lets pass, with its own fields", async () => {
  await fetch(`http://127.0.0.1:${port}/good`, { headers: { "x-who": "me" } })
  await fetch(`http://127.0.0.1:${port}/bad`)
  await until(() => receiver.logs.length >= 2 && receiver.spans.length >= 4)
  expect(receiver.requests.map(({ path }) => path)).toContain(
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
  )
  expect(
    receiver.logs.map(({ attributes }) => [attributes["http.path"], attributes["http.status"], attributes["who"]]),
  ).toEqual([
    ["/good", 200, "me"],
    ["/bad", 500, undefined],
  ])
  const [first] = receiver.logs
  expect(first?.scope).toBe("agentgateway.access")
  expect(first?.attributes).toHaveProperty(["src.addr"])
  expect(first?.attributes).not.toHaveProperty(["http.version"])
  expect(receiver.spans.map(({ traceId }) => traceId)).toContain(first?.traceId)
  await until(() => gateway.out.includes("http.path=/good"))
  expect(gateway.out).not.toContain("http.path=/bad")
  expect(gateway.out).not.toContain("src.addr=")
})
