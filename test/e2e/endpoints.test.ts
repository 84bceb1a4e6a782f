/** Where requests go, from a file to sockets: to endpoints that fail and come back, to the same one for one key, and copied. */
import { createHash, randomBytes } from "node:crypto"
import * as http from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { loadedOf } from "../config/memoryIo.ts"
import { connect, httpUpstream, type HttpUpstream, rawUpstream, startGateway, type Started, until } from "./harness.ts"
import { freePort } from "../freePort.ts"

const closers: Array<() => unknown> = []
const ends = <A extends { readonly close: () => unknown }>(what: A): A => {
  closers.push(() => what.close())
  return what
}
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const serve = async (text: string): Promise<Started> =>
  ends(await startGateway((await loadedOf(text)).snapshot, { drain: { minMillis: 0, maxMillis: 200 } }))

interface Got {
  readonly status: number
  readonly body: string
}

const ask = (port: number, options: http.RequestOptions = {}, body?: Buffer | ReadonlyArray<Buffer>): Promise<Got> =>
  new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, agent: false, ...options }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (piece: string) => (text += piece))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }))
      response.on("error", reject)
    })
    request.on("error", reject)
    for (const piece of Array.isArray(body) ? body : []) request.write(piece)
    request.end(body instanceof Buffer ? body : undefined)
  })

const named = (name: string): Promise<HttpUpstream> => httpUpstream((_request, response) => response.end(name))

const cart = (port: number, endpoints: Readonly<Record<string, number>>, more: string): string => `
gateways: {default: {port: ${port}}}
services:
  - {name: cart, namespace: shop, hostname: cart, vips: [], ports: {80: 80}}
workloads:
${Object.entries(endpoints)
  .map(
    ([name, at]) =>
      `  - {name: ${name}, namespace: shop, workloadIps: [127.0.0.1], services: {shop/cart: {80: ${at}}}}`,
  )
  .join("\n")}
routes:
  - backends:
      - service: {name: shop/cart, port: 80}
        policies:
          ${more}
`

const listenAt = async (port: number, name: string, host = "127.0.0.1"): Promise<http.Server> => {
  const server = http.createServer((_request, response) => response.end(name))
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen({ port, host }, resolve)
  })
  closers.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return server
}

const said = async (port: number): Promise<string> => {
  const { body, status } = await ask(port)
  return status === 200 ? body : String(status)
}

const failOnce = async (port: number): Promise<void> => {
  for (const end = performance.now() + 20_000; (await said(port)) !== "503";) {
    if (performance.now() > end) throw new Error("the endpoint that fails was never tried")
  }
}

const oneFailure = (duration: string): string => `health: {eviction: {duration: ${duration}, consecutiveFailures: 1}}`

describe("an endpoint that fails", () => {
  it("is put aside at once", { timeout: 60_000 }, async () => {
    const [a, gone, port] = [ends(await named("a")), await freePort(), await freePort()]
    await serve(cart(port, { a: a.port, b: gone }, oneFailure("60s")))
    await failOnce(port)
    for (let i = 0; i < 40; i++) expect(await said(port)).toBe("a")
  })

  it("is used again when it is back", { timeout: 60_000 }, async () => {
    const [a, bPort, port] = [ends(await named("a")), await freePort(), await freePort()]
    await serve(cart(port, { a: a.port, b: bPort }, oneFailure("200ms")))
    await failOnce(port)
    await listenAt(bPort, "b")
    const end = performance.now() + 30_000
    while ((await said(port)) !== "b") expect(performance.now()).toBeLessThan(end)
    for (let i = 0; i < 40; i++) expect(await said(port)).not.toBe("503")
  })

  it("is not even noticed where requests may be tried again", { timeout: 60_000 }, async () => {
    const [a, bPort, port] = [ends(await named("a")), await freePort(), await freePort()]
    const text = cart(port, { a: a.port, b: bPort }, oneFailure("1s"))
    await serve(text.replace("  - backends:", "  - policies: {retry: {attempts: 1, codes: [503]}}\n    backends:"))
    for (let i = 0; i < 60; i++) expect(await ask(port)).toEqual({ status: 200, body: "a" })
  })

  it("is used all the same when there is no other", async () => {
    const [bPort, port] = [await freePort(), await freePort()]
    await serve(cart(port, { b: bPort }, oneFailure("60s")))
    expect(await said(port)).toBe("503")
    await listenAt(bPort, "b")
    expect(await said(port)).toBe("b")
  })
})

