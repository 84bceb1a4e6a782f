/** Clients that are slow, or leave at every stage of their request: whoever works for them stops, and nothing is left. */
import * as http from "node:http"
import { describe, expect, it } from "vitest"
import type { TrafficPolicy } from "../../../ir/Policy.ts"
import type { GatewayOptions } from "../../../src/Gateway.ts"
import {
  connect,
  type HttpUpstream,
  httpUpstream,
  type RawClient,
  type RawUpstream,
  rawUpstream,
  sleep,
  snapshotOf,
  type Started,
  startGateway,
  until,
} from "../harness.ts"
import { HALF_CLOSED_SILENCE_MILLIS } from "../../../src/node/downstream/ClientConnection.ts"
import { frame, FrameClient, getting, headers, number, RST_STREAM } from "../hostile/frames.ts"
import { speakingHttp1 } from "../hostile/front.ts"
import { outcomes } from "./freed.ts"
import { stage } from "./stage.ts"

const ends = stage()

const get = (path = "/"): string => `GET ${path} HTTP/1.1\r\nhost: x.test\r\n\r\n`

const front = async (
  to: number,
  policies: ReadonlyArray<TrafficPolicy> = [],
  options: Partial<GatewayOptions> = {},
): Promise<Started> =>
  ends(
    await startGateway(
      speakingHttp1(snapshotOf({ binds: [{ listeners: [{ routes: [{ to, policies }] }] }] })),
      options,
    ),
  )

const client = async (gateway: Started): Promise<RawClient> => ends(await connect(gateway.port))

const forever = async (): Promise<HttpUpstream> => ends(await httpUpstream(() => {}))

const allGone = (upstream: RawUpstream): Promise<void> =>
  until("the upstream sees that it is over", () => upstream.connections.every(({ closed, ended }) => closed || ended))

const leaving: ReadonlyArray<[string, (client: RawClient) => void]> = [
  ["closes", (client) => client.close()],
  ["resets", (client) => client.reset()],
]

