/** Servers that reply in every way there is, behind a running gateway: whole and byte by byte, with a request behind each. */
import * as http2 from "node:http2"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  type Answer,
  connect,
  plain,
  type RawClient,
  rawUpstream,
  type RawUpstream,
  type Started,
  startGateway,
  until,
} from "../harness.ts"
import { speakingHttp1 } from "./front.ts"
import { type ReplyShape, shapes, type Whole } from "./replyCorpus.ts"

const NEXT = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext"

type Say = (client: RawClient, bytes: string) => Promise<void>
const atOnce: Say = async (client, bytes) => void client.write(bytes)
const byteByByte: Say = async (client, bytes) => {
  for (const byte of bytes) {
    if (client.closed) return
    client.write(byte)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

let gateway: Started
let upstream: RawUpstream
let current: { readonly shape: ReplyShape; readonly say: Say } | undefined
/** Connections that were asked, in the order of the requests. */
const asked: Array<RawClient> = []

beforeAll(async () => {
  upstream = await rawUpstream(async (connection) => {
    for (;;) {
      const head = await connection.take("\r\n\r\n", 600_000)
      asked.push(connection)
      if (head.includes(" /next ")) connection.write(NEXT)
      else if (current !== undefined) {
        const { shape, say } = current
        await say(connection, shape.bytes)
        if (shape.ends === true) return connection.halfClose()
      }
    }
  })
  gateway = await startGateway(speakingHttp1(plain(upstream.port)))
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

const request = (method: string, path: string): string => `${method} ${path} HTTP/1.1\r\nhost: x.test\r\n\r\n`

/** Every reply up to the final one; undefined where the connection ended before one was whole. */
const replies = async (client: RawClient, method: string): Promise<ReadonlyArray<Answer> | undefined> => {
  const all: Array<Answer> = []
  for (;;) {
    const answer = await client.answer(method).catch(() => undefined)
    if (answer === undefined) return undefined
    all.push(answer)
    if (answer.status >= 200) return all
  }
}

const expectWhole = (
  all: ReadonlyArray<Answer> | undefined,
  { body, fields = {}, interim, status, trailers }: Whole,
) => {
  const final = all?.at(-1)
  expect(final).toMatchObject({ status, ...(body === undefined ? {} : { body }) })
  for (const [name, value] of Object.entries(fields)) expect([name, final?.headers[name]]).toEqual([name, value])
  expect(final?.trailers).toEqual(trailers ?? {})
  if (interim !== undefined) expect(all?.slice(0, -1).map((one) => one.status)).toEqual(interim)
}

const check = async (shape: ReplyShape, say: Say): Promise<void> => {
  const { expect: outcome, method = "GET", reuses } = shape
  current = { shape, say }
  asked.length = 0
  const exchanges = gateway.told.exchanges.length
  const client = await connect(gateway.port)
  let next = client
  let first: RawClient | undefined
  try {
    client.write(request(method, "/"))
    const all = await replies(client, method)
    const final = all?.at(-1)
    if (outcome === "refused") {
      expect(final).toMatchObject({ status: 503 })
      expect(final?.body).toMatch(/^upstream call failed/)
    } else if (outcome === "broken") {
      // Where the head was not on its way yet, the gateway may say so in its place.
      if (final !== undefined) expect(final).toMatchObject({ status: 503 })
    } else expectWhole(all, outcome)
    if (final?.headers["connection"] === "close" || final === undefined) await client.gone()

    // What comes next is answered by what belongs to it, and by nothing that was left of this.
    next = final === undefined ? await connect(gateway.port) : client
    next.write(request("GET", "/next"))
    expect(await next.answer()).toMatchObject({ status: 200, body: "next" })
    expect(next.text).toBe("")
    const [, second, ...more] = asked
    first = asked[0]
    expect(more).toEqual([])
    if (reuses === false) expect(second === first).toBe(false)
    else if (reuses === true && say === atOnce) expect(second === first).toBe(true)
  } finally {
    for (const one of [client, next]) one.close()
  }
  await until(
    "everything ended",
    () => gateway.gateway.open().exchanges === 0 && gateway.gateway.open().connections === 0,
  )
  expect(gateway.told.exchanges).toHaveLength(exchanges + 2)
  if (reuses === false) await until("the connection is given up", () => first?.ended === true || first?.closed === true)
}

describe("a server behind the gateway", () => {
  it("has a name for every shape", () => {
    expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length)
    expect(shapes.length).toBeGreaterThanOrEqual(130)
  })

  it.each(shapes)("$name", (shape) => check(shape, atOnce))

  it.each(shapes.filter(({ bytes }) => bytes.length <= 300))("byte by byte: $name", (shape) => check(shape, byteByByte))
})

describe("a server that never stops saying that it is not ready yet", () => {
  const INTERIMS = 5_000
  const one = `HTTP/1.1 103 Early Hints\r\nlink: </${"x".repeat(4_000)}>\r\n\r\n`

  const flooding = async (): Promise<{ readonly gateway: Started; readonly close: () => Promise<void> }> => {
    const server = await rawUpstream(async (connection) => {
      await connection.take("\r\n\r\n")
      for (let i = 0; i < INTERIMS; i++) {
        if (!connection.stream.write(one)) await new Promise((resolve) => connection.stream.once("drain", resolve))
      }
      connection.write(NEXT)
    })
    const front = await startGateway(speakingHttp1(plain(server.port)))
    return {
      gateway: front,
      close: async () => {
        await front.close()
        await server.close()
      },
    }
  }

  it(
    "has a bounded part of it kept for a client that does not read, and its reply arrives",
    { timeout: 60_000 },
    async () => {
      const { close, gateway: front } = await flooding()
      const client = await connect(front.port)
      client.pause()
      client.write(request("GET", "/"))
      await until("the reply is on its way", () => front.told.exchanges.length > 0, 30_000).catch(() => {})
      client.stream.resume()
      const last = await client.take("next", 30_000)
      expect(last.endsWith("content-length: 4\r\n\r\nnext")).toBe(true)
      const interims = last.split("HTTP/1.1 103 ").length - 1
      expect(interims).toBeGreaterThan(100)
      expect(interims * one.length).toBeLessThan(1_200_000)
      client.close()
      await close()
    },
  )

  it("over HTTP/2 as well", { timeout: 60_000 }, async () => {
    const { close, gateway: front } = await flooding()
    const session = http2.connect(`http://127.0.0.1:${front.port}`)
    const stream = session.request({ ":path": "/" })
    let interims = 0
    stream.on("headers", () => void interims++)
    let body = ""
    for await (const chunk of stream) body += String(chunk)
    expect(body).toBe("next")
    expect(interims).toBeGreaterThan(100)
    expect(interims * one.length).toBeLessThan(1_200_000)
    await new Promise<void>((resolve) => session.close(resolve))
    await close()
  })
})
