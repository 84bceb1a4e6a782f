/** External authorization of connections, before anything is read of them. */
import * as http from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { type HttpUpstream, connect, httpUpstream, startGateway, until } from "../harness.ts"
import { type Closing, snapshotOf, start } from "./place.ts"
import { freePort } from "../../freePort.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const service = async (listener: http.RequestListener): Promise<HttpUpstream> => {
  const server = await httpUpstream(listener)
  closing.push(server.close)
  return server
}

const over = (port: number, http: string, more = ""): string =>
  `networkExtAuthz:\n  host: 127.0.0.1:${port}\n  protocol: {http: {${http}}}\n${more}`

/** What becomes of a connection. */
const fate = async (port: number): Promise<"served" | "closed"> => {
  const client = await connect(port)
  client.write("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
  try {
    await client.answer()
    return "served"
  } catch {
    return "closed"
  } finally {
    client.close()
  }
}

describe("external authorization of connections", () => {
  it("asks who is at the other end, and closes where the answer is no", async () => {
    let status = 200
    const server = await service((_request, response) => {
      response.writeHead(status)
      response.end("words nobody reads")
    })
    const place = await start(closing, "cors: {}", {
      frontend: over(
        server.port,
        `path: '"/may/" + source.address', addRequestHeaders: {x-to: string(destination.port)}`,
      ),
    })
    expect(await fate(place.gateway.port)).toBe("served")
    status = 403
    expect(await fate(place.gateway.port)).toBe("closed")
    const [asked] = server.requests
    expect([asked?.method, asked?.url, asked?.headers["x-to"]]).toEqual([
      "GET",
      "/may/127.0.0.1",
      String(place.gateway.port),
    ])
    await until("it is written down", () => place.gateway.told.rejected.length === 1)
    expect(place.gateway.told.rejected[0]).toMatchObject({ reason: "external authorization failed" })
    expect(place.backend.requests.length).toBe(1)
  })

  it("is not asked about those whom the rules turn away", async () => {
    const server = await service((_request, response) => void response.end())
    const place = await start(closing, "cors: {}", {
      frontend: `${over(server.port, "")}\nnetworkAuthorization: {rules: [{deny: 'source.address == "127.0.0.1"'}]}`,
    })
    expect(await fate(place.gateway.port)).toBe("closed")
    expect(server.requests).toEqual([])
  })

  it("keeps an answer for connections that are the same to it", async () => {
    const server = await service((_request, response) => void response.end())
    const place = await start(closing, "cors: {}", {
      frontend: over(server.port, "", "  cache: {key: [source.address], ttl: 1h}"),
    })
    for (let i = 0; i < 3; i++) expect(await fate(place.gateway.port)).toBe("served")
    expect(server.requests.length).toBe(1)
  })

  it("guards TCP as well", async () => {
    const server = await service((_request, response) => {
      response.writeHead(401)
      response.end()
    })
    const backend = await service((_request, response) => void response.end())
    const text = (port: number) => `
frontendPolicies:
  networkExtAuthz: {host: "127.0.0.1:${port}", protocol: {http: {}}}
binds: [{port: 1, listeners: [{protocol: TCP, tcpRoutes: [{backends: [{host: "127.0.0.1:${backend.port}"}]}]}]}]
`
    const gateway = await startGateway(await snapshotOf(text(server.port)))
    closing.push(gateway.close)
    expect(await fate(gateway.port)).toBe("closed")
    expect(backend.requests).toEqual([])
  })

  it("decides by the configuration where it cannot be asked", async () => {
    const silent = await service(() => {})
    for (const port of [await freePort(), silent.port]) {
      for (const [mode, expected] of [
        ["deny", "closed"],
        ["allow", "served"],
      ] as const) {
        const place = await start(closing, "cors: {}", {
          frontend: over(port, "", `  policies: {http: {requestTimeout: 200ms}}\n  failureMode: ${mode}`),
        })
        expect(await fate(place.gateway.port)).toBe(expected)
      }
    }
  })
})
