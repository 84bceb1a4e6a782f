import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import type { FrontendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import type { GatewayOptions } from "../../src/Gateway.ts"
import { speakingHttp1 } from "./hostile/front.ts"
import { frameServer } from "./upstream/frames.ts"
import {
  connect,
  connectTls,
  httpUpstream,
  pem,
  plain,
  rawUpstream,
  serverTls,
  sleep,
  snapshotOf,
  type Started,
  startGateway,
  until,
} from "./harness.ts"

const closers: Array<() => unknown> = []
const ends = <A extends { close: () => unknown }>(what: A): A => {
  closers.push(() => what.close())
  return what
}
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const session = (port: number, options: http2.SecureClientSessionOptions = {}): http2.ClientHttp2Session => {
  const made = http2.connect(`http://127.0.0.1:${port}`, options)
  made.on("error", () => {})
  closers.push(() => made.destroy())
  return made
}

interface Got {
  readonly headers: http2.IncomingHttpHeaders & { readonly ":status"?: number | undefined }
  readonly body: string
  readonly trailers: http2.IncomingHttpHeaders | undefined
  readonly code: number
}

const finish = (stream: http2.ClientHttp2Stream): Promise<Got> =>
  new Promise((resolve) => {
    let headers: Got["headers"] = {}
    let trailers: Got["trailers"]
    let body = ""
    stream.on("response", (received) => (headers = received))
    stream.on("trailers", (received) => (trailers = received))
    stream.on("data", (chunk: Buffer) => (body += chunk.toString()))
    stream.on("error", () => {})
    stream.on("close", () => resolve({ headers, body, trailers, code: stream.rstCode }))
  })

const ask = (
  of: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Got> => {
  const stream = of.request({ ":authority": "x.test", ...headers }, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return finish(stream)
}

const start = async (
  to: number,
  frontend: ReadonlyArray<FrontendPolicy> = [],
  limits: GatewayOptions["limits"] = {},
): Promise<Started> => ends(await startGateway(plain(to, frontend), { limits }))

/** A server of HTTP/2 in plaintext; its port. */
const serve2 = async (
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  options: http2.ServerOptions = {},
): Promise<number> => {
  const server = http2.createServer(options)
  server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
    stream.on("error", () => {})
    onStream(stream, headers)
  })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on("session", (one) => sessions.add(one))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closers.push(() => {
    for (const one of sessions) one.destroy()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

/** One HTTP/2 frame. */
const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.byteLength, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const GOAWAY = 7
const WINDOW_UPDATE = 8
const END_STREAM = 1
const END_HEADERS = 4

/** Header fields, none of them indexed or compressed. */
const literal = (fields: ReadonlyArray<readonly [string, string]>): Buffer =>
  Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0x00, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]),
  )

const preface = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(SETTINGS, 0, 0)])

/** Types of the frames in what was received, with their stream and payload. */
const framesOf = (bytes: Buffer): Array<{ type: number; flags: number; stream: number; payload: Buffer }> => {
  const frames = []
  for (let at = 0; at + 9 <= bytes.byteLength;) {
    const length = bytes.readUIntBE(at, 3)
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    })
    at += 9 + length
  }
  return frames
}

const request: ReadonlyArray<readonly [string, string]> = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "x.test"],
]

