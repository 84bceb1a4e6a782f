import * as http from "node:http"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import type { TrafficPolicy } from "../../ir/Policy.ts"
import {
  connect,
  type HttpUpstream,
  httpUpstream,
  plain,
  type RawClient,
  rawUpstream,
  sleep,
  type Started,
  startGateway,
  until,
  snapshotOf,
} from "./harness.ts"
import { HALF_CLOSED_SILENCE_MILLIS } from "../../src/node/downstream/ClientConnection.ts"

const get = (path = "/", more = ""): string => `GET ${path} HTTP/1.1\r\nhost: x.test\r\n${more}\r\n`

const closers: Array<() => Promise<void>> = []
const ends = <A extends { close: () => Promise<void> }>(what: A): A => {
  closers.push(what.close)
  return what
}
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

describe("with an upstream that echoes", () => {
  let upstream: HttpUpstream
  let gateway: Started
  beforeAll(async () => {
    upstream = await httpUpstream()
    gateway = await startGateway(plain(upstream.port), { limits: { headBytesMax: 8_192 } })
  })
  afterAll(async () => {
    await gateway.close()
    await upstream.close()
  })

  it("keeps a connection for one request after the other", async () => {
    const client = await connect(gateway.port)
    for (const path of ["/one", "/two?x=1"]) {
      client.write(get(path))
      const answer = await client.answer()
      expect(answer.status).toBe(200)
      expect(JSON.parse(answer.body)).toMatchObject({ method: "GET", url: path })
      expect(answer.raw.filter(([name]) => name.toLowerCase() === "date")).toHaveLength(1)
      expect(answer.raw.filter(([name]) => name.toLowerCase() === "connection")).toHaveLength(1)
      expect(answer.raw.filter(([name]) => name.toLowerCase() === "keep-alive").length).toBeLessThanOrEqual(1)
    }
    client.close()
  })

  it("passes a body with a length and one in chunks", async () => {
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nhost: x.test\r\ncontent-length: 5\r\n\r\nhello")
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ body: "hello" })
    client.write(
      "POST / HTTP/1.1\r\nhost: x.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    )
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ body: "hello!" })
    client.close()
  })

  it("answers pipelined requests in order, also when bodies lie between them", async () => {
    const client = await connect(gateway.port)
    const post = (path: string, body: string) =>
      `POST ${path} HTTP/1.1\r\nhost: x.test\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    client.write(get("/1") + post("/2", "two") + get("/3") + post("/4", "four"))
    const urls = []
    for (let i = 0; i < 4; i++) urls.push((JSON.parse((await client.answer()).body) as { url: string }).url)
    expect(urls).toEqual(["/1", "/2", "/3", "/4"])
    client.close()
  })

  it("answers every pipelined request of a client that has closed its half", async () => {
    const client = await connect(gateway.port)
    client.write(get("/1") + get("/2"))
    client.halfClose()
    const final = async () => {
      for (;;) {
        const answer = await client.answer()
        if (answer.status >= 200) return JSON.parse(answer.body) as { url: string }
      }
    }
    expect((await final()).url).toBe("/1")
    expect((await final()).url).toBe("/2")
    await client.gone()
  })

  it("refuses bytes that are no request with 400 and closes", async () => {
    const client = await connect(gateway.port)
    client.write("NOT HTTP AT ALL\r\n\r\n")
    const answer = await client.answer()
    const body = "invalid request: invalid request line"
    expect(answer).toMatchObject({ status: 400, headers: { connection: "close" }, body })
    expect(answer.headers["date"]).toBeDefined()
    await client.gone()
    expect(gateway.told.malformed.at(-1)).toMatchObject({ status: 400, message: body })
  })

  it("answers what came before a malformed request first", async () => {
    const client = await connect(gateway.port)
    client.write(`${get("/before")}NOT HTTP AT ALL\r\n\r\n`)
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: "/before" })
    expect((await client.answer()).status).toBe(400)
    await client.gone()
  })

  it("refuses a head that is too large with 431", async () => {
    const client = await connect(gateway.port)
    client.write(get("/", `x-large: ${"a".repeat(9_000)}\r\n`))
    expect((await client.answer()).status).toBe(431)
    await client.gone()
  })

  it("refuses more fields than allowed with 431, and nothing after them is served", async () => {
    const before = upstream.requests.length
    const client = await connect(gateway.port)
    client.write(get("/many", "a: b\r\n".repeat(100)) + get("/after"))
    expect((await client.answer()).status).toBe(431)
    await client.gone()
    expect(upstream.requests.length).toBe(before)
  })

  it("serves exactly as many fields as allowed", async () => {
    const client = await connect(gateway.port)
    client.write(get("/many", "a: b\r\n".repeat(99)))
    expect((await client.answer()).status).toBe(200)
    client.close()
  })

  it.each([
    ["no host", "GET / HTTP/1.1\r\n\r\n"],
    ["two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"],
    [
      "length and chunks",
      "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"],
    ["a length that is none", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc"],
    ["chunks in HTTP/1.0", "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a space before the colon", "GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n"],
    ["an obsolete fold", "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n"],
    ["a fragment in the target", "GET /#x HTTP/1.1\r\nhost: a\r\n\r\n"],
    ["a bare line feed", "GET / HTTP/1.1\nhost: a\n\n"],
  ])("refuses %s with 400", async (_what, bytes) => {
    const before = upstream.requests.length
    const client = await connect(gateway.port)
    client.write(bytes)
    expect((await client.answer()).status).toBe(400)
    client.close()
    expect(upstream.requests.length).toBe(before)
  })

  it("sends 100 when the body is wanted", async () => {
    const client = await connect(gateway.port)
    client.write("POST /x HTTP/1.1\r\nhost: x.test\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    expect((await client.answer()).status).toBe(100)
    client.write("ok")
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ body: "ok" })
    client.close()
  })

  it("refuses an expectation it does not know with 417", async () => {
    const client = await connect(gateway.port)
    client.write(get("/", "expect: miracles\r\n"))
    expect((await client.answer()).status).toBe(417)
    client.close()
  })

  it("serves HTTP/1.0 with and without keep-alive", async () => {
    const once = await connect(gateway.port)
    once.write("GET /old HTTP/1.0\r\nhost: x.test\r\n\r\n")
    const answer = await once.answer()
    expect(answer.headers["transfer-encoding"]).toBeUndefined()
    expect(answer.headers["connection"]).toBe("close")
    expect(JSON.parse(answer.body)).toMatchObject({ url: "/old" })
    await once.gone()

    const kept = await connect(gateway.port)
    kept.write("GET /1 HTTP/1.0\r\nhost: x.test\r\nconnection: keep-alive\r\n\r\n")
    expect((await kept.answer()).headers["connection"]).toBe("keep-alive")
    kept.write("GET /2 HTTP/1.0\r\nhost: x.test\r\nconnection: keep-alive\r\n\r\n")
    expect((await kept.answer()).status).toBe(200)
    kept.close()
  })

  it("closes when the client asks for it", async () => {
    const client = await connect(gateway.port)
    client.write(get("/", "connection: close\r\n"))
    expect((await client.answer()).headers["connection"]).toBe("close")
    await client.gone()
  })

  it("ends a connection that is idle when it drains, and the one at work after its reply", async () => {
    const slow = ends(
      await httpUpstream((request, response) => {
        if (request.url === "/slow") setTimeout(() => response.end("done"), 150)
        else response.end("quick")
      }),
    )
    const own = await startGateway(plain(slow.port))
    const idle = await connect(own.port)
    idle.write(get("/quick"))
    await idle.answer()
    const busy = await connect(own.port)
    busy.write(get("/slow"))
    await until("the slow request to arrive", () => slow.requests.length === 2)
    const closed = own.close()
    await idle.gone()
    const answer = await busy.answer()
    expect(answer).toMatchObject({ status: 200, body: "done", headers: { connection: "close" } })
    await busy.gone()
    await closed
    expect(own.gateway.open()).toMatchObject({ connections: 0, exchanges: 0 })
  })
})

describe("replies", () => {
  it("have no body for HEAD, 204 and 304, and the connection lives on", async () => {
    const upstream = ends(
      await httpUpstream((request, response) => {
        if (request.url === "/204") return void response.writeHead(204).end()
        if (request.url === "/304") return void response.writeHead(304, { etag: '"x"' }).end()
        response.writeHead(200, { "content-length": "5" }).end("hello")
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write("HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
    expect((await client.answer("HEAD")).headers["content-length"]).toBe("5")
    client.write(get("/204"))
    const none = await client.answer()
    expect(none.status).toBe(204)
    expect(none.headers["content-length"]).toBeUndefined()
    client.write(get("/304"))
    expect((await client.answer()).headers["etag"]).toBe('"x"')
    client.write(get("/"))
    expect((await client.answer()).body).toBe("hello")
    client.close()
  })

  it("carry trailers", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.writeHead(200, { trailer: "x-sum" })
        response.write("body")
        response.addTrailers({ "x-sum": "42" })
        response.end()
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get("/", "te: trailers\r\n"))
    expect(await client.answer()).toMatchObject({ body: "body", trailers: { "x-sum": "42" } })
    client.close()
  })

  it("follow interim ones", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => setTimeout(() => response.end("ok"), 20))
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    expect(await client.answer()).toMatchObject({ status: 103, headers: { link: "</style.css>; rel=preload" } })
    expect(await client.answer()).toMatchObject({ status: 200, body: "ok" })
    client.close()
    const old = await connect(gateway.port)
    old.write("GET / HTTP/1.0\r\nhost: x\r\n\r\n")
    expect((await old.answer()).status).toBe(200)
  })

  it("begin before their body does", async () => {
    let release = (): void => {}
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
        release = () => void response.end("data: x\n\n")
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    const head = await client.take("\r\n\r\n")
    expect(head).toContain("text/event-stream")
    release()
    await client.take("0\r\n\r\n")
    client.close()
  })

  it("that break off do not look whole", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        const head = await connection.take("\r\n\r\n")
        if (head.includes("/chunked"))
          connection.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        else if (head.includes("/length")) connection.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
        await sleep(50)
        connection.close()
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    for (const path of ["/chunked", "/length"]) {
      const client = await connect(gateway.port)
      client.write(get(path))
      await client.take("abc")
      await client.gone()
      expect(client.text).not.toContain("0\r\n\r\n")
    }
    const old = await connect(gateway.port)
    old.write("GET /chunked HTTP/1.0\r\nhost: x\r\n\r\n")
    await old.take("abc")
    await until("the connection reset", () => old.closed)
    expect(old.error?.code).toBe("ECONNRESET")
    await until("the journal", () => gateway.told.exchanges.length === 3)
    expect(gateway.told.exchanges.map(({ ending }) => ending.outcome)).toEqual(Array(3).fill("upstreamFailed"))
  })
})

describe("request bodies", () => {
  it("keep their trailers and their end", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(
      "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n",
    )
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ body: "hi", trailers: { "x-sum": "1" } })
    client.write(get("/next"))
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: "/next" })
    client.close()
  })

  it("that are malformed in the middle end the upstream request and get 400", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await until("the upstream request", () => upstream.requests.length === 1)
    client.write("zz\r\n")
    expect(await client.answer()).toMatchObject({ status: 400, body: "invalid request: invalid chunk size" })
    await client.gone()
    await until("the upstream request to end", () => upstream.aborted.length === 1)
  })

  it("that stall get 408", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port), { limits: { bodyIdleTimeoutMillis: 120 } }))
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello")
    const answer = await client.answer()
    expect(answer).toMatchObject({ status: 408, headers: { connection: "close" } })
    await client.gone()
    await until("the upstream request to end", () => upstream.aborted.length === 1)
  })

  it("that stand still once their reply has begun are waited for: what a client has to say may depend on what it hears", async () => {
    const upstream = ends(
      await httpUpstream((request, response) => {
        response.writeHead(200).flushHeaders()
        let body = ""
        request.on("data", (chunk: Buffer) => (body += chunk.toString()))
        request.once("end", () => response.end(body))
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port), { limits: { bodyIdleTimeoutMillis: 120 } }))
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello")
    await until("the head", () => client.text.includes("\r\n\r\n"))
    await sleep(400)
    client.write("world")
    expect(await client.answer()).toMatchObject({ status: 200, body: "helloworld" })
    client.close()
  })

  it("that trickle but go on are served", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port), { limits: { bodyIdleTimeoutMillis: 200 } }))
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n")
    for (const letter of "trickles") {
      client.write(letter)
      await sleep(60)
    }
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ body: "trickles" })
    client.close()
  })

  it("that nobody reads close the connection, after the reply arrived", async () => {
    const gateway = ends(await startGateway(plain(1)))
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`
    const sending = setInterval(() => client.stream.writable && client.write(chunk), 1)
    const answer = await client.answer("POST")
    expect(answer).toMatchObject({ status: 503, headers: { connection: "close" } })
    await client.gone()
    clearInterval(sending)
    client.close()
  })

  it("that are small and unread do not cost the connection", async () => {
    const gateway = ends(await startGateway(plain(1)))
    const client = await connect(gateway.port)
    for (let i = 0; i < 3; i++) {
      client.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello")
      expect(await client.answer("POST")).toMatchObject({ status: 503, headers: { connection: "keep-alive" } })
    }
    client.close()
  })

  it("are not invited when the request is refused", async () => {
    const gateway = ends(await startGateway(plain(1)))
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
    expect(await client.answer("POST")).toMatchObject({ status: 400, headers: { connection: "close" } })
    await client.gone()
  })

  it(
    "that go on are no silence, however slowly the upstream takes them, nor are those that came whole",
    {
      timeout: 60_000,
    },
    async () => {
      const longMillis = 1.5 * HALF_CLOSED_SILENCE_MILLIS
      const slowly = async (): Promise<void> => {
        const size = 32 * 1024 * 1024
        const begun = performance.now()
        const upstream = ends(
          await httpUpstream(async (request, response) => {
            for await (const chunk of request as AsyncIterable<Buffer>) {
              if (performance.now() - begun < longMillis) await sleep(chunk.byteLength / 4_000)
            }
            response.end("all of it")
          }),
        )
        const gateway = ends(await startGateway(plain(upstream.port)))
        const client = await connect(gateway.port)
        client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n`)
        client.stream.write(Buffer.alloc(size))
        // No interim reply came before it.
        expect(await client.answer()).toMatchObject({ status: 200, body: "all of it" })
        expect(performance.now() - begun).toBeGreaterThan(HALF_CLOSED_SILENCE_MILLIS)
        client.close()
      }
      const thinking = async (): Promise<void> => {
        const upstream = ends(
          await httpUpstream((_request, response) => void setTimeout(() => response.end("thought of"), longMillis)),
        )
        const delay: TrafficPolicy = { _tag: "Delay", duration: { _tag: "Fixed", millis: 300 } }
        const gateway = ends(
          await startGateway(
            snapshotOf({ binds: [{ listeners: [{ routes: [{ to: upstream.port, policies: [delay] }] }] }] }),
          ),
        )
        const client = await connect(gateway.port)
        const half = "y".repeat(50_000)
        client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n${half}`)
        await until("the exchange", () => gateway.gateway.open().exchanges === 1)
        client.write(half)
        expect(await client.answer()).toMatchObject({ status: 200, body: "thought of" })
        client.close()
      }
      await Promise.all([slowly(), thinking()])
    },
  )

  it("flow at the pace of the upstream, and memory stays flat", async () => {
    const upstream = ends(
      await rawUpstream((connection) => {
        connection.pause()
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    const size = 64 * 1024 * 1024
    client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n`)
    let sent = 0
    const chunk = Buffer.alloc(65_536)
    const pump = (): void => {
      while (sent < size && client.stream.writable) {
        sent += chunk.byteLength
        if (!client.stream.write(chunk)) return
      }
    }
    client.stream.on("drain", pump)
    pump()
    let last = -1
    while (last !== sent) {
      last = sent
      await sleep(100)
    }
    // What the kernel buffers of two connections and ours hold, far from the whole.
    expect(sent).toBeLessThan(size / 2)
    client.close()
  })
})

it("a body that came whole before it was wanted leaves a connection that goes on, whatever its size", async () => {
  const upstream = ends(await httpUpstream())
  const delay: TrafficPolicy = { _tag: "Delay", duration: { _tag: "Fixed", millis: 100 } }
  const gateway = ends(
    await startGateway(
      snapshotOf({ binds: [{ listeners: [{ routes: [{ to: upstream.port, policies: [delay] }] }] }] }),
    ),
  )
  await Promise.all(
    [1, 65_000, 65_536, 66_000, 70_000, 100_000, 131_072, 140_000, 200_000, 1_000_000].map(async (size) => {
      for (const frame of [`content-length: ${size}`, "transfer-encoding: chunked"]) {
        const body = "y".repeat(size)
        const isChunked = frame.endsWith("chunked")
        const client = await connect(gateway.port)
        client.write(`POST / HTTP/1.1\r\nhost: x\r\n${frame}\r\n\r\n`)
        client.write(isChunked ? `${size.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body)
        expect([size, frame, (await client.answer()).status]).toEqual([size, frame, 200])
        client.write(get("/next"))
        expect([size, frame, (await client.answer()).status]).toEqual([size, frame, 200])
        client.close()
      }
    }),
  )
})

