import * as fs from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as path from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { get, makeDirectory, Standalone, until } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const directory = makeDirectory()
afterAll(() => fs.rmSync(directory, { recursive: true }))

const answering = async (text: string): Promise<http.Server> => {
  const server = http.createServer((_request, response) => response.end(text))
  await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1" }, resolve))
  return server
}

const servers: Array<http.Server> = []
beforeAll(async () => {
  servers.push(await answering("a"), await answering("b"))
})
afterAll(() => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
})

/** Two endpoints in two zones, and the gateway's own entry in the second. */
const configuration = (port: number, mode: string): string => {
  const [a, b] = servers.map((server) => (server.address() as AddressInfo).port)
  const common = "namespace: shop, workloadIps: [127.0.0.1]"
  return `
config: {adminAddr: "off", statsAddr: "off", readinessAddr: "off"}
gateways: {default: {port: ${port}}}
services:
  - name: cart
    namespace: shop
    hostname: cart
    vips: []
    ports: {80: 80}
    loadBalancer: {mode: ${mode}, routingPreferences: [Region, Zone], healthPolicy: OnlyHealthy}
workloads:
  - {name: a, ${common}, locality: {region: eu, zone: a}, services: {shop/cart: {80: ${a}}}}
  - {name: b, ${common}, locality: {region: eu, zone: b}, services: {shop/cart: {80: ${b}}}}
  - {name: gateway, ${common}, locality: {region: eu, zone: b}}
routes:
  - backends: [{service: {name: shop/cart, port: 80}}]
`
}

const answers = async (mode: string, env: Readonly<Record<string, string>>) => {
  const port = await freePort()
  const file = path.join(directory, `${port}.yaml`)
  fs.writeFileSync(file, configuration(port, mode))
  const gateway = new Standalone({ args: ["-f", file], env })
  const once = () => get(`http://127.0.0.1:${port}/`).catch(() => undefined)
  await until(
    async () => (await once()) !== undefined,
    () => gateway.error + gateway.out,
  )
  const seen = new Set<string>()
  for (let i = 0; i < 40; i++) {
    const { body, status } = await get(`http://127.0.0.1:${port}/`)
    seen.add(status === 200 ? body : String(status))
  }
  await gateway.stop()
  return { seen: [...seen].toSorted(), out: gateway.out }
}

describe("the nearest endpoints", () => {
  it("are those at the place that LOCALITY names", async () => {
    expect((await answers("Failover", { LOCALITY: "eu/a" })).seen).toEqual(["a"])
  })

  it("are those where the gateway's own workload is", async () => {
    expect((await answers("Strict", { POD_NAME: "gateway", NAMESPACE: "shop" })).seen).toEqual(["b"])
  })

  it("are none where a service wants only these and the gateway is elsewhere", async () => {
    expect((await answers("Strict", { LOCALITY: "us/a" })).seen).toEqual(["503"])
  })

  it("are all of them where the gateway does not know its place, which is said", async () => {
    const { out, seen } = await answers("Failover", {})
    expect(seen).toEqual(["a", "b"])
    expect(out).toContain("while the gateway does not know where it stands")
  })
})