describe("plaintext by prior knowledge", () => {
  it("serves requests side by side, with and without bodies", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port)
    const client = session(gateway.port)
    const answers = await Promise.all([
      ask(client, { ":path": "/a?b=c", "x-own": "1" }),
      ask(client, { ":path": "/post", ":method": "POST" }, "hello"),
      ask(client, { ":path": "/large", ":method": "POST", "content-length": 300_000 }, "x".repeat(300_000)),
    ])
    expect(answers.map(({ headers }) => headers[":status"])).toEqual([200, 200, 200])
    expect(JSON.parse(answers[0]?.body ?? "")).toMatchObject({
      method: "GET",
      url: "/a?b=c",
      httpVersion: "2.0",
      headers: { ":authority": "x.test", "x-own": "1" },
    })
    expect(JSON.parse(answers[1]?.body ?? "")).toMatchObject({ method: "POST", body: "hello" })
    expect((JSON.parse(answers[2]?.body ?? "") as { body: string }).body).toHaveLength(300_000)
    expect(answers[0]?.headers["connection"]).toBeUndefined()
    expect(answers[0]?.headers.date).toBeDefined()
    await until("the journal", () => gateway.told.exchanges.length === 3)
    expect(gateway.told.exchanges.map(({ ending }) => ending.outcome)).toEqual(Array(3).fill("answered"))
    expect(gateway.told.accepted).toBe(1)
  })

  it("has no body for HEAD, 204 and 304", async () => {
    const upstream = ends(
      await httpUpstream((request, response) => {
        if (request.url === "/204") return void response.writeHead(204).end()
        if (request.url === "/304") return void response.writeHead(304, { etag: '"x"' }).end()
        response.writeHead(200, { "content-length": "5" }).end("hello")
      }),
    )
    const client = session((await start(upstream.port)).port)
    expect(await ask(client, { ":method": "HEAD" })).toMatchObject({
      headers: { ":status": 200, "content-length": "5" },
      body: "",
      code: 0,
    })
    expect(await ask(client, { ":path": "/204" })).toMatchObject({ headers: { ":status": 204 }, body: "" })
    expect(await ask(client, { ":path": "/304" })).toMatchObject({ headers: { ":status": 304, etag: '"x"' } })
  })

  it("announces no body for 205, also where the server sends one", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("\r\n\r\n")
        connection.write("HTTP/1.1 205 Reset Content\r\nx-own: 1\r\ncontent-length: 5\r\n\r\nhello")
      }),
    )
    const gateway = ends(await startGateway(speakingHttp1(plain(upstream.port))))
    const got = await ask(session(gateway.port), {})
    expect(got).toMatchObject({ headers: { ":status": 205, "x-own": "1" }, body: "", code: 0 })
    expect(got.headers["content-length"]).toBeUndefined()
  })

  it("passes trailers both ways, as gRPC needs them", async () => {
    let seen: http2.IncomingHttpHeaders | undefined
    const port = await serve2((stream, headers) => {
      stream.on("trailers", (trailers) => (seen = trailers))
      if (headers["content-type"] !== "application/grpc")
        return void stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
      stream.on("data", (chunk: Buffer) => stream.write(chunk))
      stream.on("end", () => stream.end())
    })
    const gateway = await start(port)
    const client = session(gateway.port)
    const stream = client.request(
      {
        ":method": "POST",
        ":path": "/svc/call",
        ":authority": "x.test",
        "content-type": "application/grpc",
        te: "trailers",
      },
      { waitForTrailers: true },
    )
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-checksum": "7" }))
    const got = finish(stream)
    stream.write("ping")
    await sleep(20)
    stream.end("pong")
    expect(await got).toMatchObject({ body: "pingpong", trailers: { "grpc-status": "0" }, code: 0 })
    expect(seen).toMatchObject({ "x-checksum": "7" })
  })

  it("passes trailers behind a body whose length is declared, if there are any", async () => {
    const port = await serve2((stream, { ":path": path = "/" }) => {
      const body = path.slice(2)
      stream.respond({ ":status": 200, "content-length": String(body.length) }, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers(path[1] === "t" ? { "grpc-status": "0" } : {}))
      stream.end(body)
    })
    const client = session((await start(port)).port)
    for (const [path, body, trailers] of [
      ["/thello", "hello", { "grpc-status": "0" }],
      ["/t", "", { "grpc-status": "0" }],
      ["/-hello", "hello", undefined],
    ] as const) {
      const got = await ask(client, { ":path": path, te: "trailers" })
      expect(got).toMatchObject({ headers: { "content-length": String(body.length) }, body, code: 0 })
      if (trailers === undefined) expect(got.trailers).toBeUndefined()
      else expect(got.trailers).toMatchObject(trailers)
    }
  })

  it("sends a body that ends in an empty frame, before there is anybody to send it to", async () => {
    const upstream = ends(
      await httpUpstream((request, response) => void request.resume().once("end", () => response.end("whole"))),
    )
    const gateway = await start(upstream.port)
    const raw = await connect(gateway.port)
    closers.push(() => raw.close())
    const posted = literal([[":method", "POST"], ...request.slice(1)])
    raw.write(Buffer.concat([preface, frame(HEADERS, END_HEADERS, 1, posted), frame(DATA, END_STREAM, 1)]))
    await until("the reply", () =>
      framesOf(raw.bytes).some(({ payload, type }) => type === DATA && payload.toString() === "whole"),
    )
  })

  it("tells a gRPC client of a refusal in its own way", async () => {
    const gateway = await start(1)
    const got = await ask(session(gateway.port), { ":method": "POST", "content-type": "application/grpc" }, "x")
    expect(got.headers).toMatchObject({ ":status": 200, "grpc-status": "14" })
    expect(got.code).toBe(0)
  })

  it("begins a reply before its body", async () => {
    let release = (): void => {}
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
        release = () => void response.end("data: x\n\n")
      }),
    )
    const stream = session((await start(upstream.port)).port).request({ ":authority": "x.test" })
    await new Promise((resolve) => stream.once("response", resolve))
    const got = finish(stream)
    release()
    expect((await got).body).toBe("data: x\n\n")
  })

  it("passes heads that are larger than Node would send of itself, both ways, and others on that connection", async () => {
    const fields = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`x-${i}`, "y".repeat(990)]))
    const heads = { maxHeaderListPairs: 2_000, maxSendHeaderBlockLength: 2 ** 20 }
    const port = await serve2((stream, head) => {
      stream.respond({ ":status": 200, ...(head["x-89"] === undefined ? {} : fields) })
      stream.end("hello")
    }, heads)
    const gateway = await start(port, [], { headBytesMax: 200_000 })
    const client = session(gateway.port, heads)
    for (const more of [fields, {}]) {
      const { body, code, headers } = await ask(client, more)
      expect([headers[":status"], headers["x-89"], body, code]).toEqual([200, more["x-89"], "hello", 0])
    }
    expect(gateway.told.accepted).toBe(1)
  })

  it("passes interim replies, and sends 100 when the body is wanted", async () => {
    const upstream = ends(
      await httpUpstream((request, response) => {
        request.resume()
        request.on("end", () => {
          response.writeEarlyHints({ link: "</a>; rel=preload" })
          setTimeout(() => response.end("ok"), 20)
        })
      }),
    )
    const client = session((await start(upstream.port)).port)
    const stream = client.request({ ":method": "POST", ":authority": "x.test", expect: "100-continue" })
    const interim: Array<number | undefined> = []
    stream.on("headers", (headers: { ":status"?: number }) => interim.push(headers[":status"]))
    stream.on("continue", () => stream.end("body"))
    expect(await finish(stream)).toMatchObject({ body: "ok" })
    expect(interim).toContain(103)
  })
})