describe("clients that leave", () => {
  const forever = () => httpUpstream(() => {})

  const stalled = () =>
    httpUpstream((_request, response) => {
      response.setHeader("content-length", 100)
      response.write("begun")
    })

  it("behind what they sent ahead end the upstream request before long", { timeout: 30_000 }, async () => {
    const upgrade = "connection: upgrade\r\nupgrade: x\r\n"
    const another = "GET /b HTTP/1.1\r\nhost: x\r\n\r\n"
    const leave = async (serve: typeof forever, fields: string, behind: string): Promise<void> => {
      const upstream = ends(await serve())
      const gateway = ends(await startGateway(plain(upstream.port)))
      const client = await connect(gateway.port)
      client.write(`GET / HTTP/1.1\r\nhost: x\r\n${fields}\r\n${behind}`)
      await until("the upstream request", () => upstream.requests.length === 1)
      if (serve === stalled) await client.take("begun")
      client.close()
      await until("the upstream request to end", () => upstream.aborted.length === 1, 20_000)
      await until("everything ended", () => gateway.gateway.open().connections === 0)
      expect(gateway.told.exchanges).toHaveLength(1)
      expect(upstream.requests).toHaveLength(1)
    }
    // For a tunnel that does not come, or was declined; ahead of a reply that does not come, or stands still.
    await Promise.all([
      leave(forever, upgrade, "early words"),
      leave(stalled, upgrade, "early words"),
      leave(forever, "", another),
      leave(stalled, "", another),
    ])
  })

  it("by a reset end the upstream request at once", async () => {
    const upstream = ends(await forever())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    await until("the upstream request", () => upstream.requests.length === 1)
    client.reset()
    await until("the upstream request to end", () => upstream.aborted.length === 1, 500)
    await until("the journal", () => gateway.told.exchanges.length === 1)
    expect(gateway.told.exchanges[0]?.ending.outcome).toBe("interrupted")
    expect(gateway.gateway.open()).toMatchObject({ connections: 0, exchanges: 0 })
  })

  it("by closing end the upstream request soon", async () => {
    const upstream = ends(await forever())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    await until("the upstream request", () => upstream.requests.length === 1)
    client.close()
    await until("the upstream request to end", () => upstream.aborted.length === 1)
  })

  it("in the middle of their body end the upstream request", async () => {
    const upstream = ends(await forever())
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello")
    await until("the upstream request", () => upstream.requests.length === 1)
    client.close()
    await until("the upstream request to end", () => upstream.aborted.length === 1)
  })

  it("in the middle of a reply end the upstream reply", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        const timer = setInterval(() => response.write("data: x\n\n"), 10)
        response.on("close", () => clearInterval(timer))
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    await client.take("data: x")
    client.close()
    await until("the upstream reply to end", () => upstream.aborted.length === 1)
    await until("the journal", () => gateway.told.exchanges.length === 1)
    expect(gateway.told.exchanges[0]?.ending.outcome).toBe("clientGone")
  })

  it("while they follow events that do not come end the upstream reply at once", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write("data: x\n\n")
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    await client.take("data: x")
    client.close()
    await until("the upstream reply to end", () => upstream.aborted.length === 1)
    await until("the journal", () => gateway.told.exchanges.length === 1)
    expect(gateway.told.exchanges[0]?.ending.outcome).toBe("clientGone")
    expect(gateway.gateway.open()).toMatchObject({ exchanges: 0 })
  })

  it("while chunks of any kind do not come end the upstream reply long before silence would", async () => {
    const upstream = ends(
      await httpUpstream((request, response) => {
        // Where the length is known there is no place to find out, so that one is left to the silence.
        response.writeHead(200, {
          ...(request.url === "/known" ? { "content-length": "100" } : {}),
          ...(request.url === "/events" ? { "content-type": "text/event-stream" } : {}),
        })
        response.write("some")
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const clients: Array<RawClient> = []
    for (const path of ["/known", "/chunked", "/events"]) {
      const client = await connect(gateway.port)
      client.write(get(path))
      await client.take("some")
      clients.push(client)
    }
    for (const client of clients) client.close()
    await until("all upstream replies to end", () => upstream.aborted.length === 3, 4 * HALF_CLOSED_SILENCE_MILLIS)
    expect(upstream.aborted.map(({ url }) => url)).toEqual(["/events", "/chunked", "/known"])
  })

  it("only with their own half can read the chunks that come later", async () => {
    const upstream = ends(
      await httpUpstream((_request, response) => {
        response.write("first")
        setTimeout(() => response.write("second"), 300)
        setTimeout(() => response.end(), 500)
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    await client.take("first")
    client.halfClose()
    await client.gone()
    // Zeros that find out whether it is there stand in front of the size of a chunk, where they change nothing.
    expect(client.text).toMatch(/^\r\n0{0,2}6\r\nsecond\r\n0{1,3}\r\n\r\n$/)
    const parsed = await new Promise<string>((resolve, reject) => {
      const request = http.get({ host: "127.0.0.1", port: gateway.port, agent: false }, (response) => {
        let text = ""
        response.once("data", () => request.socket?.end())
        response.on("data", (chunk: Buffer) => (text += chunk.toString()))
        response.on("end", () => resolve(text))
        response.on("error", reject)
      })
      request.on("error", reject)
    })
    expect(parsed).toBe("firstsecond")
  })

  it("only with their own half still get the reply, however late", async () => {
    const upstream = ends(await httpUpstream((_request, response) => void setTimeout(() => response.end("late"), 400)))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    client.halfClose()
    expect(await client.answer()).toMatchObject({ status: 200, body: "late" })
    await client.gone()
  })

  const probed: ReadonlyArray<
    readonly [what: string, version: string, reply: (response: http.ServerResponse) => void]
  > = [
    ["of known length", "1.1", (response) => response.setHeader("content-length", "4").end("late")],
    ["in chunks", "1.1", (response) => void (response.write("la"), response.end("te"))],
    [
      "behind an interim one",
      "1.1",
      (response) => response.writeEarlyHints({ link: "</a>; rel=preload" }, () => response.end("late")),
    ],
    ["for HTTP/1.0", "1.0", (response) => response.end("late")],
  ]
  it.each(probed)("are asked whether they are there by the beginning of a reply %s", async (_what, version, reply) => {
    const waiting: Array<http.ServerResponse> = []
    const upstream = ends(await httpUpstream((_request, response) => void waiting.push(response)))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get().replace("HTTP/1.1", `HTTP/${version}`))
    client.halfClose()
    await until("the first character", () => client.text === "H")
    for (const response of waiting) reply(response)
    let answer = await client.answer()
    if (answer.status === 103) answer = await client.answer()
    expect(answer).toMatchObject({ status: 200, body: "late" })
    await client.gone()
    expect(client.text).toBe("")
  })

  it("and speak HTTP/1.0 get the reply", async () => {
    const upstream = ends(await httpUpstream((_request, response) => void setTimeout(() => response.end("late"), 150)))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write("GET / HTTP/1.0\r\n\r\n")
    client.halfClose()
    expect((await client.answer()).status).toBe(400)
    const named = await connect(gateway.port)
    named.write("GET / HTTP/1.0\r\nhost: x\r\n\r\n")
    named.halfClose()
    expect(await named.answer()).toMatchObject({ status: 200, body: "late" })
  })
})

describe("slow clients", () => {
  it("that send their head byte by byte are cut at one deadline", async () => {
    const gateway = ends(await startGateway(plain(1), { limits: { headTimeoutMillis: 300 } }))
    const client = await connect(gateway.port)
    const bytes = get("/", `x: ${"y".repeat(1_000)}\r\n`)
    let at = 0
    const dripping = setInterval(() => client.stream.writable && client.write(bytes[at++] ?? ""), 20)
    const answer = await client.answer()
    clearInterval(dripping)
    expect(answer.status).toBe(408)
    expect(at).toBeLessThan(bytes.length)
    await client.gone()
  })

  it("that send nothing are closed without a word", async () => {
    const gateway = ends(await startGateway(plain(1), { limits: { headTimeoutMillis: 100 } }))
    const client = await connect(gateway.port)
    await client.gone()
    expect(client.text).toBe("")
    expect(gateway.told.rejected).toHaveLength(1)
  })

  it("cannot stretch the first bytes beyond the deadline", async () => {
    const gateway = ends(await startGateway(plain(1), { limits: { headTimeoutMillis: 200 } }))
    const client = await connect(gateway.port)
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    let at = 0
    const dripping = setInterval(() => client.stream.writable && client.write(preface[at++] ?? ""), 100)
    await client.gone()
    clearInterval(dripping)
    expect(at).toBeLessThan(preface.length)
  })

  it("that do not read what is ready lose the connection", async () => {
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
    const gateway = ends(await startGateway(plain(upstream.port), { limits: { writeStallTimeoutMillis: 200 } }))
    const client = await connect(gateway.port)
    client.pause()
    client.write(get())
    await until("the upstream reply to end", () => upstream.aborted.length === 1)
    expect(gateway.gateway.open().connections).toBe(0)
  })

  it("hold back the upstream, and get everything when they read again", async () => {
    let written = 0
    const size = 64 * 1024 * 1024
    const upstream = ends(
      await httpUpstream((_request, response) => {
        const chunk = Buffer.alloc(1024 * 1024)
        const pump = (): void => {
          while (written < size) {
            written += chunk.byteLength
            if (!response.write(chunk)) return
          }
          response.end()
        }
        response.on("drain", pump)
        pump()
      }),
    )
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get())
    client.pause()
    let last = -1
    while (last !== written) {
      last = written
      await sleep(100)
    }
    expect(written).toBeLessThan(size / 2)
    let got = 0
    client.stream.on("data", (chunk: Buffer) => (got += chunk.byteLength))
    client.stream.resume()
    await until("everything to arrive", () => got > size, 20_000)
    client.close()
  })

  it("that send requests without end before the first reply are held back", async () => {
    const upstream = ends(await httpUpstream(() => {}))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    const requests = Buffer.from(get("/flood", `x: ${"y".repeat(400)}\r\n`).repeat(100))
    let sent = 0
    const pump = (): void => {
      while (sent < 64 * 1024 * 1024) {
        sent += requests.byteLength
        if (!client.stream.write(requests)) return
      }
    }
    client.stream.on("drain", pump)
    pump()
    let last = -1
    while (last !== sent) {
      last = sent
      await sleep(100)
    }
    expect(sent).toBeLessThan(32 * 1024 * 1024)
    expect(upstream.requests).toHaveLength(1)
    expect(gateway.gateway.open().exchanges).toBe(1)
    client.close()
  })

  it("that are idle between requests are closed", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port, [{ _tag: "Http", http1IdleTimeoutMillis: 100 }])))
    const client = await connect(gateway.port)
    client.write(get())
    expect((await client.answer()).status).toBe(200)
    await client.gone()
  })
})

