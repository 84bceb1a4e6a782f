import * as crypto from "node:crypto"
import * as http from "node:http"
import * as http2 from "node:http2"
import type * as net from "node:net"
import * as tls from "node:tls"
import { afterEach, describe, expect, it } from "vitest"
import { any, type Match } from "../../ir/Match.ts"
import type { TrafficPolicy } from "../../ir/Policy.ts"
import {
  connect,
  connectTls,
  httpUpstream,
  pem,
  plain,
  RawClient,
  rawUpstream,
  serverTls,
  sleep,
  snapshotOf,
  startGateway,
  until,
} from "./harness.ts"
import { freePort } from "../freePort.ts"

const closers: Array<() => unknown> = []
const ends = <A extends { close: () => unknown }>(what: A): A => {
  closers.push(() => what.close())
  return what
}
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** A session over which WebSockets can be asked for: the gateway has said so. */
const sessionAt = async (port: number): Promise<http2.ClientHttp2Session> => {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  closers.push(() => session.destroy())
  await new Promise((resolve) => session.once("remoteSettings", resolve))
  return session
}

const webSocketIn = (
  session: http2.ClientHttp2Session,
  path = "/",
  more: http2.OutgoingHttpHeaders = {},
): http2.ClientHttp2Stream =>
  session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": path,
    ":authority": "x.test",
    ...more,
  })