describe("streams that end early", () => {
  it("a stream the client cancels ends the upstream request at once, and only that", async () => {
    const upstream = ends(await httpUpstream((request, response) => request.url === "/quick" && response.end("ok")))
    const gateway = await start(upstream.port)
    const client = session(gateway.port)
    const stream = client.request({ ":path": "/forever", ":authority": "x.test" })
    stream.on("error", () => {})
    await until("the upstream request", () => upstream.requests.length === 1)
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await until("the upstream request to end", () => upstream.aborted.length === 1, 500)
    expect(await ask(client, { ":path": "/quick" })).toMatchObject({ body: "ok" })
    expect(gateway.told.exchanges[0]?.ending.outcome).toBe("interrupted")
  })

  it("a body that the client resets never looks whole to the upstream", async () => {
    // From TLS the gateway goes on with HTTP/1, where the last chunk is plain to see.
    const upstream = ends(await rawUpstream())
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [
            {
              protocol: "tls",
              listeners: [{ protocol: "HTTPS", tls: serverTls("server"), routes: [{ to: upstream.port }] }],
            },
          ],
        }),
      ),
    )
    const post = request.map(([name, value]) => [name, name === ":method" ? "POST" : value] as const)
    for (const [i, code] of [http2.constants.NGHTTP2_CANCEL, http2.constants.NGHTTP2_NO_ERROR].entries()) {
      const client = await connectTls(gateway.port, { ALPNProtocols: ["h2"] })
      client.write(
        Buffer.concat([preface, frame(HEADERS, END_HEADERS, 1, literal(post)), frame(DATA, 0, 1, Buffer.from("half"))]),
      )
      await until("the upstream request", () => upstream.connections[i]?.text.includes("half") === true)
      client.write(frame(RST_STREAM, 0, 1, Buffer.from([0, 0, 0, code])))
      await until("the upstream connection to end", () => upstream.connections[i]?.ended === true)
      expect(upstream.connections[i]?.text).not.toContain("\r\n0\r\n")
      upstream.connections[i]?.close()
      client.close()
    }
  })

  it("a connection that breaks ends every upstream request on it", async () => {
    const upstream = ends(await httpUpstream(() => {}))
    const gateway = await start(upstream.port)
    const client = session(gateway.port)
    for (let i = 0; i < 5; i++) client.request({ ":path": `/${i}`, ":authority": "x.test" }).on("error", () => {})
    await until("the upstream requests", () => upstream.requests.length === 5)
    client.destroy()
    await until("the upstream requests to end", () => upstream.aborted.length === 5)
    await until("the exchanges to end", () => gateway.gateway.open().exchanges === 0)
  })

  it("a reply without a body is whole with its head, whenever its server ends it", async () => {
    const { server } = frameServer((peer, { flags, stream, type }) => {
      if (type === HEADERS) peer.write(HEADERS, END_HEADERS, stream, literal([[":status", "204"]]))
      if (type === DATA && (flags & END_STREAM) !== 0) setTimeout(() => peer.write(DATA, END_STREAM, stream), 50)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    closers.push(() => server.close())
    const gateway = await start((server.address() as net.AddressInfo).port)
    const client = session(gateway.port)
    const stream = client.request({ ":method": "POST", ":authority": "x.test" })
    stream.once("response", () => stream.end())
    expect(await finish(stream)).toMatchObject({ headers: { ":status": 204 }, code: 0 })
    await until("the journal", () => gateway.told.exchanges.length === 1)
    expect(gateway.told.exchanges[0]?.ending.outcome).toBe("answered")
  })

  it("a reply that breaks off resets its stream", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.write("abc", () => setTimeout(() => response.destroy(), 30))
      }),
    )
    const got = await ask(session((await start(upstream.port)).port), {})
    expect(got).toMatchObject({ body: "abc", code: http2.constants.NGHTTP2_INTERNAL_ERROR })
  })

  it("a reply that is shorter than announced resets its stream", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("\r\n\r\n")
        connection.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
        await sleep(30)
        connection.close()
      }),
    )
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [
            {
              protocol: "tls",
              listeners: [{ protocol: "HTTPS", tls: serverTls("server"), routes: [{ to: upstream.port }] }],
            },
          ],
        }),
      ),
    )
    const client = await connectTls(gateway.port, { ALPNProtocols: ["h2"] })
    client.write(Buffer.concat([preface, frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(request))]))
    await until("the reset", () =>
      framesOf(client.bytes).some(({ type, stream }) => type === RST_STREAM && stream === 1),
    )
    const ended = framesOf(client.bytes).filter(({ flags, type }) => type === DATA && (flags & END_STREAM) !== 0)
    expect(ended).toEqual([])
    client.close()
  })

  it("a reply ahead of the end of its request tells the client to stop sending", async () => {
    const gateway = await start(1)
    const client = session(gateway.port)
    const stream = client.request({ ":method": "POST", ":authority": "x.test" })
    stream.write("some")
    const got = await finish(stream)
    expect(got).toMatchObject({ headers: { ":status": 503 }, code: http2.constants.NGHTTP2_NO_ERROR })
    expect(client.destroyed).toBe(false)
  })

  it.each(["its server took", "nobody took"])(
    "a reply is not reset at once behind its end, where %s of its request",
    async (who) => {
      const port = await serve2((stream) =>
        stream.once("data", () => stream.respond({ ":status": 413 }, { endStream: true })),
      )
      const gateway = await start(who === "nobody took" ? 1 : port)
      const client = await connect(gateway.port)
      closers.push(() => client.close())
      const posted = literal([[":method", "POST"], ...request.slice(1)])
      client.write(
        Buffer.concat([preface, frame(HEADERS, END_HEADERS, 1, posted), frame(DATA, 0, 1, Buffer.alloc(100))]),
      )
      const isEnd = ({ flags, stream, type }: { flags: number; stream: number; type: number }): boolean =>
        stream === 1 && (type === HEADERS || type === DATA) && (flags & END_STREAM) !== 0
      await until("the reply", () => framesOf(client.bytes).some(isEnd))
      await until("the end of the exchange", () => gateway.told.exchanges.length === 1)
      client.write(frame(DATA, END_STREAM, 1, Buffer.alloc(100)))
      client.write(frame(PING, 0, 0, Buffer.alloc(8)))
      await until("the answer", () => framesOf(client.bytes).some(({ type }) => type === PING))
      expect(framesOf(client.bytes).filter(({ type }) => type === RST_STREAM)).toEqual([])
    },
  )

  it("a body whose end is all there is of it ends, even if nobody wanted it yet", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port)
    const client = session(gateway.port)
    for (let i = 0; i < 5; i++) {
      const got = await ask(client, { ":method": "POST" }, "")
      expect(got).toMatchObject({ headers: { ":status": 200 }, code: http2.constants.NGHTTP2_NO_ERROR })
    }
    expect(upstream.requests).toHaveLength(5)
  })

  /** Three requests whose bodies pile up in front of a server that takes none of them. */
  const heldBack = async () => {
    const asked: Array<http2.ServerHttp2Stream> = []
    const codes: Array<number> = []
    const port = await serve2(
      (stream) => {
        asked.push(stream)
        stream.on("close", () => codes.push(stream.rstCode))
      },
      { settings: { initialWindowSize: 0 } },
    )
    const gateway = await start(port)
    const client = await connect(gateway.port)
    closers.push(() => client.close())
    client.write(preface)
    const posted = literal([[":method", "POST"], ...request.slice(1)])
    const piece = Buffer.alloc(16_000)
    const ids = [1, 3, 5]
    for (const id of ids) client.write(frame(HEADERS, END_HEADERS, id, posted))
    await until("the requests", () => asked.length === ids.length)
    for (let i = 0; i < 10; i++) {
      for (const id of ids) client.write(frame(DATA, 0, id, piece))
      await sleep(5)
    }
    return { gateway, client, asked, codes, ids }
  }

  it("nothing is left of a request that was answered while its body was held back", async () => {
    const { asked, client, codes, gateway, ids } = await heldBack()
    for (const stream of asked) stream.respond({ ":status": 413 }, { endStream: true })
    await until("every exchange ended", () => gateway.gateway.open().exchanges === 0)
    expect(gateway.told.exchanges.map(({ ending }) => ending.outcome)).toEqual(ids.map(() => "answered"))
    await until("the client is told", () => {
      const told = framesOf(client.bytes).filter(({ payload, type }) => type === RST_STREAM && payload[3] === 0)
      return told.length === ids.length
    })
    await until("no request is left", () => codes.length === ids.length)
  })

  it("nothing is left of a request that was taken back while its body was held back, whatever the code", async () => {
    const { client, codes, gateway, ids } = await heldBack()
    for (const id of ids) client.write(frame(RST_STREAM, 0, id, Buffer.from([0, 0, 0, id === 3 ? 8 : 0])))
    await until("every exchange ended", () => gateway.gateway.open().exchanges === 0)
    await until("no request is left", () => codes.length === ids.length)
    expect(codes).toEqual(ids.map(() => http2.constants.NGHTTP2_CANCEL))
  })

  it("a body that stalls gets 408", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port, [], { bodyIdleTimeoutMillis: 100 })
    const stream = session(gateway.port).request({ ":method": "POST", ":authority": "x.test" })
    stream.write("some")
    expect((await finish(stream)).headers[":status"]).toBe(408)
    await until("the upstream request to end", () => upstream.aborted.length === 1)
  })

  it("a body that does not begin has as long as one that stalls, however long the process has been running", async () => {
    const limitMillis = 400
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port, [], { bodyIdleTimeoutMillis: limitMillis })
    await until("the process to have run for longer", () => performance.now() > limitMillis)
    const begunMillis = performance.now()
    const stream = session(gateway.port).request({ ":method": "POST", ":authority": "x.test" })
    expect((await finish(stream)).headers[":status"]).toBe(408)
    expect(performance.now() - begunMillis).toBeGreaterThanOrEqual(limitMillis)
  })

  it.each([
    ["whose reply has begun", "text/plain", true],
    ["of gRPC", "application/grpc", false],
  ])("a client %s may be silent: what it has to say may depend on what it hears", async (_what, type, isBegun) => {
    let heard = ""
    const port = await serve2((stream) => {
      if (isBegun) stream.respond({ ":status": 200, "content-type": type })
      stream.on("data", (chunk: Buffer) => (heard += chunk.toString()))
      stream.once("end", () => {
        if (stream.destroyed) return
        if (!isBegun) stream.respond({ ":status": 200, "content-type": type })
        stream.end("all")
      })
    })
    const gateway = await start(port, [], { bodyIdleTimeoutMillis: 100 })
    const client = session(gateway.port)
    const stream = client.request({ ":method": "POST", ":authority": "x.test", "content-type": type })
    const got = finish(stream)
    stream.write("some")
    await until("it", () => heard === "some")
    await sleep(400)
    stream.end(" more")
    expect(await got).toMatchObject({ headers: { ":status": 200 }, body: "all", code: 0 })
    expect(heard).toBe("some more")
  })

  it("a client that opens no window loses the stream, not the connection", async () => {
    const upstream = ends(await httpUpstream((_request, response) => void response.end(Buffer.alloc(4 * 1024 * 1024))))
    const gateway = await start(upstream.port, [], { writeStallTimeoutMillis: 150 })
    const client = session(gateway.port)
    const stream = client.request({ ":authority": "x.test" })
    stream.on("error", () => {})
    stream.pause()
    await until("the upstream reply to end", () => gateway.told.exchanges.length === 1)
    expect(client.destroyed).toBe(false)
    await until("the exchange to end", () => gateway.gateway.open().exchanges === 0)
  })
})

