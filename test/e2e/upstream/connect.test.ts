import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as fs from "node:fs/promises"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as tls from "node:tls"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { ClientTls } from "../../../ir/Tls.ts"
import type { NodeSocket } from "../../../src/node/socket.ts"
import type { Endpoint } from "../../../stages/ports/Upstream.ts"
import { caPem, server as certificate } from "./certificates.ts"
import { Bench, options, pause, refusal, request, send, text, until } from "./gateway.ts"

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.close())

const trusting: ClientTls = {
  rootsPem: caPem,
  hostname: "server.test",
  verify: "full",
  subjectAltNames: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [],
  keyExchangeGroups: [],
}

const dial = async (endpoint: Endpoint): Promise<net.Socket> =>
  ((await Effect.runPromise(endpoint.dial)) as NodeSocket).release() as net.Socket

const echoed = async (socket: net.Socket, words: string): Promise<string> => {
  let seen = ""
  socket.on("data", (chunk: Buffer) => (seen += chunk.toString()))
  socket.resume()
  socket.end(words)
  await new Promise((resolve) => socket.once("end", resolve))
  return seen
}

const echo = (): net.Server => net.createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket))

/** An HTTP proxy that notes what it is asked for, and connects to one place whatever the name. */
const proxy = async (
  port: number,
  authorization?: string,
): Promise<{ port: number; connects: Array<string>; gets: Array<string> }> => {
  const connects: Array<string> = []
  const gets: Array<string> = []
  const allowed = (incoming: http.IncomingMessage): boolean =>
    authorization === undefined || incoming.headers["proxy-authorization"] === authorization
  const server = http.createServer((incoming, response) => {
    if (!allowed(incoming)) return void response.writeHead(407).end()
    gets.push(`${incoming.method} ${incoming.url} ${incoming.headers.host}`)
    response.end("by proxy")
  })
  server.on("connect", (incoming: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
    connects.push(incoming.url ?? "")
    socket.on("error", () => {})
    if (!allowed(incoming)) return void socket.end("HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")
    if (incoming.url?.startsWith("no.") === true) return void socket.end("HTTP/1.1 502 Bad\r\n\r\n")
    const other = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => {
      socket.write("HTTP/1.1 200 Connected\r\nx: y\r\n\r\n")
      other.write(head)
      socket.pipe(other).pipe(socket)
    })
    other.on("error", () => socket.destroy())
    socket.once("close", () => other.destroy())
  })
  return { port: (await bench.listen(server)).port, connects, gets }
}

it("probes idle connections as often as it is told", async () => {
  const probe = vi.spyOn(net.Socket.prototype, "setKeepAlive")
  const { port } = await bench.listen(net.createServer())
  const times = { timeMillis: 20_000, intervalMillis: 5_000, retries: 3 }
  const target = { _tag: "Host", host: "127.0.0.1", port } as const
  const sockets = [
    await dial(bench.open({ target, keepAlive: { enabled: true, ...times } })),
    await dial(bench.open({ target, keepAlive: { enabled: false, ...times } })),
    await dial(bench.open({ target, keepAlive: { enabled: true, timeMillis: 20_000 } })),
  ]
  for (const socket of sockets) socket.destroy()
  expect(probe.mock.calls).toEqual([[true, 20_000, 5_000, 3]])
  probe.mockRestore()
})