describe.each(leaving)("a client that %s", (how, leave) => {
  it("before its first byte", async () => {
    const gateway = await front(1)
    const leaver = await client(gateway)
    await until("the connection", () => gateway.gateway.open().connections === 1)
    leave(leaver)
    expect(await outcomes(gateway, 0)).toEqual([])
  })

  it("in its head", async () => {
    const gateway = await front(1)
    const leaver = await client(gateway)
    leaver.write("GET / HTTP/1.1\r\nhost: x")
    await until("the connection", () => gateway.gateway.open().connections === 1)
    leave(leaver)
    expect(await outcomes(gateway, 0)).toEqual([])
  })

  it("in its upload: the upstream never takes it for the whole", async () => {
    const upstream = await forever()
    const gateway = await front(upstream.port)
    const leaver = await client(gateway)
    leaver.write("POST / HTTP/1.1\r\nhost: x.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    let received = ""
    await until("the call", () => upstream.requests.length === 1)
    const [call] = upstream.requests
    call?.on("data", (chunk: Buffer) => (received += chunk.toString()))
    await until("the beginning of the body", () => received === "hello")
    leave(leaver)
    await until("the upstream sees that it is over", () => upstream.aborted.length === 1)
    expect(call?.complete).toBe(false)
    await outcomes(gateway, 1)
  })

  it("before the head of its reply", async () => {
    const upstream = await forever()
    const gateway = await front(upstream.port)
    const leaver = await client(gateway)
    leaver.write(get())
    await until("the call", () => upstream.requests.length === 1)
    leave(leaver)
    await until("the upstream sees that it is over", () => upstream.aborted.length === 1)
    expect(await outcomes(gateway, 1)).toEqual(["interrupted"])
  })

  it("in the middle of its reply", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        const timer = setInterval(() => response.write("drop\n"), 5)
        response.on("close", () => clearInterval(timer))
      }),
    )
    const gateway = await front(upstream.port)
    const leaver = await client(gateway)
    leaver.write(get())
    await leaver.take("drop\n")
    leave(leaver)
    await until("the upstream sees that it is over", () => upstream.aborted.length === 1)
    expect(await outcomes(gateway, 1)).toEqual(["clientGone"])
  })

  it("in the middle of a reply that it did not read", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        const chunk = Buffer.alloc(1024 * 1024)
        const pump = (): void => {
          while (response.write(chunk));
        }
        response.on("drain", pump)
        pump()
      }),
    )
    const gateway = await front(upstream.port)
    const leaver = await client(gateway)
    leaver.pause()
    leaver.write(get())
    await until("the call", () => upstream.requests.length === 1)
    leave(leaver)
    await until("the upstream sees that it is over", () => upstream.aborted.length === 1)
    expect(await outcomes(gateway, 1)).toEqual(["clientGone"])
  })

  it("while the next attempt is waited for", async () => {
    let asked = 0
    const upstream = ends(
      await httpUpstream((_request, response) => {
        asked++
        response.writeHead(503).end()
      }),
    )
    const gateway = await front(upstream.port, [{ _tag: "Retry", attempts: 5, backoffMillis: 60_000, codes: [503] }])
    const leaver = await client(gateway)
    leaver.write(get())
    await until("the first attempt", () => asked === 1)
    leave(leaver)
    expect(await outcomes(gateway, 1)).toEqual(["interrupted"])
    expect(asked).toBe(1)
  })

  it("while another attempt is under way", async () => {
    const upstream = ends(
      await httpUpstream((request, response) => {
        if (request.headers["x-retry-attempt"] === undefined) response.writeHead(503).end()
      }),
    )
    const gateway = await front(upstream.port, [{ _tag: "Retry", attempts: 5, codes: [503] }])
    const leaver = await client(gateway)
    leaver.write(get())
    await until("the second attempt", () => upstream.requests.length === 2)
    leave(leaver)
    await until("the upstream sees that it is over", () => upstream.aborted.length === 1)
    expect(await outcomes(gateway, 1)).toEqual(["interrupted"])
    expect(upstream.requests).toHaveLength(2)
  })

  it("while it is delayed by policy", async () => {
    const upstream = await forever()
    const gateway = await front(upstream.port, [{ _tag: "Delay", duration: { _tag: "Fixed", millis: 60_000 } }])
    const leaver = await client(gateway)
    leaver.write(get())
    await until("the exchange", () => gateway.gateway.open().exchanges === 1)
    leave(leaver)
    expect(await outcomes(gateway, 1)).toEqual(["interrupted"])
    expect(upstream.requests).toHaveLength(0)
  })

  it("with requests sent ahead: they are never made", async () => {
    const upstream = await forever()
    const gateway = await front(upstream.port)
    const leaver = await client(gateway)
    leaver.write(get("/1") + get("/2") + get("/3"))
    await until("the call", () => upstream.requests.length === 1)
    leave(leaver)
    // While nobody reads what it sent ahead, its leaving shows only when something is written to it.
    await until("the upstream sees that it is over", () => upstream.aborted.length === 1, 15_000)
    expect(await outcomes(gateway, 1)).toEqual(["interrupted"])
    expect(upstream.requests.map(({ url }) => url)).toEqual(["/1"])
  })

  it("in an upload that the upstream does not take", async () => {
    const upstream = ends(await rawUpstream((connection) => connection.pause()))
    const gateway = await front(upstream.port)
    const leaver = await client(gateway)
    const size = 32 * 1024 * 1024
    leaver.write(`POST / HTTP/1.1\r\nhost: x.test\r\ncontent-length: ${size}\r\n\r\n`)
    leaver.stream.write(Buffer.alloc(size))
    await until("the call", () => upstream.connections.length === 1)
    let queued = -1
    await until("nothing moves any more", () => {
      const before = queued
      queued = leaver.stream.writableLength
      return queued === before && gateway.gateway.open().exchanges === 1
    })
    leave(leaver)
    // An end lies behind what is not read yet.
    if (how === "resets") await until("the exchange ended", () => gateway.told.exchanges.length === 1, 15_000)
    await until("the upstream sees that it is over", () => {
      for (const { stream } of upstream.connections) stream.resume()
      return upstream.connections.every(({ closed, ended }) => closed || ended)
    })
    await outcomes(gateway, 1)
  })

  it("out of a tunnel", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("\r\n\r\n")
        connection.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello")
        connection.stream.on("end", () => connection.halfClose())
      }),
    )
    const gateway = await front(upstream.port)
    const leaver = await client(gateway)
    leaver.write("GET / HTTP/1.1\r\nhost: x.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    await leaver.take("hello")
    leave(leaver)
    await allGone(upstream)
    await outcomes(gateway, 1)
  })

  it("with many streams of HTTP/2 open", async () => {
    const upstream = await forever()
    const gateway = await front(upstream.port)
    const leaver = new FrameClient(await client(gateway)).open()
    for (let i = 0; i < 20; i++) leaver.raw.write(headers(2 * i + 1, getting("/never")))
    await until("the calls", () => upstream.requests.length === 20)
    leave(leaver.raw)
    await until("the upstream sees that it is over", () => upstream.aborted.length === 20)
    expect(await outcomes(gateway, 20)).toEqual(Array(20).fill("interrupted"))
  })
})