describe("a reply that its client takes slowly", () => {
  const limits = { writeStallTimeoutMillis: 1_000 }
  const get = frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(request))
  const windowOf = (bytes: number): Buffer => {
    const payload = Buffer.alloc(6)
    payload.writeUInt16BE(4)
    payload.writeUInt32BE(bytes, 2)
    return frame(SETTINGS, 0, 0, payload)
  }
  const opened = (stream: number, bytes: number): Buffer => {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(bytes)
    return frame(WINDOW_UPDATE, 0, stream, payload)
  }
  const bytesOf = (bytes: Buffer): number =>
    framesOf(bytes).reduce((sum, { payload, type }) => sum + (type === DATA ? payload.byteLength : 0), 0)

  it.each<[string, TrafficPolicy | undefined]>([
    ["that goes on without end", undefined],
    [
      "that was at hand",
      { _tag: "DirectResponse", status: 200, headers: [], body: { _tag: "Text", text: "x".repeat(2_000_000) } },
    ],
  ])("but steadily comes to its end, also one %s", async (_what, policy) => {
    const step = 65_536
    const times = 24
    // Each frame is as large as the last, so that as much of it waits whenever somebody looks.
    const port = await serve2((stream) => {
      stream.respond({ ":status": 200 })
      const more = (error?: Error | null): unknown => error || stream.write(Buffer.alloc(16_384), more)
      more()
    })
    const routes = [{ to: port, policies: policy === undefined ? [] : [policy] }]
    const gateway = ends(await startGateway(snapshotOf({ binds: [{ listeners: [{ routes }] }] }), { limits }))
    const client = await connect(gateway.port)
    closers.push(() => client.close())
    client.write(Buffer.concat([preface, windowOf(step), opened(0, 2 ** 30), get]))
    for (let i = 1; i <= times; i++) {
      await until("what the window takes", () => bytesOf(client.bytes) === step * i)
      await sleep(60)
      client.write(opened(1, step))
    }
    expect(framesOf(client.bytes).filter(({ type }) => type === RST_STREAM)).toEqual([])
  })

  it("and not at all is broken off, however busy its connection is with others", async () => {
    const large = Buffer.alloc(1024 * 1024)
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.write(large)
        response.on("drain", () => response.write(large))
      }),
    )
    const gateway = await start(upstream.port, [], limits)
    const client = await connect(gateway.port)
    closers.push(() => client.close())
    // More is on its way to it than it has read, at nearly any time.
    let taken = 0
    client.stream.on("data", (chunk: Buffer) => {
      taken += chunk.byteLength
      if (taken < large.byteLength) return
      taken = 0
      client.stream.pause()
      setTimeout(() => client.stream.resume(), 5)
    })
    client.write(Buffer.concat([preface, windowOf(0), opened(0, 2 ** 30), get]))
    client.write(Buffer.concat([frame(HEADERS, END_STREAM | END_HEADERS, 3, literal(request)), opened(3, 2 ** 30)]))
    const isReset = (): boolean => framesOf(client.bytes).some(({ type }) => type === RST_STREAM)
    await until("one is broken off", () => client.closed || client.ended || isReset())
    const before = bytesOf(client.bytes)
    await until("the other goes on", () => client.closed || client.ended || bytesOf(client.bytes) > before + 1_000_000)
    expect(framesOf(client.bytes).flatMap(({ stream, type }) => (type === RST_STREAM ? [stream] : []))).toEqual([1])
    expect(client.ended || client.closed).toBe(false)
  })
})