/** A server that accepts upgrades, says which protocol it chose, and then echoes bytes. */
const upgrading = async (chosen: (offered: string) => string = (offered) => offered) => {
  const upstream = await httpUpstream()
  const upgrades: Array<http.IncomingMessage> = []
  const server = http.createServer((_request, response) => void response.writeHead(426).end("upgrade"))
  server.on("upgrade", (request: http.IncomingMessage, socket: net.Socket) => {
    upgrades.push(request)
    socket.on("error", () => {})
    const key = request.headers["sec-websocket-key"]
    const accept =
      key === undefined
        ? ""
        : `Sec-WebSocket-Accept: ${crypto.createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")}\r\n`
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${chosen(request.headers.upgrade ?? "")}\r\n${accept}X-Own: 1\r\n\r\nwelcome`,
    )
    socket.pipe(socket)
  })
  await upstream.close()
  const sockets = new Set<net.Socket>()
  server.on("connection", (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    upgrades,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

const upgrade = (more = ""): string =>
  `GET /chat HTTP/1.1\r\nhost: x.test\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`

describe("upgrades", () => {
  it("become a tunnel with the bytes of both sides", async () => {
    const upstream = ends(await upgrading())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(upgrade())
    const head = await client.take("\r\n\r\n")
    expect(head).toMatch(/^HTTP\/1\.1 101 /)
    expect(head.toLowerCase()).toContain("\r\nupgrade: websocket\r\n")
    expect(head.toLowerCase()).toContain("\r\nconnection: upgrade\r\n")
    expect(head.toLowerCase()).toContain("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n")
    await client.take("welcome")
    client.write("ping")
    await client.take("ping")
    client.close()
    await until("the journal", () => gateway.told.exchanges.length === 1)
    expect(gateway.told.exchanges[0]?.ending).toMatchObject({ outcome: "answered", reply: { status: 101 } })
    expect(gateway.told.exchanges[0]?.ending.delivered?.bytes).toBe("welcomeping".length)
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("come after every reply asked for before them, however slowly those are read", async () => {
    const size = 2_000_000
    const upstream = ends(await httpUpstream((_request, response) => void response.end(Buffer.alloc(size, "x"))))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    const get = "GET / HTTP/1.1\r\nhost: x.test\r\n\r\n"
    client.pause()
    client.write(`${get}${get}${upgrade()}`)
    await until("the first reply to fill every buffer", () => upstream.requests.length === 1)
    client.stream.resume()
    for (const _ of [1, 2]) expect((await client.answer()).body.length).toBe(size)
    expect((await client.answer()).status).toBe(200)
    client.close()
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("keep what the client sent right behind its request", async () => {
    const upstream = ends(await upgrading())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(`${upgrade()}early`)
    await client.take("early")
    client.close()
  })

  it("wait for their turn behind earlier requests", async () => {
    const upstream = ends(await upgrading())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(`${"GET /first HTTP/1.1\r\nhost: x.test\r\n\r\n".repeat(3)}${upgrade()}early`)
    for (let i = 0; i < 3; i++) expect((await client.answer()).status).toBe(426)
    expect(await client.take("\r\n\r\n")).toMatch(/^HTTP\/1\.1 101 /)
    await client.take("welcomeearly")
    client.write("late")
    await client.take("late")
    client.close()
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("that the server answers otherwise are ordinary replies, and the connection closes", async () => {
    const upstream = ends(await httpUpstream((_request, response) => void response.writeHead(403).end("no")))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(upgrade())
    expect(await client.answer()).toMatchObject({ status: 403, body: "no", headers: { connection: "close" } })
    await client.gone()
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("to another protocol than was asked for are refused", async () => {
    const upstream = ends(await upgrading(() => "something-else"))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(upgrade())
    const answer = await client.answer()
    expect(answer.status).toBe(502)
    expect(answer.body).toMatch(/^request upgrade failed/)
    client.close()
  })

  it("to HTTP/2 in plaintext are passed by", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(
      "GET / HTTP/1.1\r\nhost: x.test\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    )
    const answer = await client.answer()
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).not.toMatchObject({ headers: { upgrade: expect.anything() as string } })
    client.close()
  })

  it("go where their headers say, over either version", async () => {
    const [sockets, rest] = [ends(await upgrading()), ends(await httpUpstream())]
    const asks = (name: string, value: string): Match => ({
      ...any,
      headers: [{ name, value: { _tag: "Exact", value } }],
    })
    const routes = [
      {
        to: sockets.port,
        matches: [
          { ...any, headers: [...asks("upgrade", "websocket").headers, ...asks("connection", "upgrade").headers] },
        ],
      },
      { to: rest.port },
    ]
    const gateway = ends(await startGateway(snapshotOf({ binds: [{ listeners: [{ routes }] }] })))
    const client = await connect(gateway.port)
    client.write(upgrade())
    expect(await client.take("\r\n\r\n")).toMatch(/^HTTP\/1\.1 101 /)
    const plainly = await connect(gateway.port)
    // Nobody vouches for this one.
    plainly.write("GET / HTTP/1.1\r\nhost: x.test\r\nupgrade: websocket\r\n\r\n")
    expect((await plainly.answer()).status).toBe(200)
    const session = await sessionAt(gateway.port)
    const stream = webSocketIn(session, "/chat", { "sec-websocket-version": "13" })
    const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once("response", resolve))
    expect(headers[":status"]).toBe(200)
    stream.destroy()
    client.close()
    plainly.close()
    expect([sockets.upgrades.length, rest.requests.length]).toEqual([2, 1])
  })

  it("with a body are ordinary requests", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(
      "POST / HTTP/1.1\r\nhost: x.test\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\nhi",
    )
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ body: "hi" })
    client.close()
  })

  it("whose client leaves before the answer end at once", async () => {
    const upstream = ends(await rawUpstream())
    const gateway = ends(await startGateway(plain(upstream.port)))
    for (const leave of ["close", "reset"] as const) {
      const client = await connect(gateway.port)
      client.write(upgrade())
      await until("the request", () => upstream.connections.at(-1)?.text.includes("\r\n\r\n") === true)
      client[leave]()
      await until(
        "the upstream connection to end",
        () => {
          const last = upstream.connections.at(-1)
          return last?.closed === true || last?.ended === true
        },
        1_000,
      )
      upstream.connections.splice(0)
    }
    await until("everything to end", () => gateway.gateway.open().exchanges === 0)
  })

  it("whose server resets the tunnel reset the client", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("\r\n\r\n")
        connection.write("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        await connection.take("x")
        connection.reset()
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(upgrade())
    await client.take("\r\n\r\n")
    client.write("x")
    await until("the reset", () => client.closed)
    expect(client.error?.code).toBe("ECONNRESET")
  })

  it("over HTTP/2 are extended CONNECT", async () => {
    const upstream = ends(await upgrading())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const session = await sessionAt(gateway.port)
    const stream = webSocketIn(session, "/chat?room=1", { "sec-websocket-version": "13" })
    const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once("response", resolve))
    expect(headers).toMatchObject({ ":status": 200, "x-own": "1" })
    expect(headers["sec-websocket-accept"]).toBeUndefined()
    let text = ""
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()))
    stream.write("ping")
    await until("the echo", () => text === "welcomeping")
    expect(upstream.upgrades[0]).toMatchObject({ method: "GET", url: "/chat?room=1" })
    stream.end()
    await until("the stream to end", () => stream.closed)
    await until("the journal", () => gateway.told.exchanges.length === 1)
  })

  it("over HTTP/2 end as properly as they were ended, whichever side is first", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("\r\n\r\n")
        connection.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello")
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const session = await sessionAt(gateway.port)
    for (const first of ["client", "upstream"] as const) {
      const mark = gateway.told.exchanges.length
      const stream = webSocketIn(session)
      let text = ""
      stream.on("data", (chunk: Buffer) => (text += chunk.toString()))
      stream.on("error", () => {})
      await until("the greeting", () => text === "hello")
      const connection = upstream.connections.at(-1)
      if (connection === undefined) throw new Error("no connection")
      if (first === "client") {
        stream.end("bye")
        await until("the end to arrive", () => connection.ended)
        connection.halfClose()
      } else {
        connection.halfClose()
        await until("the end", () => stream.readableEnded)
        stream.end("bye")
      }
      await until("the journal", () => gateway.told.exchanges.length === mark + 1)
      await until("the connection to close", () => connection.closed)
      expect([connection.text, connection.error]).toEqual(["bye", undefined])
      expect(gateway.told.exchanges[mark]?.ending).toMatchObject({ outcome: "answered", delivered: { bytes: 5 } })
    }
  })

  it("over HTTP/2 wait for a client that does not read, as over HTTP/1", async () => {
    const size = 1_000_000
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("\r\n\r\n")
        connection.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        connection.write(Buffer.alloc(size)).halfClose()
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port), { limits: { writeStallTimeoutMillis: 100 } }))
    const session = await sessionAt(gateway.port)
    const stream = webSocketIn(session)
    stream.on("error", () => {})
    await new Promise((resolve) => stream.once("response", resolve))
    await sleep(500)
    let bytes = 0
    stream.on("data", (chunk: Buffer) => (bytes += chunk.byteLength))
    await until("all of it, or the end", () => bytes === size || stream.destroyed)
    expect(bytes).toBe(size)
    stream.end()
    await until("the exchange ended", () => gateway.gateway.open().exchanges === 0)
    expect(gateway.told.exchanges[0]?.ending.outcome).toBe("answered")
  })

  it("over HTTP/2 that are reset are reset behind, also while nothing is taken, whatever the code", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("\r\n\r\n")
        connection.pause()
        connection.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    for (const code of [http2.constants.NGHTTP2_NO_ERROR, http2.constants.NGHTTP2_CANCEL]) {
      const session = await sessionAt(gateway.port)
      const stream = webSocketIn(session)
      stream.on("error", () => {})
      await new Promise((resolve) => stream.once("response", resolve))
      // More than every buffer on the way takes.
      for (let i = 0; i < 512; i++) stream.write(Buffer.alloc(65_536))
      for (let left = Infinity; left !== stream.writableLength;) {
        left = stream.writableLength
        await sleep(100)
      }
      stream.close(code)
      await until("the exchange ended", () => gateway.gateway.open().exchanges === 0)
      session.destroy()
    }
  })
})

describe("CONNECT", () => {
  const request = (authority: string): string => `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`

  it("is denied unless configured", async () => {
    const upstream = ends(await rawUpstream())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(request("x.test:443"))
    expect((await client.answer()).status).toBe(405)
    await client.gone()
    expect(upstream.connections).toHaveLength(0)
  })

  it("is routed like any request, then carries bytes", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => connection.write(`got ${await connection.take("\n")}`)),
    )
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [{ listeners: [{ routes: [{ to: upstream.port, hostnames: ["x.test"] }] }] }],
          frontend: [{ _tag: "Connect", mode: "route" }],
        }),
      ),
    )
    const client = await connect(gateway.port)
    client.write(`${request("x.test:443")}hello\n`)
    const head = await client.take("\r\n\r\n")
    expect(head).toMatch(/^HTTP\/1\.1 200 /)
    expect(head.toLowerCase()).not.toMatch(/content-length|transfer-encoding/)
    expect(await client.take("\n")).toBe("got hello\n")
    client.halfClose()
    await until("the end to arrive", () => upstream.connections[0]?.ended === true)
    upstream.connections[0]?.halfClose()
    await client.gone()
    const other = await connect(gateway.port)
    other.write(request("y.test:443"))
    expect((await other.answer()).status).toBe(404)
    await other.gone()
  })

  it("stays what it is, whatever a policy makes of the request line", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => connection.write(`got ${await connection.take("\n")}`)),
    )
    const policies: ReadonlyArray<TrafficPolicy> = [
      {
        _tag: "RequestHeaderModifier",
        add: [],
        set: [
          { name: ":method", value: "GET" },
          { name: ":path", value: "/x" },
        ],
        remove: [],
      },
      { _tag: "UrlRewrite", path: { _tag: "Full", path: "/y" } },
    ]
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [{ listeners: [{ routes: [{ to: upstream.port, policies }] }] }],
          frontend: [{ _tag: "Connect", mode: "route" }],
        }),
      ),
    )
    const client = await connect(gateway.port)
    client.write(`${request("x.test:443")}hello\n`)
    expect(await client.take("\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /)
    expect(await client.take("\n")).toBe("got hello\n")
    client.close()
  })

  it("needs a port, and somebody to answer", async () => {
    const gateway = ends(await startGateway(plain(1, [{ _tag: "Connect", mode: "route" }])))
    for (const [authority, status] of [
      ["x.test", 400],
      ["x.test:443", 503],
    ] as const) {
      const client = await connect(gateway.port)
      client.write(request(authority))
      expect((await client.answer()).status).toBe(status)
      client.close()
    }
  })

  it("over HTTP/2 carries bytes on its stream", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => connection.write(`got ${await connection.take("\n")}`)),
    )
    const gateway = ends(await startGateway(plain(upstream.port, [{ _tag: "Connect", mode: "route" }])))
    const session = http2.connect(`http://127.0.0.1:${gateway.port}`)
    closers.push(() => session.destroy())
    const stream = session.request({ ":method": "CONNECT", ":authority": "x.test:443" })
    let text = ""
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()))
    stream.on("error", () => {})
    stream.write("hello\n")
    await until("the answer", () => text === "got hello\n")
    stream.end("bye")
    await until("the end to arrive", () => upstream.connections[0]?.ended === true)
    expect(upstream.connections[0]?.text).toBe("bye")
    upstream.connections[0]?.reset()
    await until("the stream to break", () => stream.closed)
    expect(stream.rstCode).not.toBe(http2.constants.NGHTTP2_NO_ERROR)
  })
})