it("a client that cancels one stream of HTTP/2 ends that call and no other", async () => {
  const upstream = await forever()
  const gateway = await front(upstream.port)
  const leaver = new FrameClient(await client(gateway)).open()
  for (const id of [1, 3, 5]) leaver.raw.write(headers(id, getting(`/${id}`)))
  await until("the calls", () => upstream.requests.length === 3)
  leaver.raw.write(frame(RST_STREAM, 0, 3, number(8)))
  await until("the upstream sees that it is over", () => upstream.aborted.length === 1)
  expect(upstream.aborted[0]?.url).toBe("/3")
  leaver.raw.close()
  await outcomes(gateway, 3)
})

it("a client whose upload is not taken hears nothing before its reply", { timeout: 30_000 }, async () => {
  const upstream = ends(await rawUpstream((connection) => connection.pause()))
  const gateway = await front(upstream.port)
  const sender = await client(gateway)
  const size = 32 * 1024 * 1024
  sender.write(`POST / HTTP/1.1\r\nhost: x.test\r\ncontent-length: ${size}\r\n\r\n`)
  sender.stream.write(Buffer.alloc(size))
  await until("the call", () => upstream.connections.length === 1)
  await sleep(HALF_CLOSED_SILENCE_MILLIS + 2_500)
  for (const connection of upstream.connections) {
    connection.stream.resume()
    connection.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")
  }
  expect(await sender.answer("POST")).toMatchObject({ status: 200, body: "done" })
  await outcomes(gateway, 1)
})

