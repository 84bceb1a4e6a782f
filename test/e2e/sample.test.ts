/** The sample that the documentation begins with: it loads, and it routes as it reads. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { loadedOf } from "../config/memoryIo.ts"
import * as inside from "./harness.ts"
import { command, get, makeDirectory, Standalone } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const directory = makeDirectory()
afterAll(() => fs.rmSync(directory, { recursive: true }))

const sample = fs.readFileSync(new URL("../golden/local/documented-sample.yaml", import.meta.url), "utf8")

/** Word for word, but for the ports: those of the sample may be taken where the tests run. */
const onPorts = (ports: Readonly<Record<number, number>>): string =>
  sample.replaceAll(/\b(?:3000|8080|9901|9902)\b/g, (port) => String(ports[Number(port)] ?? port))

it("is explained word for word: what it takes goes to its backend, and for all else it says why not", async () => {
  const file = path.join(directory, "sample.yaml")
  fs.writeFileSync(file, sample)
  const explain = (url: string) => command(["explain", file, "--request", `GET ${url}`])
  const taken = await explain("http://shop.example.com:3000/api/v1")
  expect(taken).toMatchObject({ code: 0, error: "" })
  for (const said of ["bind/3000", "*.example.com", "api-service:8080"]) expect(taken.out).toContain(said)
  const elsewhere = await explain("http://shop.example.com:3000/apis")
  expect(elsewhere.out).toContain("404 route not found")
  expect(elsewhere.out).toContain("the path does not match")
  expect((await explain("http://example.com:3000/api")).out).toContain("404 listener not found")
}, 60_000)

describe("a gateway with this configuration", () => {
  it("sends what is below the path of its hosts to the service, and nothing else", async () => {
    const service = await inside.httpUpstream()
    const port = await freePort()
    const { snapshot } = await loadedOf(onPorts({ 3000: port, 8080: service.port }))
    const asked: Array<string> = []
    const gateway = await inside.startGateway(snapshot, {
      upstream: {
        query: async (name, family) => {
          asked.push(name)
          if (family === 4 && name === "api-service") return { addresses: ["127.0.0.1"], ttlMillis: 60_000 }
          throw Object.assign(new Error(name), { code: "ENOTFOUND" })
        },
      },
    })
    const url = `http://127.0.0.1:${port}`
    const ask = (target: string, host: string) => get(url + target, { headers: { host } })
    for (const host of ["shop.example.com", "a.b.example.com", "shop.example.com:3000", "SHOP.EXAMPLE.COM"]) {
      for (const target of ["/api", "/api/", "/api/v1?x=1"]) {
        const { body, status } = await ask(target, host)
        expect([host, target, status]).toEqual([host, target, 200])
        expect(JSON.parse(body)).toMatchObject({ url: target, headers: { host: `api-service:${service.port}` } })
      }
    }
    expect(await ask("/apis", "shop.example.com")).toMatchObject({ status: 404, body: "route not found" })
    expect(await ask("/", "shop.example.com")).toMatchObject({ status: 404, body: "route not found" })
    expect(await ask("/api", "example.com")).toMatchObject({ status: 404, body: "listener not found" })
    expect(await ask("/api", "example.org")).toMatchObject({ status: 404, body: "listener not found" })
    expect(new Set(asked)).toEqual(new Set(["api-service"]))
    await gateway.close()
    await service.close()
  })

  it("logs in JSON, answers where its own interfaces were put, and says when the service has no address", async () => {
    const [port, admin, stats] = [await freePort(), await freePort(), await freePort()]
    const text = onPorts({ 3000: port, 9901: admin, 9902: stats })
    const one = new Standalone({ args: ["-c", text], env: { ADMIN_ADDR: undefined, STATS_ADDR: undefined } })
    await one.says('"message":"serving"')
    const { body, status } = await get(`http://127.0.0.1:${port}/api`, { headers: { host: "shop.example.com" } })
    expect(status).toBe(503)
    expect(body).toMatch(/^backends required DNS resolution which failed/)
    expect((await get(`http://127.0.0.1:${admin}/config_dump`)).status).toBe(200)
    expect((await get(`http://127.0.0.1:${stats}/metrics`)).body).toContain("agentgateway_requests_total")
    await one.says(/"http.status":503|"status":503/)
    expect(await one.stop()).toBe(0)
    for (const line of one.out.trim().split("\n")) expect(() => JSON.parse(line) as unknown, line).not.toThrow()
  }, 60_000)
})