describe("connecting", () => {
  it("takes the next address when one refuses or is silent", async () => {
    await bench.close()
    let addresses: ReadonlyArray<string> = []
    bench = new Bench({ query: () => Promise.resolve({ addresses, ttlMillis: 1 }) })
    const { port } = await bench.http((_, response) => void response.end("here"))
    addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
    const endpoint = bench.open({ target: { _tag: "Host", host: "many.test", port }, poolSizeMax: 0 })
    for (let i = 0; i < 3; i++) expect(await text(await send(endpoint, request("GET", "/")))).toBe("here")
    await until("nothing is left open", () => bench.connections === 0)
  })

  it.skipIf(process.platform !== "linux")("spreads over the addresses", async () => {
    await bench.close()
    bench = new Bench({ query: () => Promise.resolve({ addresses: ["127.0.0.1", "127.0.0.2"], ttlMillis: 1 }) })
    const seen: Array<string | undefined> = []
    const server = http.createServer((incoming, response) => {
      seen.push(incoming.socket.localAddress)
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve))
    const { port } = server.address() as net.AddressInfo
    const endpoint = bench.open({ target: { _tag: "Host", host: "two.test", port }, poolSizeMax: 0 })
    for (let i = 0; i < 4; i++) await send(endpoint, request("GET", "/"))
    server.close()
    expect(seen).toEqual(["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"])
  })

  const spread = async (
    listener: (address: string | undefined) => net.Server,
    version: "1.1" | "2",
  ): Promise<() => Promise<string>> => {
    await bench.close()
    bench = new Bench({ query: () => Promise.resolve({ addresses: ["127.0.0.1", "127.0.0.2"], ttlMillis: 1 }) })
    const first = await bench.listen(listener("127.0.0.1"))
    await bench.listen(listener("127.0.0.2"), "127.0.0.2", first.port)
    const endpoint = bench.open({ target: { _tag: "Host", host: "Two.test", port: first.port } })
    return async () => text(await send(endpoint, request("GET", "/"), { version }))
  }

  it.skipIf(process.platform !== "linux")("does not keep requests from being spread over the addresses", async () => {
    const ask = await spread((address) => http.createServer((_, response) => void response.end(String(address))), "1.1")
    const seen: Array<unknown> = []
    for (let i = 0; i < 8; i++) seen.push(await ask())
    expect(seen.filter((address) => address === "127.0.0.1").length).toBe(4)
    expect(bench.connections).toBe(2)
  })

  it.skipIf(process.platform !== "linux")("does not keep requests from being spread over HTTP/2 sessions", async () => {
    const ask = await spread((address) => http2.createServer((_, response) => void response.end(String(address))), "2")
    await ask()
    await ask()
    await until("the second session", () => bench.connections === 2)
    await pause(10)
    const seen: Array<unknown> = []
    for (let i = 0; i < 8; i++) seen.push(await ask())
    expect(seen.filter((address) => address === "127.0.0.1").length).toBe(4)
    expect(bench.connections).toBe(2)
  })

  it("does not come back to an address that refused before the next answer", async () => {
    await bench.close()
    bench = new Bench({ query: () => Promise.resolve({ addresses: ["127.0.0.1", "127.0.0.9"], ttlMillis: 1 }) })
    let connections = 0
    const { server, port } = await bench.http((_, response) => void response.end("x"))
    server.on("connection", () => connections++)
    const endpoint = bench.open({ target: { _tag: "Host", host: "half.test", port } })
    for (let i = 0; i < 10; i++) await text(await send(endpoint, request("GET", "/")))
    expect(connections).toBeLessThanOrEqual(2)
  })

  it("says when a name has no address", async () => {
    await bench.close()
    bench = new Bench({ query: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" })) })
    const endpoint = bench.open({ target: { _tag: "Host", host: "none.test", port: 80 } })
    const failure = { _tag: "ResolutionFailed", message: "name cannot be resolved (ENOTFOUND)" }
    expect(await refusal(endpoint, request("GET", "/"))).toEqual(failure)
    expect(await refusal(endpoint, request("GET", "/"))).toEqual(failure)
    expect(await refusal(endpoint, request("GET", "/"), { version: "2" })).toEqual(failure)
    expect(Exit.isFailure(await Effect.runPromiseExit(endpoint.dial))).toBe(true)
  })

  it("gives up in time, whatever it waits for", async () => {
    await bench.close()
    bench = new Bench({ query: () => new Promise(() => {}) })
    const silent = await bench.listen(net.createServer((socket) => void socket.resume()))
    const limited = { connectTimeoutMillis: 50 }
    const failure = { _tag: "ConnectTimeout", message: "no connection within 50 ms" }
    const unnamed = bench.open({ target: { _tag: "Host", host: "slow.test", port: 80 }, ...limited })
    expect(await refusal(unnamed, request("GET", "/"))).toEqual(failure)
    expect(await refusal(bench.to(silent.port, { tls: trusting, ...limited }), request("GET", "/"))).toEqual(failure)
    const tunnel = { proxy: { _tag: "Host" as const, host: "127.0.0.1", port: silent.port }, authorization: undefined }
    expect(await refusal(bench.to(1, { tls: trusting, tunnel, ...limited }), request("GET", "/"))).toEqual(failure)
    await until("nothing is left open", () => bench.connections === 0)
  })

  it("ends with the fiber that wanted it", async () => {
    const silent = await bench.listen(net.createServer((socket) => void socket.resume()))
    const endpoint = bench.to(silent.port, { tls: trusting })
    for (const effect of [
      endpoint.dial,
      endpoint.send(request("GET", "/"), options()),
      endpoint.send(request("GET", "/"), options({ version: "2" })),
    ]) {
      const fiber = Effect.runFork(effect as Effect.Effect<unknown, unknown>)
      await until("it is connecting", () => bench.connections === 1)
      await Effect.runPromise(Fiber.interrupt(fiber))
      await until("nothing is left open", () => bench.connections === 0)
    }
  })

  it("reaches unix sockets", async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "unix-"))
    const file = path.join(folder, "s")
    const server = http.createServer((incoming, response) => void response.end(incoming.headers.host))
    await new Promise<void>((resolve) => server.listen(file, resolve))
    const endpoint = bench.open({ target: { _tag: "Unix", path: file } })
    expect(endpoint.label).toBe(`unix:${file}`)
    expect(await text(await send(endpoint, request("GET", "/")))).toBe("test.example")
    const socket = await dial(endpoint)
    socket.destroy()
    endpoint.close()
    await new Promise((resolve) => server.close(resolve))
    await fs.rm(folder, { recursive: true })
  })

  it("leaves no handle behind", async () => {
    const { port } = await bench.http((_, response) => void response.end("x"))
    const handles = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length
    await until("sockets of other tests are gone", () => handles() === 0)
    for (let i = 0; i < 5; i++) {
      const endpoint = bench.to(port)
      await Promise.all(Array.from({ length: 5 }, async () => text(await send(endpoint, request("GET", "/")))))
      endpoint.close()
    }
    await until("the handles are gone", () => handles() === 0)
  })
})

