/** Upstream servers that die, stall, reset, leave in the middle or talk nonsense. */
import * as http2 from "node:http2"
import * as net from "node:net"
import { describe, expect, it } from "vitest"
import type { TrafficPolicy } from "../../../ir/Policy.ts"
import {
  connect,
  type RawClient,
  type RawUpstream,
  rawUpstream,
  sleep,
  snapshotOf,
  type Started,
  startGateway,
  until,
} from "../harness.ts"
import { FrameClient, getting, headers } from "../hostile/frames.ts"
import { speakingHttp1, speakingHttp2 } from "../hostile/front.ts"
import { outcomeOf } from "../../../src/telemetry/outcome.ts"
import { startChild } from "./child.ts"
import { outcomes } from "./freed.ts"
import { stage } from "./stage.ts"
import { freePort } from "../../freePort.ts"

const ends = stage()

const get = (path = "/", version = "1.1"): string => `GET ${path} HTTP/${version}\r\nhost: x.test\r\n\r\n`
const post = (body: string, length = body.length): string =>
  `POST /upload HTTP/1.1\r\nhost: x.test\r\ncontent-length: ${length}\r\n\r\n${body}`

const patience: TrafficPolicy = { _tag: "Timeout", backendRequestMillis: 200 }

const front = async (
  to: number,
  policies: ReadonlyArray<TrafficPolicy> = [],
  connectTimeoutMillis = 5_000,
): Promise<Started> =>
  ends(
    await startGateway(snapshotOf({ binds: [{ listeners: [{ routes: [{ to, policies }] }] }] }), {
      upstream: { connectTimeoutMillis },
    }),
  )

const client = async (gateway: Started): Promise<RawClient> => ends(await connect(gateway.port))

const ask = async (gateway: Started, request = get()): Promise<RawClient> => (await client(gateway)).write(request)

/** An upstream that reads a whole head and then does as told. */
const scripted = async (script: (connection: RawClient, head: string) => unknown): Promise<RawUpstream> =>
  ends(
    await rawUpstream(async (connection) => {
      for (;;) await script(connection, await connection.take("\r\n\r\n"))
    }),
  )

/** The gateway has let go of every upstream connection. */
const lettingGo = (upstream: RawUpstream): Promise<void> =>
  until("the gateway lets go of the upstream", () => upstream.connections.every(({ closed, ended }) => closed || ended))

/** The reply began and broke off, and nothing in it says that it was whole. */
const isBroken = async (of: RawClient): Promise<void> => {
  await of.gone()
  const body = of.text.slice(of.text.indexOf("\r\n\r\n") + 4)
  expect(body).not.toMatch(/(?:^|\n)0\r\n/)
  expect(body.length).toBeLessThan(10_000)
}