describe("spelling of field names", () => {
  const upstreamThat = async (reply: string) => {
    const seen: Array<string> = []
    const upstream = await rawUpstream(async (connection) => {
      for (;;) {
        seen.push(await connection.take("\r\n\r\n"))
        connection.write(reply)
      }
    })
    return { ...upstream, seen }
  }
  const reply = "HTTP/1.1 200 OK\r\nX-ThinG: a\r\nContent-Length: 2\r\n\r\nok"

  it("is lower case unless it is to be kept", async () => {
    const upstream = ends(await upstreamThat(reply))
    const gateway = ends(await startGateway(plain(upstream.port)))
    const client = await connect(gateway.port)
    client.write(get("/", "X-CaMeL: 1\r\n"))
    const answer = await client.answer()
    expect(upstream.seen[0]).toContain("x-camel: 1")
    expect(answer.raw.map(([name]) => name)).toContain("x-thing")
    client.close()
  })

  it("is kept both ways where the policy says so", async () => {
    const upstream = ends(await upstreamThat(reply))
    const gateway = ends(await startGateway(plain(upstream.port, [{ _tag: "Http", http1HeaderCase: "preserve" }])))
    const client = await connect(gateway.port)
    client.write(get("/", "X-CaMeL: 1\r\n"))
    const answer = await client.answer()
    expect(upstream.seen[0]).toContain("X-CaMeL: 1")
    expect(answer.raw.map(([name]) => name)).toContain("X-ThinG")
    client.close()
  })
})

it("a connection that carried its time is closed after the reply", async () => {
  const upstream = ends(await httpUpstream())
  const gateway = ends(await startGateway(plain(upstream.port, [{ _tag: "Http", maxConnectionMillis: 150 }])))
  const client = await connect(gateway.port)
  client.write(get())
  expect((await client.answer()).status).toBe(200)
  await client.gone()
})

it("an ordinary client with a pool finds nothing unusual", async () => {
  const upstream = ends(await httpUpstream())
  const gateway = ends(await startGateway(plain(upstream.port)))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  const once = (i: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const request = http.request({ host: "127.0.0.1", port: gateway.port, path: `/${i}`, method: "POST", agent })
      request.on("response", (response) => {
        let body = ""
        response.on("data", (chunk: Buffer) => (body += chunk.toString()))
        response.on("end", () => resolve(body))
        response.on("error", reject)
      })
      request.on("error", reject)
      request.end("x".repeat(i * 1_000))
    })
  const bodies = await Promise.all(Array.from({ length: 60 }, (_, i) => once(i)))
  for (const [i, body] of bodies.entries()) {
    expect(JSON.parse(body)).toMatchObject({ url: `/${i}`, body: "x".repeat(i * 1_000) })
  }
  agent.destroy()
})