describe("a raw connection", () => {
  it("carries bytes and half-closes", async () => {
    const { port } = await bench.listen(echo())
    expect(await echoed(await dial(bench.to(port)), "hello")).toBe("hello")
    await until("nothing is left open", () => bench.connections === 0)
  })

  it("is refused like any other", async () => {
    const { server, port } = await bench.listen(echo())
    await new Promise((resolve) => server.close(resolve))
    const exit = await Effect.runPromiseExit(bench.to(port).dial)
    expect(JSON.stringify(exit)).toContain("ConnectFailed")
  })
})

describe("a tunnel through a proxy", () => {
  const through = (port: number, authorization?: string) => ({
    tunnel: { proxy: { _tag: "Host" as const, host: "127.0.0.1", port }, authorization },
  })
  const target = { _tag: "Host" as const, host: "hidden.test", port: 8443 }

  it("is for raw connections", async () => {
    const { port } = await bench.listen(echo())
    const between = await proxy(port, "Basic abc")
    const socket = await dial(bench.open({ target, ...through(between.port, "Basic abc") }))
    expect(await echoed(socket, "hello")).toBe("hello")
    expect(between.connects).toEqual(["hidden.test:8443"])
    await until("nothing is left open", () => bench.connections === 0)
  })

  it("hands on what came right behind its head", async () => {
    const { port } = await bench.listen(
      net.createServer((socket) => {
        socket.on("error", () => {})
        socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\nfirst words"))
      }),
    )
    expect(await echoed(await dial(bench.open({ target, ...through(port) })), "")).toBe("first words")
  })

  it("is for TLS, whose connections are used again", async () => {
    const secure = tls.createServer(
      { cert: certificate.certificatePem, key: certificate.keyPem, ALPNProtocols: ["http/1.1"] },
      (socket) => {
        socket.on("error", () => {})
        socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
      },
    )
    const { port } = await bench.listen(secure)
    const between = await proxy(port)
    const endpoint = bench.open({ target, tls: trusting, ...through(between.port) })
    for (let i = 0; i < 2; i++) expect(await text(await send(endpoint, request("GET", "/")))).toBe("ok")
    expect(between.connects).toEqual(["hidden.test:8443"])
    expect(between.gets).toEqual([])
  })

  it("is for HTTP/2 without TLS", async () => {
    const plain = http2.createServer((_, response) => void response.end("two"))
    const { port } = await bench.listen(plain)
    const between = await proxy(port)
    const endpoint = bench.open({ target, ...through(between.port) })
    expect(await text(await send(endpoint, request("GET", "/"), { version: "2" }))).toBe("two")
    expect(between.connects).toEqual(["hidden.test:8443"])
  })

  it("is not needed for plaintext HTTP/1.1: the proxy reads the whole address", async () => {
    const between = await proxy(1, "Basic abc")
    const endpoint = bench.open({ target, ...through(between.port, "Basic abc") })
    const sent = request("GET", "/a?b=c")
    expect(await text(await send(endpoint, sent))).toBe("by proxy")
    expect(sent.headers.flat).toEqual([])
    const standard = bench.open({ target: { ...target, port: 80 }, ...through(between.port, "Basic abc") })
    await send(standard, request("GET", "/"))
    expect(between.gets).toEqual([
      "GET http://hidden.test:8443/a?b=c hidden.test:8443",
      "GET http://hidden.test/ hidden.test",
    ])
    expect(between.connects).toEqual([])
  })

  it("is needed for an upgrade", async () => {
    const server = http.createServer().on("upgrade", (_, socket: net.Socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
      socket.end()
    })
    const { port } = await bench.listen(server)
    const between = await proxy(port)
    const sent = request("GET", "/")
    sent.upgrade = "websocket"
    const reply = await send(bench.open({ target, ...through(between.port) }), sent)
    expect([reply.status, between.connects]).toEqual([101, ["hidden.test:8443"]])
    ;(reply.tunnel as NodeSocket).destroy()
  })

  it("may be refused", async () => {
    const between = await proxy(1, "Basic abc")
    const asked = { _tag: "TunnelRefused", message: "tunnel proxy asks for authentication (407)", status: 407 }
    const secure = bench.open({ target, tls: trusting, ...through(between.port, "Basic wrong") })
    expect(await refusal(secure, request("GET", "/"))).toEqual(asked)
    expect(await refusal(bench.open({ target, ...through(between.port) }), request("GET", "/"))).toEqual(asked)
    const other = bench.open({
      target: { ...target, host: "no.test" },
      tls: trusting,
      ...through(between.port, "Basic abc"),
    })
    expect(await refusal(other, request("GET", "/"))).toEqual({
      _tag: "TunnelRefused",
      message: "tunnel proxy refused (502)",
      status: 502,
    })
    await until("nothing is left open", () => bench.connections === 0)
  })

  it.each([
    ["closes", (socket: net.Socket) => void socket.end()],
    ["does not speak HTTP", (socket: net.Socket) => void socket.write("220 hello\r\n\r\n")],
    ["never stops", (socket: net.Socket) => void socket.write("HTTP/1.1 200 OK\r\n" + "a: b\r\n".repeat(5_000))],
  ])("fails when the proxy %s", async (_, answer) => {
    const { port } = await bench.listen(
      net.createServer((socket) => {
        socket.on("error", () => {})
        socket.on("data", () => answer(socket))
      }),
    )
    const endpoint = bench.open({ target, tls: trusting, ...through(port) })
    expect((await refusal(endpoint, request("GET", "/")))._tag).toBe("TunnelRefused")
    await until("nothing is left open", () => bench.connections === 0)
  })

  it("does not let a name write into the request to the proxy", async () => {
    const between = await proxy(1)
    const evil = { _tag: "Host" as const, host: "a.test:1 HTTP/1.1\r\nx: y\r\n\r\n", port: 1 }
    const endpoint = bench.open({ target: evil, tls: { ...trusting, verify: "none" }, ...through(between.port) })
    expect((await refusal(endpoint, request("GET", "/")))._tag).toBe("TunnelRefused")
    const plain = await refusal(bench.open({ target: evil, ...through(between.port) }), request("GET", "/"))
    expect(plain._tag).toBe("RequestAborted")
    expect([between.connects, between.gets]).toEqual([[], []])
    await pause(0)
  })
})

describe("messages", () => {
  it("hold neither addresses nor secrets", async () => {
    const { server, port } = await bench.listen(net.createServer())
    await new Promise((resolve) => server.close(resolve))
    const keyPem = Redacted.make("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----")
    const broken = { ...trusting, identity: { certificatePem: "x", keyPem } }
    const { port: alive } = await bench.listen(net.createServer((socket) => void socket.resume()))
    for (const failure of [
      await refusal(bench.to(port), request("GET", "/")),
      await refusal(bench.to(alive, { tls: broken }), request("GET", "/")),
    ]) {
      expect(failure.message).not.toMatch(/127\.0\.0\.1|secret|\n| at /)
      expect(failure.message.length).toBeLessThan(120)
    }
  })
})