describe("an upstream process that is killed", () => {
  it.each(["/stream", "/long"])("in the middle of a reply breaks it: %s", async (path) => {
    const child = ends(await startChild())
    const gateway = await front(child.port)
    const reader = await ask(gateway, get(path))
    await reader.take("drop\n")
    await child.kill()
    await isBroken(reader)
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
  })

  it("in the middle of a reply to HTTP/1.0 resets the connection", async () => {
    const child = ends(await startChild())
    const gateway = await front(child.port)
    const reader = await ask(gateway, get("/stream", "1.0"))
    await reader.take("drop\n")
    await child.kill()
    await until("the reset", () => reader.closed)
    expect(reader.error?.code).toBe("ECONNRESET")
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
  })

  it("in the middle of a reply resets that stream of HTTP/2 and no other", async () => {
    const [dies, lives] = [ends(await startChild()), ends(await startChild())]
    const routes = [{ to: dies.port }, { to: lives.port, hostnames: ["lives.test"] }]
    const gateway = ends(await startGateway(speakingHttp1(snapshotOf({ binds: [{ listeners: [{ routes }] }] }))))
    const reader = new FrameClient(await client(gateway)).open()
    reader.raw.write(headers(1, getting("/stream", "dies.test")))
    reader.raw.write(headers(3, getting("/stream", "lives.test")))
    await until("both bodies", () => [1, 3].every((stream) => reader.bodyOf(stream).includes("drop")))
    await dies.kill()
    await until("the reset", () => reader.isReset(1))
    const before = reader.bodyOf(3).length
    await until("more of the other body", () => reader.bodyOf(3).length > before)
    expect(reader.isOver(3)).toBe(false)
    reader.raw.close()
    expect([...(await outcomes(gateway, 2))].sort()).toEqual(["clientGone", "upstreamFailed"])
  })

  it("before the head gets 503", async () => {
    const child = ends(await startChild())
    const gateway = await front(child.port)
    const reader = await ask(gateway, get("/never"))
    await until("the call", () => gateway.gateway.open().exchanges === 1)
    // It must be with the process, not on its way to it.
    const other = await ask(gateway)
    expect((await other.answer()).status).toBe(200)
    await child.kill()
    expect(await reader.answer()).toMatchObject({ status: 503, headers: { connection: "keep-alive" } })
    for (const one of [reader, other]) one.close()
    await outcomes(gateway, 2)
  })

  it("in the middle of an upload gets 503", async () => {
    const child = ends(await startChild())
    const gateway = await front(child.port)
    const sender = await ask(gateway, post("x".repeat(100_000), 200_000))
    await until("the call", () => gateway.gateway.open().exchanges === 1)
    const other = await ask(gateway)
    expect((await other.answer()).status).toBe(200)
    await child.kill()
    expect((await sender.answer("POST")).status).toBe(503)
    await sender.gone()
    for (const one of [sender, other]) one.close()
    await outcomes(gateway, 2)
  })

  it("between requests and comes back: nobody notices", async () => {
    const child = ends(await startChild())
    const gateway = await front(child.port)
    const reader = await ask(gateway)
    expect((await reader.answer()).status).toBe(200)
    await child.kill()
    ends(await startChild(child.port))
    for (let i = 0; i < 3; i++) expect((await reader.write(get()).answer()).status).toBe(200)
    reader.close()
    expect(await outcomes(gateway, 4)).toEqual(Array(4).fill("answered"))
  })
})