describe("abuse", () => {
  it.each<[string, ReadonlyArray<readonly [string, string]>]>([
    ["a pseudo-header after a field", [["x", "y"], ...request]],
    ["an unknown pseudo-header", [...request, [":more", "x"]]],
    ["a repeated pseudo-header", [...request, [":path", "/other"]]],
    ["no path", request.filter(([name]) => name !== ":path")],
    ["an empty path", request.map(([name, value]) => [name, name === ":path" ? "" : value] as const)],
    ["a connection field", [...request, ["connection", "close"]]],
    ["a transfer coding", [...request, ["transfer-encoding", "chunked"]]],
    ["an upper-case name", [...request, ["X-Upper", "y"]]],
    ["a status", [...request, [":status", "200"]]],
    ["te other than trailers", [...request, ["te", "gzip"]]],
  ])("%s never becomes a request", async (_what, fields) => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    client.write(Buffer.concat([preface, frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(fields))]))
    await until("a refusal of the stream", () =>
      framesOf(client.bytes).some(({ type, stream }) => (type === RST_STREAM && stream === 1) || type === GOAWAY),
    )
    client.close()
    expect(upstream.requests).toHaveLength(0)
  })

  it.each([
    ["a host that differs from the authority", [...request, ["host", "other.test"]]],
    ["a path with a fragment", request.map(([name, value]) => [name, name === ":path" ? "/a#b" : value])],
    ["an authority with user information", request.map(([n, value]) => [n, n === ":authority" ? "a@x" : value])],
  ] as ReadonlyArray<[string, ReadonlyArray<readonly [string, string]>]>)("%s is refused", async (_what, fields) => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    client.write(Buffer.concat([preface, frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(fields))]))
    await until("an answer", () => framesOf(client.bytes).some(({ stream }) => stream === 1))
    client.close()
    expect(upstream.requests).toHaveLength(0)
  })

  it("a line break in a value does not travel", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    const fields: typeof request = [...request, ["x", "a\r\nb: c"]]
    client.write(Buffer.concat([preface, frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(fields))]))
    await until("the request", () => upstream.requests.length === 1)
    client.close()
    expect(upstream.requests[0]?.headers["x"]).toBeUndefined()
    expect(upstream.requests[0]?.headers["b"]).toBeUndefined()
  })

  it("more fields than allowed get 431", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port, [{ _tag: "Http", http1MaxHeaders: 20 }])
    const fields = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x-${i}`, "y"]))
    expect((await ask(session(gateway.port), fields)).headers[":status"]).toBe(431)
    expect(upstream.requests).toHaveLength(0)
  })

  it("streams reset as fast as they are opened end the connection", async () => {
    const upstream = ends(await httpUpstream(() => {}))
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    client.write(preface)
    const block = literal(request)
    const cancel = Buffer.from([0, 0, 0, 8])
    let id = 1
    for (let round = 0; round < 40 && !client.closed && !client.ended; round++) {
      const burst: Array<Buffer> = []
      for (let i = 0; i < 100; i++, id += 2) {
        burst.push(frame(HEADERS, END_STREAM | END_HEADERS, id, block), frame(RST_STREAM, 0, id, cancel))
      }
      client.write(Buffer.concat(burst))
      await sleep(5)
    }
    await client.gone()
    await until("everything to end", () => gateway.gateway.open().exchanges === 0)
    expect(id).toBeLessThan(2 * 4_000)
  })

  it("streams reset by a client that lets others be answered, or once they are, are no reason to end anything", async () => {
    const upstream = ends(await httpUpstream((asked, reply) => asked.url === "/quick" && reply.end("ok")))
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    closers.push(() => client.close())
    client.write(preface)
    const to = (path: string, method: string) =>
      literal([[":method", method], request[1] as [string, string], [":path", path], request[3] as [string, string]])
    const quick = to("/quick", "POST")
    const slow = to("/slow", "GET")
    const [NO_ERROR, CANCEL] = [Buffer.alloc(4), Buffer.from([0, 0, 0, 8])]
    let id = 1
    let answered = 0
    for (let round = 0; round < 10; round++) {
      const first = id
      for (let i = 0; i < 80; i++, id += 2) client.write(frame(HEADERS, END_HEADERS, id, quick))
      answered += 80
      await until("the replies", () => {
        const over = framesOf(client.bytes).filter(({ flags, type }) => type === DATA && (flags & END_STREAM) !== 0)
        return client.ended || over.length === answered
      })
      for (let late = first; late < id; late += 2) client.write(frame(RST_STREAM, 0, late, NO_ERROR))
      for (let i = 0; i < 70; i++, id += 2) {
        client.write(frame(HEADERS, END_STREAM | END_HEADERS, id, slow))
        client.write(frame(RST_STREAM, 0, id, CANCEL))
      }
    }
    client.write(frame(HEADERS, END_STREAM | END_HEADERS, id, to("/quick", "GET")))
    await until("the last reply", () =>
      framesOf(client.bytes).some(({ stream, type }) => stream === id && type === DATA),
    )
    expect(framesOf(client.bytes).filter(({ type }) => type === GOAWAY)).toEqual([])
  })

  it("replies that many clients give up on one connection take nothing from those behind them", async () => {
    const large = Buffer.alloc(200_000)
    const upstream = ends(
      await httpUpstream((asked, reply) => void reply.end(asked.url === "/large" ? large : "small")),
    )
    // Over HTTP/1 it comes in larger pieces, which cannot be sent as a whole.
    const gateway = ends(await startGateway(speakingHttp1(plain(upstream.port))))
    const client = await connect(gateway.port)
    closers.push(() => client.close())
    const windowOfOne = Buffer.from([0, 4, 0, 0, 0, 1])
    client.write(Buffer.concat([preface, frame(SETTINGS, 0, 0, windowOfOne)]))
    const to = (path: string) =>
      literal([request[0], request[1], [":path", path], request[3]] as ReadonlyArray<readonly [string, string]>)
    let id = 1
    for (let round = 0; round < 6; round++) {
      const first = id
      for (let i = 0; i < 50; i++, id += 2) client.write(frame(HEADERS, END_STREAM | END_HEADERS, id, to("/large")))
      await until("the beginnings", () => {
        const begun = framesOf(client.bytes).filter(({ stream, type }) => type === DATA && stream >= first)
        return begun.length === 50
      })
      for (let late = first; late < id; late += 2) client.write(frame(RST_STREAM, 0, late, Buffer.from([0, 0, 0, 8])))
    }
    client.write(frame(HEADERS, END_STREAM | END_HEADERS, id, to("/small")))
    client.write(frame(WINDOW_UPDATE, 0, id, Buffer.from([0, 0, 0, 9])))
    await until("the reply", () =>
      framesOf(client.bytes).some(({ payload, stream }) => stream === id && payload.toString() === "small"),
    )
  })

  it.each([
    ["without a body", undefined],
    ["with a body", Buffer.from("abc")],
  ])("replies of unknown length end properly where they use up the window of their connection: %s", async (_, body) => {
    const large = Buffer.alloc(200_000)
    const upstream = ends(
      await httpUpstream((asked, reply) => {
        asked.resume()
        // Sent in chunks.
        reply.flushHeaders()
        reply.end(large)
      }),
    )
    const gateway = ends(await startGateway(speakingHttp1(plain(upstream.port))))
    const client = await connect(gateway.port)
    closers.push(() => client.close())
    const windowOfOne = Buffer.from([0, 4, 0, 0x10, 0, 0])
    client.write(Buffer.concat([preface, frame(SETTINGS, 0, 0, windowOfOne)]))
    const ids = Array.from({ length: 12 }, (_, i) => 2 * i + 1)
    for (const id of ids) {
      client.write(frame(HEADERS, END_HEADERS | (body === undefined ? END_STREAM : 0), id, literal(request)))
      if (body !== undefined) client.write(frame(DATA, END_STREAM, id, body))
    }
    const isEnd = ({ flags, type }: { flags: number; type: number }): boolean =>
      type === RST_STREAM || (type === DATA && (flags & END_STREAM) !== 0)
    let given = 0
    await until("the ends of all", () => {
      const frames = framesOf(client.bytes)
      const sent = frames.reduce((sum, { payload, type }) => sum + (type === DATA ? payload.byteLength : 0), 0)
      // As much as was received, again and again.
      if (sent > given) client.write(frame(WINDOW_UPDATE, 0, 0, number(sent - given)))
      given = sent
      return frames.filter(isEnd).length === ids.length
    })
    expect(framesOf(client.bytes).filter(({ type }) => type === RST_STREAM)).toEqual([])
    expect(given).toBe(ids.length * large.byteLength)
  })

  it("more streams than allowed are refused, the others served", async () => {
    let release: Array<http.ServerResponse> = []
    const upstream = ends(await httpUpstream((_request, response) => void release.push(response)))
    const gateway = await start(upstream.port, [], { http2StreamsMax: 3 })
    const client = await connect(gateway.port)
    // The limit binds the client once it has acknowledged it; until then what is too much is refused for another try.
    client.write(preface)
    const block = literal(request)
    for (const id of [1, 3, 5, 7]) client.write(frame(HEADERS, END_STREAM | END_HEADERS, id, block))
    await until("a refusal", () =>
      framesOf(client.bytes).some(
        ({ payload, stream, type }) => type === RST_STREAM && stream === 7 && payload[3] === 7,
      ),
    )
    await until("the others", () => upstream.requests.length === 3)
    for (const response of release) response.end()
    client.close()
    release = []
  })
})

describe("connections", () => {
  it("drain: streams in flight finish, new ones are not lost in flight", async () => {
    const upstream = ends(await httpUpstream((_request, response) => void setTimeout(() => response.end("done"), 150)))
    const gateway = await start(upstream.port)
    const client = session(gateway.port)
    const first = ask(client, { ":path": "/1" })
    await until("the first request", () => upstream.requests.length === 1)
    const wentAway: Array<number> = []
    client.on("goaway", (code) => wentAway.push(code))
    const closed = gateway.close()
    expect(await first).toMatchObject({ body: "done", code: 0 })
    await closed
    expect(wentAway[0]).toBe(0)
    expect(gateway.gateway.open()).toMatchObject({ connections: 0, exchanges: 0 })
  })

  it("are probed and given up when the client is silent", async () => {
    const upstream = ends(await httpUpstream(() => {}))
    const gateway = await start(upstream.port, [
      { _tag: "Http", http2KeepaliveIntervalMillis: 50, http2KeepaliveTimeoutMillis: 100 },
    ])
    const client = await connect(gateway.port)
    client.write(Buffer.concat([preface, frame(SETTINGS, 1, 0)]))
    await until("a ping", () => framesOf(client.bytes).some(({ type }) => type === PING))
    await client.gone()
  })

  it("that answer pings stay", async () => {
    const upstream = ends(await httpUpstream((_request, response) => void setTimeout(() => response.end("late"), 400)))
    const gateway = await start(upstream.port, [
      { _tag: "Http", http2KeepaliveIntervalMillis: 50, http2KeepaliveTimeoutMillis: 100 },
    ])
    expect((await ask(session(gateway.port), {})).body).toBe("late")
  })

  it("that are idle are closed", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start(upstream.port, [{ _tag: "Http", http1IdleTimeoutMillis: 100 }])
    const client = session(gateway.port)
    expect((await ask(client, {})).headers[":status"]).toBe(200)
    await until("the connection to end", () => client.closed || client.destroyed)
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("that are idle are closed, also when a request took longer than they may be idle", async () => {
    const upstream = ends(await httpUpstream((_request, response) => void setTimeout(() => response.end("late"), 300)))
    const gateway = await start(upstream.port, [{ _tag: "Http", http1IdleTimeoutMillis: 100 }])
    const client = session(gateway.port)
    expect((await ask(client, {})).body).toBe("late")
    const given = client.request({ ":authority": "x.test" })
    given.on("error", () => {})
    await sleep(200)
    given.close(http2.constants.NGHTTP2_CANCEL)
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("announce the windows and limits that are configured", async () => {
    const gateway = await start(1, [
      { _tag: "Http", http2WindowBytes: 70_000, http2FrameBytes: 20_000, http2MaxHeaderBytes: 9_000 },
    ])
    const client = session(gateway.port)
    await new Promise((resolve) => client.once("remoteSettings", resolve))
    expect(client.remoteSettings).toMatchObject({
      initialWindowSize: 70_000,
      maxFrameSize: 20_000,
      maxHeaderListSize: 9_000,
      maxConcurrentStreams: 250,
      enableConnectProtocol: true,
    })
  })

  it("hold back uploads that the upstream does not take", async () => {
    const upstream = ends(await rawUpstream((connection) => connection.pause()))
    const gateway = await start(upstream.port)
    const stream = session(gateway.port).request({ ":method": "POST", ":authority": "x.test" })
    stream.on("error", () => {})
    let sent = 0
    const pump = (): void => {
      while (sent < 64 * 1024 * 1024) {
        sent += 65_536
        if (!stream.write(Buffer.alloc(65_536))) return
      }
    }
    stream.on("drain", pump)
    pump()
    let last = -1
    while (last !== sent) {
      last = sent
      await sleep(100)
    }
    expect(sent).toBeLessThan(32 * 1024 * 1024)
    stream.close(http2.constants.NGHTTP2_CANCEL)
  })
})

it("over TLS, chosen by ALPN, many requests on one connection", async () => {
  const upstream = ends(await httpUpstream())
  const gateway = ends(
    await startGateway(
      snapshotOf({
        binds: [
          {
            protocol: "tls",
            listeners: [{ protocol: "HTTPS", tls: serverTls("server"), routes: [{ to: upstream.port }] }],
          },
        ],
      }),
    ),
  )
  const client = http2.connect(`https://localhost:${gateway.port}`, { ca: pem("ca.pem"), servername: "a.test" })
  closers.push(() => client.destroy())
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, i) => ask(client, { ":path": `/${i}`, ":authority": "a.test" })),
  )
  for (const [i, got] of all.entries()) expect(JSON.parse(got.body)).toMatchObject({ url: `/${i}` })
  expect(gateway.told.handshakes[0]).toMatchObject({ alpn: "h2", serverName: "a.test" })
})

describe("an upstream that speaks HTTP/1.1 only", () => {
  it("serves clients that speak HTTP/2 in plaintext, but not their gRPC", async () => {
    const upstream = http.createServer((incoming, response) => {
      let bytes = 0
      incoming.on("data", (chunk: Buffer) => (bytes += chunk.byteLength))
      incoming.once("end", () => response.end(`${incoming.httpVersion} ${bytes}`))
    })
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
    closers.push(() => {
      upstream.close()
      upstream.closeAllConnections()
    })
    const gateway = await start((upstream.address() as net.AddressInfo).port)
    const client = session(gateway.port)
    const post = { ":method": "POST", ":path": "/" }
    const sent = await Promise.all([1, 2, 3].map(() => ask(client, post, Buffer.alloc(100_000))))
    expect(sent.map(({ headers, body }) => [headers[":status"], body])).toEqual(
      [1, 2, 3].map(() => [200, "1.1 100000"]),
    )
    const call = await ask(client, { ...post, "content-type": "application/grpc" }, Buffer.alloc(5))
    expect(call.headers["grpc-status"]).toBe("14")
    expect(decodeURIComponent(String(call.headers["grpc-message"]))).toContain("does not speak HTTP/2")
  })
})