it("weights are shares, of requests and of raw connections, and none is none", async () => {
  const names = ["often", "seldom", "never"] as const
  const servers = await Promise.all(names.map(named))
  for (const server of servers) ends(server)
  const [port, tcp] = [await freePort(), await freePort()]
  const shares = servers.map(({ port: at }, i) => `{host: "127.0.0.1:${at}", weight: ${[4, 1, 0][i]}}`).join(", ")
  await serve(`
gateways: {default: {port: ${port}}, raw: {port: ${tcp}, protocol: TCP}}
routes: [{gateways: default, backends: [${shares}]}]
tcpRoutes: [{gateways: raw, backends: [${shares}]}]
`)
  for (const at of [port, tcp]) {
    const counts = { often: 0, seldom: 0, never: 0 }
    for (let i = 0; i < 200; i++) counts[(await said(at)) as keyof typeof counts]++
    expect(counts.never).toBe(0)
    expect(counts.often + counts.seldom).toBe(200)
    // One chance in millions that a fair draw is further off.
    expect(counts.seldom).toBeGreaterThan(10)
    expect(counts.often).toBeGreaterThan(counts.seldom)
  }
})

it("requests of one key go to one endpoint, and the keys to all of them", async () => {
  const [a, b, c, port] = [ends(await named("a")), ends(await named("b")), ends(await named("c")), await freePort()]
  const text = cart(port, { a: a.port, b: b.port, c: c.port }, "health: {}")
  await serve(
    text
      .replace("  - backends:", `  - policies: {sessionAffinity: {source: 'request.headers["x-key"]'}}\n    backends:`)
      .replace(/ {8}policies:\n.*health: \{\}\n/, ""),
  )
  const found = new Map<string, string>()
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 24; i++) {
      const key = `k${i}`
      const { body } = await ask(port, { headers: { "x-key": key } })
      expect([key, body]).toEqual([key, found.get(key) ?? body])
      found.set(key, body)
    }
  }
  expect(new Set(found.values())).toEqual(new Set(["a", "b", "c"]))
})