describe("a forward proxy", () => {
  const start = async () => {
    const upstream = ends(await httpUpstream())
    const [proxyPort, innerPort] = [await freePort(), await freePort()]
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [
            {
              key: "proxy",
              tunnel: "connect",
              address: { _tag: "Ip", host: "127.0.0.1", port: proxyPort },
              listeners: [{}],
            },
            {
              key: "inner",
              address: { _tag: "Ip", port: innerPort },
              listeners: [{ routes: [{ to: upstream.port }] }],
            },
            {
              key: "wildcard",
              address: { _tag: "Internal" },
              protocol: "tls",
              listeners: [{ protocol: "HTTPS", tls: serverTls("server"), routes: [{ to: upstream.port }] }],
            },
          ],
        }),
      ),
    )
    return { gateway, upstream, innerPort, proxyPort }
  }

  it("leads into the bind of the port, in process, and knows the outer request", async () => {
    const { gateway, innerPort } = await start()
    const client = await connect(gateway.portOf("proxy"))
    client.write(`CONNECT 192.0.2.1:${innerPort} HTTP/1.1\r\nhost: x\r\nx-who: me\r\n\r\n`)
    expect(await client.take("\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /)
    for (const path of ["/one", "/two"]) {
      client.write(`GET ${path} HTTP/1.1\r\nhost: a.test\r\n\r\n`)
      expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: path })
    }
    client.close()
    const { accepted } = gateway.told.exchanges[0]?.exchange.bound.secured ?? {}
    expect(accepted?.bind).toBe("inner")
    expect(accepted?.local).toEqual({ host: "192.0.2.1", port: innerPort })
    expect(accepted?.connectHeaders?.get("x-who")).toBe("me")
    await until("everything to end", () => gateway.gateway.open().connections === 0)
  })

  it("leads to the bind of any port where there is no other, TLS included", async () => {
    const { gateway } = await start()
    const outer = await connect(gateway.portOf("proxy"))
    outer.write("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n")
    await outer.take("\r\n\r\n")
    outer.stream.removeAllListeners("data")
    const socket = tls.connect({ socket: outer.stream as net.Socket, ca: pem("ca.pem"), servername: "a.test" })
    const client = new RawClient(socket)
    client.write("GET /sealed HTTP/1.1\r\nhost: a.test\r\n\r\n")
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: "/sealed" })
    client.close()
    await until("everything to end", () => gateway.gateway.open().connections === 0)
  })

  it("serves nothing but CONNECT, and no tunnel in a tunnel", async () => {
    const { gateway, innerPort, proxyPort } = await start()
    const client = await connect(proxyPort)
    client.write("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
    expect((await client.answer()).status).toBe(405)
    client.close()
    const nested = await connect(proxyPort)
    nested.write(`CONNECT a.test:${proxyPort} HTTP/1.1\r\nhost: a\r\n\r\n`)
    expect((await nested.answer()).status).toBe(404)
    nested.close()
    expect(innerPort).not.toBe(proxyPort)
    expect(gateway.told.exchanges.map(({ ending }) => ending.reply?.status)).toEqual([405, 404])
  })

  it("over TLS, with HTTP/2 inside and outside", async () => {
    const upstream = ends(await httpUpstream())
    const [proxyPort, innerPort] = [await freePort(), await freePort()]
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [
            {
              key: "proxy",
              tunnel: "connect",
              protocol: "tls",
              address: { _tag: "Ip", host: "127.0.0.1", port: proxyPort },
              listeners: [{ protocol: "HTTPS", tls: serverTls("server") }],
            },
            {
              key: "inner",
              address: { _tag: "Ip", port: innerPort },
              listeners: [{ routes: [{ to: upstream.port }] }],
            },
          ],
        }),
      ),
    )
    const http1 = await connectTls(proxyPort)
    http1.write(`CONNECT a.test:${innerPort} HTTP/1.1\r\nhost: a\r\n\r\nGET /1 HTTP/1.1\r\nhost: a.test\r\n\r\n`)
    await http1.take("\r\n\r\n")
    expect(JSON.parse((await http1.answer()).body)).toMatchObject({ url: "/1" })
    http1.close()

    const outer = http2.connect(`https://localhost:${proxyPort}`, { ca: pem("ca.pem"), servername: "a.test" })
    closers.push(() => outer.destroy())
    const stream = outer.request({ ":method": "CONNECT", ":authority": `a.test:${innerPort}` })
    const inner = http2.connect("http://a.test", { createConnection: () => stream })
    closers.push(() => inner.destroy())
    inner.on("error", () => {})
    const asked = inner.request({ ":path": "/2" })
    let body = ""
    asked.on("data", (chunk: Buffer) => (body += chunk.toString()))
    await new Promise((resolve) => asked.on("close", resolve))
    expect(JSON.parse(body)).toMatchObject({ url: "/2" })
    expect(
      gateway.told.exchanges.map(({ exchange }) => exchange.bound.secured.accepted.bind).includes("inner" as never),
    ).toBe(true)
  })
})