describe("an upstream that resets the connection", () => {
  it("before there is one: 503", async () => {
    const gateway = await front(await freePort())
    const reader = await ask(gateway)
    expect((await reader.answer()).status).toBe(503)
    reader.close()
    await outcomes(gateway, 1)
  })

  it("as soon as it is accepted: 503", async () => {
    const upstream = ends(await rawUpstream((connection) => connection.reset()))
    const gateway = await front(upstream.port)
    const reader = await ask(gateway, post("hello"))
    expect((await reader.answer("POST")).status).toBe(503)
    reader.close()
    await outcomes(gateway, 1)
  })

  it("after the request: 503", async () => {
    const upstream = await scripted((connection) => connection.reset())
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    expect((await reader.answer()).status).toBe(503)
    reader.close()
    await outcomes(gateway, 1)
  })

  it("in the middle of the head: 503", async () => {
    const upstream = await scripted((connection) => {
      connection.stream.write("HTTP/1.1 200 OK\r\nconte", () => connection.reset())
    })
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    expect((await reader.answer()).status).toBe(503)
    reader.close()
    await outcomes(gateway, 1)
  })

  it.each([
    ["after the head, with a length", "content-length: 10\r\n\r\n"],
    ["after the head, in chunks", "transfer-encoding: chunked\r\n\r\n"],
    ["after the head, until the end", "\r\n"],
    ["in the body, with a length", "content-length: 10\r\n\r\nhello"],
    ["in the body, in chunks", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    ["in the body, until the end", "\r\nhello"],
    ["behind the last chunk but before its end", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"],
  ])("%s: the reply breaks", async (_where, rest) => {
    const upstream = await scripted((connection) => {
      connection.stream.write(`HTTP/1.1 200 OK\r\nx-begun: 1\r\n${rest}`)
    })
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    await reader.take("x-begun")
    upstream.connections[0]?.reset()
    await isBroken(reader)
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
  })
})

describe("an upstream that ends its half", () => {
  it("before the head: 503", async () => {
    const upstream = await scripted((connection) => connection.halfClose())
    const gateway = await front(upstream.port)
    const reader = await ask(gateway, post("hello"))
    expect((await reader.answer("POST")).status).toBe(503)
    reader.close()
    await outcomes(gateway, 1)
    await lettingGo(upstream)
  })

  it.each([
    ["with less than its length", "content-length: 10\r\n\r\nhello"],
    ["with nothing of its length", "content-length: 10\r\n\r\n"],
    ["between chunks", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    ["in a chunk", "transfer-encoding: chunked\r\n\r\n5\r\nhel"],
  ])("%s: the reply breaks", async (_where, rest) => {
    const upstream = await scripted((connection) => {
      connection.write(`HTTP/1.1 200 OK\r\nx-begun: 1\r\n${rest}`)
    })
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    await reader.take("x-begun")
    upstream.connections[0]?.halfClose()
    await isBroken(reader)
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
    await lettingGo(upstream)
  })

  it("where that ends the body: the reply is whole", async () => {
    const upstream = await scripted((connection) => {
      connection.write("HTTP/1.1 200 OK\r\n\r\nhello").halfClose()
    })
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    expect(await reader.answer()).toMatchObject({ status: 200, body: "hello" })
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
    await lettingGo(upstream)
  })

  it("after a whole reply, and answers the next request elsewhere", async () => {
    const upstream = await scripted((connection) => {
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").halfClose()
    })
    const gateway = await front(upstream.port)
    const reader = await client(gateway)
    for (let i = 0; i < 5; i++) expect((await reader.write(get()).answer()).status).toBe(200)
    reader.close()
    await outcomes(gateway, 5)
    await lettingGo(upstream)
  })
})

describe("an upstream that stalls", () => {
  const silent = () => scripted(() => {})

  it.each<[string, ReadonlyArray<TrafficPolicy>, number, number]>([
    ["the attempt's deadline", [patience], 60_000, 504],
    ["the request's deadline", [{ _tag: "Timeout", requestMillis: 200 }], 60_000, 504],
    ["the connect timeout", [], 200, 503],
  ])("while connecting: %s", async (_what, policies, connectTimeoutMillis, status) => {
    // A process that does not run accepts nothing; when its queue is full the kernel does not even shake hands.
    const child = ends(await startChild(0, 1))
    child.freeze()
    const queue: Array<net.Socket> = []
    for (let i = 0; i < 8; i++) {
      const socket = net.connect({ host: "127.0.0.1", port: child.port })
      socket.on("error", () => {})
      queue.push(socket)
    }
    ends({ close: () => queue.forEach((socket) => socket.destroy()) })
    await until("the queue is full", () => queue.some(({ connecting }) => !connecting))
    const gateway = await front(child.port, policies, connectTimeoutMillis)
    const reader = await ask(gateway)
    expect((await reader.answer()).status).toBe(status)
    reader.close()
    await outcomes(gateway, 1)
  })

  it("for ever, without any deadline, as long as the client waits", async () => {
    const upstream = await silent()
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    await until("the call", () => upstream.connections.length === 1)
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["interrupted"])
    await lettingGo(upstream)
  })

  it.each([
    ["before the head", ""],
    ["in the status line", "HTTP/1.1 20"],
    ["in the middle of the head", "HTTP/1.1 200 OK\r\ncontent-len"],
    ["after an interim reply", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ])("%s: 504", async (_where, said) => {
    const upstream = await scripted((connection) => connection.write(said))
    const gateway = await front(upstream.port, [patience])
    const reader = await ask(gateway)
    let answer = await reader.answer()
    while (answer.status < 200) answer = await reader.answer()
    expect(answer).toMatchObject({ status: 504, body: "upstream call timeout" })
    reader.close()
    await outcomes(gateway, 1)
    await lettingGo(upstream)
  })

  it("before the head, beyond the deadline of the whole request: 504", async () => {
    const upstream = await silent()
    const gateway = await front(upstream.port, [{ _tag: "Timeout", requestMillis: 200, backendRequestMillis: 60_000 }])
    const reader = await ask(gateway)
    expect(await reader.answer()).toMatchObject({ status: 504, body: "request timeout" })
    reader.close()
    await outcomes(gateway, 1)
    await lettingGo(upstream)
  })

  it("and takes no upload: 504", async () => {
    const upstream = ends(await rawUpstream((connection) => connection.pause()))
    const gateway = await front(upstream.port, [patience])
    const sender = await ask(gateway, post("x".repeat(50_000_000)))
    expect((await sender.answer("POST")).status).toBe(504)
    sender.close()
    await outcomes(gateway, 1)
    await until("the gateway lets go", () => {
      for (const connection of upstream.connections) connection.stream.resume()
      return upstream.connections.every(({ closed, ended }) => closed || ended)
    })
  })

  it.each<[string, (reader: RawClient) => void]>([
    ["resets", (reader) => reader.reset()],
    // An end alone may mean that the client still reads, so it takes longer to be believed.
    ["leaves", (reader) => reader.close()],
  ])("in the middle of the body is waited for, until the client %s", async (_how, leave) => {
    const upstream = await scripted((connection) =>
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"),
    )
    const gateway = await front(upstream.port, [patience])
    const reader = await ask(gateway)
    await reader.take("hello")
    leave(reader)
    await until("the exchange ended", () => gateway.told.exchanges.length === 1, 15_000)
    expect(await outcomes(gateway, 1)).toEqual(["clientGone"])
    await lettingGo(upstream)
  })

  const quiet: TrafficPolicy = { _tag: "Timeout", idleMillis: 250 }

  it.each([
    ["after the head", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", ""],
    ["in the middle of the body", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", "hello"],
    ["between two chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello"],
  ])("%s is given up when it may not pause so long", async (_where, said, body) => {
    const upstream = await scripted((connection) => connection.write(said))
    const gateway = await front(upstream.port, [quiet])
    const reader = await ask(gateway)
    await reader.take("200 OK")
    await isBroken(reader)
    expect(reader.text).toContain(body)
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
    const [told] = gateway.told.exchanges
    if (told === undefined) throw new Error("nothing was told")
    expect(outcomeOf(told.exchange, told.ending)).toEqual({
      reason: "Timeout",
      error: "the upstream sent nothing for 250 ms",
    })
    await lettingGo(upstream)
    expect(upstream.connections).toHaveLength(1)
  })

  it("resets that stream of HTTP/2 and no other, when it may not pause so long", async () => {
    const upstream = await scripted(async (connection, head) => {
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n")
      if (head.includes("/stops")) return
      for (let i = 0; i < 60; i++) {
        connection.write("x")
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })
    const gateway = ends(
      await startGateway(
        speakingHttp1(snapshotOf({ binds: [{ listeners: [{ routes: [{ to: upstream.port, policies: [quiet] }] }] }] })),
      ),
    )
    const reader = new FrameClient(await client(gateway)).open()
    reader.raw.write(headers(1, getting("/stops")))
    reader.raw.write(headers(3, getting("/goes-on")))
    await until("the reset", () => reader.isReset(1))
    await until("the whole of the other", () => reader.bodyOf(3).length === 60, 15_000)
    reader.raw.close()
    expect([...(await outcomes(gateway, 2))].sort()).toEqual(["answered", "upstreamFailed"])
  })

  it("no longer than it may, again and again, is heard to its end", async () => {
    const upstream = await scripted(async (connection) => {
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n")
      for (let i = 0; i < 40; i++) {
        connection.write("x")
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })
    const gateway = await front(upstream.port, [quiet])
    const reader = await ask(gateway)
    expect((await reader.answer()).body).toBe("x".repeat(40))
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })

  it("because its reader takes nothing is waited for", async () => {
    const size = 30_000_000
    const upstream = await scripted((connection) =>
      connection.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n${"x".repeat(size)}`),
    )
    const gateway = await front(upstream.port, [quiet])
    const reader = await ask(gateway)
    await reader.take("200 OK")
    reader.pause()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    reader.stream.resume()
    let length = 0
    reader.stream.on("data", (chunk: Buffer) => (length += chunk.byteLength))
    await until("all of it", () => length > size / 2, 30_000)
    await until("the end", () => gateway.told.exchanges.length === 1, 30_000)
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })

  it("as a frozen process: 504, and its successor is found", async () => {
    const child = ends(await startChild())
    const gateway = await front(child.port, [patience])
    const reader = await ask(gateway)
    expect((await reader.answer()).status).toBe(200)
    child.freeze()
    expect((await reader.write(get()).answer()).status).toBe(504)
    await child.kill()
    ends(await startChild(child.port))
    expect((await reader.write(get()).answer()).status).toBe(200)
    reader.close()
    await outcomes(gateway, 3)
  })
})

describe("an upload that the upstream does not read", () => {
  const size = 60_000_000
  const idle: TrafficPolicy = { _tag: "Timeout", idleMillis: 250 }
  const told504 = (gateway: Started): void => {
    const [told] = gateway.told.exchanges
    if (told === undefined) throw new Error("nothing was told")
    expect(outcomeOf(told.exchange, told.ending)).toEqual({ reason: "Timeout", error: "upstream call timeout" })
  }

  it("gets 504 when nothing of it may lie unread for so long, and everything is let go of", async () => {
    const upstream = await scripted((connection) => connection.pause())
    const gateway = await front(upstream.port, [idle])
    const sender = await ask(gateway, post("x".repeat(size)))
    expect(await sender.answer("POST")).toMatchObject({
      status: 504,
      body: "upstream call timeout",
      headers: { connection: "close" },
    })
    await sender.gone()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
    told504(gateway)
    for (const connection of upstream.connections) connection.stream.resume()
    await lettingGo(upstream)
    expect(upstream.connections).toHaveLength(1)
  })

  it("because its client pauses is waited for", async () => {
    const upstream = await scripted(async (connection) => {
      await connection.take("the end")
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nread")
    })
    const gateway = await front(upstream.port, [idle])
    const sender = await ask(gateway, post("x".repeat(100_000), 100_007))
    await sleep(1_000)
    expect(await sender.write("the end").answer("POST")).toMatchObject({ status: 200, body: "read" })
    sender.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })

  it("because its client pauses is waited for by a reply that has begun, and not when it has ended", async () => {
    const upstream = await scripted(async (connection) => {
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
      await connection.take("the end")
    })
    const gateway = await front(upstream.port, [idle])
    const sender = await ask(gateway, post("x".repeat(1_000), 1_007))
    await sender.take("hello")
    await sleep(1_000)
    expect(gateway.told.exchanges).toHaveLength(0)
    sender.write("the end")
    await sender.gone()
    sender.close()
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
  })

  it("over HTTP/2 gets 504, and others on that connection go on", async () => {
    const served: Array<http2.ServerHttp2Stream> = []
    const sessions = new Set<http2.ServerHttp2Session>()
    const server = http2.createServer()
    server.on("session", (session) => {
      sessions.add(session)
      session.once("close", () => sessions.delete(session))
    })
    server.on("stream", (stream: http2.ServerHttp2Stream, head) => {
      stream.on("error", () => {})
      if (head[":path"] === "/upload") return void served.push(stream)
      stream.respond({ ":status": 200 })
      stream.end("other")
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    ends({
      close: () => {
        for (const session of sessions) session.destroy()
        server.close()
      },
    })
    const { port } = server.address() as net.AddressInfo
    const gateway = ends(
      await startGateway(
        speakingHttp2(snapshotOf({ binds: [{ listeners: [{ routes: [{ to: port, policies: [idle] }] }] }] })),
      ),
    )
    const sender = await ask(gateway, post("x".repeat(2_000_000)))
    const other = await ask(gateway, get("/other"))
    expect(await other.answer()).toMatchObject({ status: 200, body: "other" })
    expect(await sender.answer("POST")).toMatchObject({ status: 504, body: "upstream call timeout" })
    await sender.gone()
    expect(await other.write(get("/other")).answer()).toMatchObject({ status: 200, body: "other" })
    other.close()
    await outcomes(gateway, 3)
    await until("the stream is reset", () => served.every(({ closed, destroyed }) => closed || destroyed))
    expect([served.length, sessions.size]).toEqual([1, 1])
  })
})

it("an upstream that resets a connection at rest loses no request that arrives with that, whatever its method", async () => {
  const upstream = await scripted((connection) => connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
  const gateway = await front(upstream.port)
  const reader = await client(gateway)
  for (let i = 0; i < 20; i++) {
    expect((await reader.write(get()).answer()).status).toBe(200)
    const socket = upstream.connections.at(-1)?.stream
    if (socket instanceof net.Socket) socket.resetAndDestroy()
    expect(socket?.destroyed).toBe(true)
    expect((await reader.write(post("hello")).answer("POST")).status).toBe(200)
  }
  reader.close()
  await outcomes(gateway, 40)
})

describe("an upstream that answers early", () => {
  it("and does not read the rest: the client gets the answer", async () => {
    const upstream = await scripted((connection) =>
      connection.write("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"),
    )
    const gateway = await front(upstream.port)
    const sender = await ask(gateway, post("x".repeat(1_000), 10_000_000))
    expect(await sender.answer("POST")).toMatchObject({ status: 413, body: "no", headers: { connection: "close" } })
    await sender.gone()
    sender.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
    await lettingGo(upstream)
  })

  it("and closes: the client gets the answer", async () => {
    const upstream = await scripted((connection) =>
      connection.write("HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno").halfClose(),
    )
    const gateway = await front(upstream.port)
    const sender = await ask(gateway, post("x".repeat(1_000), 10_000_000))
    expect(await sender.answer("POST")).toMatchObject({ status: 413, body: "no" })
    await sender.gone()
    sender.close()
    await outcomes(gateway, 1)
    await lettingGo(upstream)
  })

  it.each([
    ["with a length", post("x".repeat(1_000), 10_000_000), "y".repeat(10_000)],
    [
      "in chunks",
      "POST /upload HTTP/1.1\r\nhost: x.test\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\n" + "x".repeat(1_000) + "\r\n",
      `2710\r\n${"y".repeat(10_000)}\r\n`,
    ],
  ])("and resets before more of the body %s is written: the client gets the answer", async (_how, begin, more) => {
    let sender: RawClient | undefined
    const upstream = await scripted((connection) => {
      // More of the body is with the gateway before the answer, so that writing fails before anything was read.
      sender?.write(more)
      connection.write("HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
      ;(connection.stream as net.Socket).resetAndDestroy()
    })
    const gateway = await front(upstream.port)
    for (let i = 0; i < 10; i++) {
      sender = await ask(gateway, begin)
      expect(await sender.answer("POST")).toMatchObject({ status: 413, body: "no", headers: { connection: "close" } })
      sender.close()
    }
    expect(await outcomes(gateway, 10)).toEqual(Array(10).fill("answered"))
    await lettingGo(upstream)
  })

  it("and resets with only half of the answer said: 503", async () => {
    let sender: RawClient | undefined
    const upstream = await scripted((connection) => {
      sender?.write("y".repeat(10_000))
      connection.write("HTTP/1.1 413 Too Large\r\ncontent-le")
      ;(connection.stream as net.Socket).resetAndDestroy()
    })
    const gateway = await front(upstream.port)
    sender = await ask(gateway, post("x".repeat(1_000), 10_000_000))
    expect((await sender.answer("POST")).status).toBe(503)
    sender.close()
    await outcomes(gateway, 1)
    await lettingGo(upstream)
  })

  it("the rest of the upload never becomes a request", async () => {
    const upstream = await scripted((connection) => connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
    const gateway = await front(upstream.port)
    const hidden = "GET /hidden HTTP/1.1\r\nhost: x.test\r\n\r\n"
    const sender = await ask(gateway, post(hidden.slice(0, 1), hidden.length))
    expect((await sender.answer("POST")).status).toBe(200)
    sender.write(hidden.slice(1))
    const other = await ask(gateway)
    expect((await other.answer()).status).toBe(200)
    for (const one of [sender, other]) one.close()
    await outcomes(gateway, 2)
    expect(upstream.connections.map(({ text }) => text).join("")).not.toContain("/hidden")
  })
})

describe("a reply that outgrows a buffer", () => {
  it("goes on where the buffer lets it pass, however slowly it comes", async () => {
    const parts = 4
    const upstream = await scripted(async (connection) => {
      connection.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
      for (let i = 0; i < parts; i++) {
        await sleep(50)
        connection.write("6\r\n123456\r\n")
      }
      connection.write("0\r\n\r\n")
    })
    const gateway = await front(upstream.port, [
      { _tag: "Buffer", response: { maxBytes: 10, failureMode: "failOpen" } },
    ])
    const reader = await ask(gateway)
    expect((await reader.answer()).body).toBe("123456".repeat(parts))
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })
})

describe("an upstream that talks nonsense", () => {
  it.each<[string, string]>([
    ["garbage", "garbage\r\n\r\n"],
    ["bytes", "\x00\x01\x02\x03\xff\xfe"],
    ["frames of HTTP/2", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"],
    ["a TLS alert", "\x15\x03\x03\x00\x02\x02\x28"],
    ["a status of letters", "HTTP/1.1 abc OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["status 0", "HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n"],
    ["another version", "HTTP/3.0 200 OK\r\ncontent-length: 0\r\n\r\n"],
    ["another protocol", "ICY 200 OK\r\n\r\n"],
    ["a field without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
    ["a field with a space in its name", "HTTP/1.1 200 OK\r\nx y: z\r\ncontent-length: 0\r\n\r\n"],
    ["NUL in a value", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"],
    ["a bare CR in a value", "HTTP/1.1 200 OK\r\nx: a\rset-cookie: evil\r\ncontent-length: 0\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!"],
    ["a list of lengths", "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello!"],
    ["a negative length", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nhello"],
    ["a length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["another coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["chunks twice", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"],
    ["a head without end", `HTTP/1.1 200 OK\r\n${"x: yyyyyyyy\r\n".repeat(20_000)}`],
    ["an unasked switch", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"],
    ["the end of a line only", "\r\n\r\n\r\n"],
  ])("%s: no reply of it reaches the client", async (_what, said) => {
    const upstream = await scripted((connection) => connection.write(said).halfClose())
    const gateway = await front(upstream.port, [{ _tag: "Timeout", backendRequestMillis: 2_000 }])
    const reader = await ask(gateway, post("hello"))
    const answer = await reader.answer("POST")
    expect(answer.status).toBe(503)
    expect(answer.raw.map(([name]) => name)).not.toContain("set-cookie")
    reader.close()
    await outcomes(gateway, 1)
    await lettingGo(upstream)
  })

  it.each<[string, string]>([
    ["a size that is none", "zz\r\n"],
    ["a size that is too large", "fffffffffffffffff\r\n"],
    ["more data than its size", "3\r\nhello\r\n0\r\n\r\n"],
    ["extensions without end", `5;${"x".repeat(200_000)}`],
    ["a trailer without a colon", "0\r\nnonsense\r\n\r\n"],
  ])("in chunks: %s: the reply breaks", async (_what, said) => {
    const upstream = await scripted((connection) => {
      connection.write("HTTP/1.1 200 OK\r\nx-begun: 1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
    })
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    await reader.take("hi")
    upstream.connections[0]?.write(said).halfClose()
    await isBroken(reader)
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
    await lettingGo(upstream)
  })

  it.each<[string, string, string]>([
    ["two replies to one request", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine", "mine"],
    ["more than its length", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine", "mine"],
    ["a body with 204", "HTTP/1.1 204 No Content\r\n\r\n", ""],
    ["a body with 304", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", ""],
  ])("%s: what is too much answers nobody", async (_what, first, body) => {
    const evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    let asked = 0
    const upstream = await scripted((connection) => {
      connection.write(asked++ === 0 ? first + evil : "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood")
    })
    const gateway = await front(upstream.port)
    const [one, other] = [await client(gateway), await client(gateway)]
    expect((await one.write(get()).answer()).body).toBe(body)
    expect(await other.write(get()).answer()).toMatchObject({ status: 200, body: "good" })
    expect(await one.write(get()).answer()).toMatchObject({ status: 200, body: "good" })
    for (const each of [one, other]) each.close()
    await outcomes(gateway, 3)
  })

  it("a reply nobody asked for, on a connection that rests", async () => {
    const upstream = await scripted((connection) =>
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood"),
    )
    const gateway = await front(upstream.port)
    const reader = await client(gateway)
    expect((await reader.write(get()).answer()).body).toBe("good")
    upstream.connections[0]?.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
    await until(
      "the gateway drops that connection",
      () => upstream.connections[0]?.closed === true || upstream.connections[0]?.ended === true,
    )
    expect((await reader.write(get()).answer()).body).toBe("good")
    reader.close()
    await outcomes(gateway, 2)
  })

  it("interim replies without end, until the deadline", async () => {
    const upstream = await scripted((connection) => {
      const storm = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(100)
      const timer = setInterval(() => connection.stream.writable && connection.write(storm), 2)
      connection.stream.on("close", () => clearInterval(timer))
    })
    const gateway = await front(upstream.port, [patience])
    const reader = await ask(gateway)
    let answer = await reader.answer()
    let interim = 0
    for (; answer.status < 200; interim++) answer = await reader.answer()
    expect([503, 504]).toContain(answer.status)
    expect(interim).toBeLessThan(100_000)
    reader.close()
    await outcomes(gateway, 1)
    await lettingGo(upstream)
  })

  it("a thousand interim replies, then one that counts", async () => {
    const upstream = await scripted((connection) => {
      connection.write("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(1_000))
      connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    })
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    let answer = await reader.answer()
    while (answer.status < 200) answer = await reader.answer()
    expect(answer).toMatchObject({ status: 200, body: "ok" })
    reader.close()
    await outcomes(gateway, 1)
  })

  it("a good reply, one byte at a time", async () => {
    const reply = "HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"
    const upstream = await scripted(async (connection) => {
      for (const byte of reply) {
        connection.write(byte)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    const gateway = await front(upstream.port)
    const reader = await ask(gateway)
    expect(await reader.answer()).toMatchObject({ status: 200, body: "hello", headers: { x: "y" } })
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })
})
