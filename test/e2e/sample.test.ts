/** The sample that the documentation begins with: it loads, and it routes as it reads. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { loadedOf } from "../config/memoryIo.ts"
import * as inside from "./harness.ts"
import { command, freePort, get, makeDirectory, Standalone } from "./standalone.ts"

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