describe("a configuration with something of everything", () => {
  const configuration = (ports: Readonly<Record<"http" | "tcp" | "to" | "copy", number>>): string => `
frontendPolicies: {http: {maxBufferSize: 33554432}}
gateways:
  default: {port: ${ports.http}, cors: {allowMethods: [GET, POST], allowHeaders: ['*']}}
  tcp: {port: ${ports.tcp}, protocol: TCP}
routes:
- name: match-example
  matches:
  - path: {pathPrefix: /match}
    method: GET
    query: [{name: param, value: {exact: hello}}]
    headers: [{name: x-header, value: {regex: "test-[0-9]"}}]
  backends: [{host: "127.0.0.1:${ports.to}"}]
- name: policy-example
  policies:
    cors: {allowHeaders: [header], allowOrigins: ['*'], allowCredentials: true, allowMethods: [GET], exposeHeaders: [header2], maxAge: 100s}
    requestHeaderModifier: {add: {x-req-added: value}, remove: [x-illegal-header]}
    responseHeaderModifier: {set: {x-req-added: value}}
    urlRewrite: {path: {full: /new-path}, authority: {full: custom-host-header}}
    localRateLimit: [{maxTokens: 10, tokensPerFill: 1, fillInterval: 60s}]
    requestMirror: {backend: {host: "127.0.0.1:${ports.copy}"}, percentage: 1.0}
    retry: {attempts: 2, codes: [429]}
    timeout: {requestTimeout: 10s}
  backends: [{host: "127.0.0.1:${ports.to}"}]
- name: direct-response
  matches: [{path: {pathPrefix: /directx}}]
  policies: {directResponse: {body: hello!, status: 200}}
- name: ip-rules
  matches: [{path: {pathPrefix: /ips}}]
  policies:
    authorization: {rules: ['cidr("127.0.0.1/8").containsIP(source.address)']}
    directResponse: {body: near, status: 200}
tcpRoutes:
- {name: raw, gateways: tcp, backends: [{host: "localhost:${ports.to}"}]}
`

  it("does each of it, in one process", async () => {
    let busy = 2
    const service = await inside.httpUpstream((request, response) => {
      response.setHeader("x-seen", JSON.stringify([request.url, request.headers]))
      response.statusCode = request.headers["x-busy"] !== undefined && busy-- > 0 ? 429 : 200
      response.end("done")
    })
    const copy = await inside.httpUpstream()
    const ports = { http: await freePort(), tcp: await freePort(), to: service.port, copy: copy.port }
    const { snapshot } = await loadedOf(configuration(ports))
    const gateway = await inside.startGateway(snapshot)
    const ask = (target: string, headers: Readonly<Record<string, string>> = {}) =>
      get(`http://127.0.0.1:${ports.http}${target}`, { headers })
    const seen = (got: { readonly headers: Readonly<Record<string, unknown>> }) =>
      JSON.parse(String(got.headers["x-seen"])) as readonly [string, Readonly<Record<string, string>>]

    const matched = await ask("/match/a?param=hello", { "x-header": "test-1" })
    expect(seen(matched)[0]).toBe("/match/a?param=hello")
    expect(matched.headers["x-req-added"]).toBeUndefined()
    expect(copy.requests).toHaveLength(0)

    // Whatever the first route does not take is the second's.
    const [url, headers] = seen(await ask("/match/a?param=hello", { "x-header": "test-12", "x-illegal-header": "x" }))
    expect(url).toBe("/new-path?param=hello")
    expect(headers).toMatchObject({ host: "custom-host-header", "x-req-added": "value" })
    expect(headers).not.toHaveProperty("x-illegal-header")
    const crossed = await ask("/", { origin: "http://page.test" })
    expect(crossed).toMatchObject({ status: 200, body: "done" })
    expect(crossed.headers).toMatchObject({
      "x-req-added": "value",
      "access-control-allow-origin": "http://page.test",
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "header2",
    })
    expect((await ask("/", { "x-busy": "1" })).status).toBe(200)
    await inside.until("the copies arrived", () => copy.requests.length === 3)
    const statuses = await Promise.all(Array.from({ length: 12 }, async () => (await ask("/")).status))
    expect(statuses.filter((status) => status === 200)).toHaveLength(7)
    expect(statuses.filter((status) => status === 429)).toHaveLength(5)

    expect(await ask("/directx/a")).toMatchObject({ status: 200, body: "hello!" })
    expect(await ask("/ips")).toMatchObject({ status: 200, body: "near" })
    expect(await get(`http://127.0.0.1:${ports.tcp}/raw`)).toMatchObject({ status: 200, body: "done" })
    await gateway.close()
    await service.close()
    await copy.close()
  })
})