describe("slow clients", () => {
  const limits = { headTimeoutMillis: 300, bodyIdleTimeoutMillis: 300, writeStallTimeoutMillis: 300 }

  it("fifty that send their heads byte by byte: each gets 408, and others are served meanwhile", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await front(upstream.port, [], { limits })
    const slow = await Promise.all(Array.from({ length: 50 }, () => client(gateway)))
    const head = get().slice(0, -2) + "x: y\r\n".repeat(1_000)
    let at = 0
    const dripping = setInterval(() => {
      for (const one of slow) if (!one.ended && !one.closed) one.write(head[at] ?? "x")
      at++
    }, 10)
    ends({ close: () => clearInterval(dripping) })
    const other = await client(gateway)
    expect((await other.write(get()).answer()).status).toBe(200)
    other.close()
    for (const one of slow) {
      expect(await one.answer()).toMatchObject({ status: 408, headers: { connection: "close" } })
      await one.gone()
      one.close()
    }
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })

  it("fifty that stop in their bodies: each gets 408, and the upstream never takes them for the whole", async () => {
    const upstream = await forever()
    const gateway = await front(upstream.port, [], { limits })
    const slow = await Promise.all(Array.from({ length: 50 }, () => client(gateway)))
    for (const one of slow) one.write("POST / HTTP/1.1\r\nhost: x.test\r\ncontent-length: 10\r\n\r\nhello")
    for (const one of slow) {
      expect((await one.answer("POST")).status).toBe(408)
      await one.gone()
      one.close()
    }
    expect(upstream.requests.filter(({ complete }) => complete)).toEqual([])
    await outcomes(gateway, 50)
    await until("every call is over", () => upstream.aborted.length === upstream.requests.length)
  })

  it("twenty that do not read: each loses its connection, and its call is ended", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.writeHead(200, { "content-length": String(32 * 1024 * 1024) })
        response.end(Buffer.alloc(32 * 1024 * 1024))
      }),
    )
    const gateway = await front(upstream.port, [], { limits: { writeStallTimeoutMillis: 300 } })
    const slow = await Promise.all(Array.from({ length: 20 }, () => client(gateway)))
    for (const one of slow) {
      one.pause()
      one.write(get())
    }
    await until("every call is over", () => upstream.aborted.length === 20, 50_000)
    expect(await outcomes(gateway, 20)).toEqual(Array(20).fill("clientGone"))
    for (const one of slow) one.close()
  })

  it("one that reads slowly but steadily gets everything", async () => {
    const size = 4 * 1024 * 1024
    const upstream = ends(await httpUpstream((_request, response) => void response.end(Buffer.alloc(size))))
    const gateway = await front(upstream.port, [], { limits })
    const reader = await client(gateway)
    reader.write(get())
    const nap = setInterval(() => {
      reader.stream.pause()
      setTimeout(() => reader.stream.resume(), 20)
    }, 40)
    ends({ close: () => clearInterval(nap) })
    const answer = await reader.answer("GET", 20_000)
    expect(answer.body.length).toBe(size)
    reader.close()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })
})

/** The same numbers every time (mulberry32). */
const seeded = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

it.each([1, 2, 3])("two hundred clients that leave at any moment leave nothing behind (seed %i)", async (seed) => {
  const random = seeded(seed)
  const answering: http.RequestListener = (request, response) => {
    request.resume()
    const parts = Math.floor(random() * 5)
    let part = 0
    const next = (): void => {
      if (response.destroyed) return
      if (part++ === parts) return void response.end("end")
      response.write("x".repeat(Math.floor(random() * 50_000)))
      setTimeout(next, random() * 10)
    }
    setTimeout(next, random() * 20)
  }
  const upstream = ends(await httpUpstream(answering))
  const gateway = await front(upstream.port, [{ _tag: "Retry", attempts: 1, backoffMillis: 5, codes: [503] }])
  const one = async (): Promise<void> => {
    const leaver = await connect(gateway.port)
    const body = "x".repeat(Math.floor(random() * 30_000))
    const request =
      random() < 0.5 ? get() : `POST / HTTP/1.1\r\nhost: x.test\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const sent = random() < 0.3 ? Math.floor(random() * request.length) : request.length
    leaver.write(request.slice(0, sent))
    await new Promise((resolve) => setTimeout(resolve, random() * 60))
    if (random() < 0.3) {
      leaver.halfClose()
      // A reset in the same breath is refused by Node, which then never closes the socket.
      await new Promise((resolve) => setTimeout(resolve, 5 + random() * 20))
    }
    if (random() < 0.5) leaver.reset()
    else leaver.close()
  }
  await Promise.all(Array.from({ length: 200 }, one))
  await until(
    "no connection and no exchange is left",
    () => gateway.gateway.open().connections === 0 && gateway.gateway.open().exchanges === 0,
    15_000,
  )
  // One line each: as many as there were exchanges, whatever became of them.
  const exchanges = gateway.told.exchanges.map(({ exchange }) => exchange)
  expect(new Set(exchanges).size).toBe(exchanges.length)
  const attempts = exchanges.reduce((sum, { trail }) => sum + trail.attempts, 0)
  expect(upstream.requests.length).toBeLessThanOrEqual(attempts)
  const server = upstream.server
  const open = (): Promise<number> => new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
  // What is left upstream rests in the pool, and answers.
  const other = await client(gateway)
  expect((await other.write(get()).answer()).status).toBe(200)
  expect(await open()).toBeLessThanOrEqual(200)
  other.close()
})