describe("a mirror", () => {
  const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex")

  /** Answers with, and remembers, what it was sent. */
  const hashing = async () => {
    const seen: Array<string> = []
    const upstream = ends(
      await httpUpstream((request, response) => {
        const sum = createHash("sha256")
        request.on("data", (chunk: Buffer) => sum.update(chunk))
        request.on("end", () => {
          const text = `${request.method} ${request.url} ${sum.digest("hex")}`
          seen.push(text)
          response.end(text)
        })
      }),
    )
    return { seen, port: upstream.port }
  }

  const mirrored = (port: number, to: number, copy: number): string => `
gateways: {default: {port: ${port}}}
routes:
  - policies: {requestMirror: {backend: {host: "127.0.0.1:${copy}"}, percentage: 1.0}}
    backends: [{host: "127.0.0.1:${to}"}]
`

  it("gets every request with its body, however it came, and its replies go nowhere", async () => {
    const [main, copy, port] = [await hashing(), await hashing(), await freePort()]
    await serve(mirrored(port, main.port, copy.port))
    const big = randomBytes(700_000)
    const expected: Array<string> = []
    const asked = async (line: string, body: Buffer | ReadonlyArray<Buffer> | undefined) => {
      const [method = "", path = ""] = line.split(" ")
      const pieces: ReadonlyArray<Buffer> = Array.isArray(body) ? body : body instanceof Buffer ? [body] : []
      expected.push(`${line} ${hash(Buffer.concat(pieces))}`)
      const headers = body instanceof Buffer ? { "content-length": body.byteLength } : {}
      expect(await ask(port, { method, path, headers }, body)).toEqual({ status: 200, body: expected.at(-1) })
    }
    await asked("GET /none", undefined)
    await asked("POST /small?x=1", Buffer.from("hello"))
    await asked("PUT /large", big)
    await asked("POST /chunks", [Buffer.from("a"), big, Buffer.from("b")])
    await until("the copies arrived", () => copy.seen.length === expected.length)
    expect(copy.seen.toSorted()).toEqual(expected.toSorted())
    expect(main.seen).toEqual(expected)
  })

  it("that is gone, hangs or breaks off costs the original nothing", async () => {
    const main = await hashing()
    const silent = ends(await rawUpstream())
    const breaking = ends(await rawUpstream((connection) => connection.reset()))
    for (const copy of [await freePort(), silent.port, breaking.port]) {
      const port = await freePort()
      const gateway = await serve(mirrored(port, main.port, copy))
      const body = randomBytes(200_000)
      for (let i = 0; i < 5; i++) {
        const got = await ask(port, { method: "POST", path: "/", headers: { "content-length": body.byteLength } }, body)
        expect(got).toEqual({ status: 200, body: `POST / ${hash(body)}` })
      }
      await gateway.close()
    }
  })

  it("ends with a request that no backend took the body of", async () => {
    const silent = ends(await rawUpstream())
    const port = await freePort()
    // Lets no handshake come to its end, and breaks it off once the copy is under way.
    let copies = 1
    const refusing = ends(
      await rawUpstream(async (connection) => {
        await until("the copy has come", () => silent.connections.length === copies)
        connection.reset()
      }),
    )
    const to = `host: "127.0.0.1:${refusing.port}"`
    const tls = "backendTLS: {insecure: true}"
    const mirror = `requestMirror: {backend: {host: "127.0.0.1:${silent.port}"}, percentage: 1.0}`
    const retry = "retry: {attempts: 2, codes: []}"
    await serve(`
gateways: {default: {port: ${port}}}
routes:
  - matches: [{path: {pathPrefix: /route}}]
    policies: {${mirror}}
    backends: [{${to}, policies: {${tls}}}]
  - matches: [{path: {pathPrefix: /backend}}]
    backends: [{${to}, policies: {${tls}, ${mirror}}}]
  - matches: [{path: {pathPrefix: /again}}]
    policies: {${retry}}
    backends: [{${to}, policies: {${tls}, ${mirror}}}]
`)
    for (const path of ["/route", "/backend", "/again"]) {
      const client = ends(await connect(port))
      // More than came with the head, so that it is there piece by piece.
      client.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\nbegin`)
      expect((await client.answer()).status).toBe(503)
      await silent.connections[copies - 1]?.gone(10_000)
      copies++
    }
  })
})

it(
  "a name whose addresses change leads to the new ones, and a broken answer keeps the old",
  { timeout: 60_000 },
  async () => {
    const [port, target] = [await freePort(), await freePort()]
    const one = await listenAt(target, "one", "127.0.0.1")
    await listenAt(target, "two", "127.0.0.2")
    let now: string | undefined = "127.0.0.1"
    const { snapshot } = await loadedOf(
      `gateways: {default: {port: ${port}}}\nroutes: [{backends: [{host: "moving.test:${target}"}]}]`,
    )
    ends(
      await startGateway(snapshot, {
        upstream: {
          query: async (_name, family) => {
            if (family === 6) throw Object.assign(new Error("no"), { code: "ENODATA" })
            if (now === undefined) throw Object.assign(new Error("no"), { code: "ESERVFAIL" })
            return { addresses: [now], ttlMillis: 5_000 }
          },
        },
      }),
    )
    expect(await said(port)).toBe("one")
    now = "127.0.0.2"
    const end = performance.now() + 30_000
    for (let body = "one"; body !== "two"; body = await said(port)) {
      expect(performance.now()).toBeLessThan(end)
      // A connection that is kept leads where it always led.
      one.closeIdleConnections()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    now = undefined
    for (let i = 0; i < 5; i++) expect(await said(port)).toBe("two")
  },
)
