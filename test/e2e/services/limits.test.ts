import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { ask, type Closing, start } from "./place.ts"
import { until } from "../standalone.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** An upstream whose answers the test gives. */
const held = () => {
  const waiting: Array<http.ServerResponse> = []
  return {
    waiting,
    listener: (request: http.IncomingMessage, response: http.ServerResponse) => {
      request.resume()
      waiting.push(response)
    },
    answer: (text = "ok") => waiting.shift()?.end(text),
  }
}

describe("exchanges under way at once", () => {
  it("are so many; whoever finds no room is told when to come back", async () => {
    const upstream = held()
    const { send } = await start(
      closing,
      "concurrencyLimit: [{maxConcurrent: 1, key: 'request.headers[\"x-user\"]', status: 429, retryAfter: 7s}]",
      { upstream: upstream.listener },
    )
    const by = (user: string) => send("/", { headers: { "x-user": user } })
    const first = by("ann")
    await until(() => upstream.waiting.length === 1)
    const { body, headers, status } = await by("ann")
    expect([status, headers["retry-after"], body]).toEqual([429, "7", "too many requests at once"])
    const other = by("ben")
    await until(() => upstream.waiting.length === 2)
    upstream.answer()
    upstream.answer()
    expect([(await first).status, (await other).status]).toEqual([200, 200])
    const again = by("ann")
    await until(() => upstream.waiting.length === 1)
    upstream.answer()
    expect((await again).status).toBe(200)
  })

  it("wait for their turn, and one whose client leaves gives up its place", async () => {
    const upstream = held()
    const { gateway, send } = await start(
      closing,
      "concurrencyLimit: [{maxConcurrent: 1, queue: {maxWaiting: 2, timeout: 30s}}]",
      { upstream: upstream.listener },
    )
    const first = send("/first")
    await until(() => upstream.waiting.length === 1)
    const leaving = http.get({ port: gateway.port, host: "127.0.0.1", path: "/leaving", agent: false })
    const left = new Promise<void>((resolve) => leaving.on("error", () => resolve()))
    await until(() => gateway.gateway.open().exchanges === 2)
    const second = send("/second")
    await until(() => gateway.gateway.open().exchanges === 3)
    expect((await send("/full")).status).toBe(503)
    leaving.destroy()
    await left
    await until(() => gateway.gateway.open().exchanges === 2)
    upstream.answer("1")
    expect((await first).body).toBe("1")
    await until(() => upstream.waiting.length === 1)
    upstream.answer("2")
    expect((await second).body).toBe("2")
    expect(gateway.told.exchanges.map(({ exchange }) => exchange.request.path).toSorted()).toEqual([
      "/first",
      "/full",
      "/leaving",
      "/second",
    ])
  })

  it("end with their reply, not with its head", async () => {
    const upstream = held()
    const { gateway, send } = await start(closing, "concurrencyLimit: [{maxConcurrent: 1}]", {
      upstream: upstream.listener,
    })
    const streaming = send("/")
    await until(() => upstream.waiting.length === 1)
    upstream.waiting[0]?.write("beginning")
    expect((await send("/")).status).toBe(503)
    upstream.answer(" and end")
    expect((await streaming).body).toBe("beginning and end")
    await until(() => gateway.gateway.open().exchanges === 0)
    const next = send("/")
    await until(() => upstream.waiting.length === 1)
    upstream.answer()
    expect((await next).status).toBe(200)
  })
})

describe("bodies that are too long", () => {
  /** A request of which nothing says how long it is. */
  const streamed = (url: string, chunks: ReadonlyArray<string>) =>
    new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
      const request = http.request(url, { method: "POST", agent: false }, (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => (body += text))
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }))
      })
      request.on("error", reject)
      for (const chunk of chunks) request.write(chunk)
      request.end()
    })

  it("are refused with 413, whether their length was declared or not", async () => {
    const { backend, gateway, send } = await start(closing, "bodyLimit: {request: {maxBytes: 1000}}")
    const url = `http://127.0.0.1:${gateway.port}/`
    expect((await send("/", { method: "POST", body: "x".repeat(1000) })).status).toBe(200)
    const declared = await send("/", { method: "POST", body: "x".repeat(1001) })
    expect([declared.status, declared.body]).toEqual([413, "request body too large"])
    expect(backend.requests.length).toBe(1)
    expect((await streamed(url, ["x".repeat(600), "x".repeat(400)])).status).toBe(200)
    expect(await streamed(url, ["x".repeat(600), "x".repeat(600)])).toEqual({
      status: 413,
      body: "request body too large",
    })
  })

  it.each([true, false])(
    "over HTTP/2 beside their own reply end that stream, and only that: whole %s",
    async (whole) => {
      const { gateway } = await start(closing, "bodyLimit: {request: {maxBytes: 1000}}", {
        upstream: (request, response) => {
          if (request.method === "GET") return void response.end("still here")
          request.on("error", () => {}).resume()
          response.write("begun")
        },
      })
      const session = http2.connect(`http://127.0.0.1:${gateway.port}`)
      closing.push(() => session.destroy())
      const codes = await Promise.all(
        Array.from({ length: 5 }, () => {
          const stream = session.request({ ":method": "POST", ":path": "/" })
          stream.write("x".repeat(600))
          stream.once("data", () => {
            stream.write("x".repeat(600))
            if (whole) stream.end()
          })
          stream.on("error", () => {})
          return new Promise<number>((resolve) => stream.on("close", () => resolve(stream.rstCode)))
        }),
      )
      expect(codes).toEqual(Array.from({ length: 5 }, () => http2.constants.NGHTTP2_INTERNAL_ERROR))
      const next = session.request({ ":path": "/" })
      let body = ""
      for await (const chunk of next) body += String(chunk)
      expect(body).toBe("still here")
    },
  )

  it("of an upstream become 502, or break off once they have begun", async () => {
    let more: (() => void) | undefined
    const { gateway, send } = await start(closing, "bodyLimit: {response: {maxBytes: 1000}}", {
      upstream: (request, response) => {
        if (request.url === "/declared") return void response.end("x".repeat(1001))
        response.write("x".repeat(600))
        if (request.url === "/fits") setImmediate(() => response.end("x".repeat(400)))
        else more = () => response.end("x".repeat(600))
      },
    })
    expect((await send("/fits")).body.length).toBe(1000)
    const declared = await send("/declared")
    expect([declared.status, declared.body]).toEqual([502, "response body too large"])
    const begun = await new Promise<{ readonly status: number | undefined; readonly length: number }>((resolve) => {
      http.get(`http://127.0.0.1:${gateway.port}/streamed`, { agent: false }, (response) => {
        let length = 0
        response.on("data", (chunk: Buffer) => {
          length += chunk.byteLength
          more?.()
        })
        response.on("error", () => resolve({ status: response.statusCode, length }))
        response.on("end", () => resolve({ status: undefined, length }))
      })
    })
    expect(begun).toEqual({ status: 200, length: 600 })
    await until(() => gateway.told.exchanges.length === 3)
    expect(gateway.told.exchanges[2]?.exchange.trail.refusal?._tag).toBe("ReplyBodyTooLarge")
  })
})

describe("connections", () => {
  it("beyond the limit are closed without a byte, and those that end make room", async () => {
    const { gateway } = await start(closing, "directResponse: {status: 200, body: ok}", {
      frontend: "connectionLimit: {maxConnectionsPerAddress: 2}",
    })
    const connect = () => {
      const socket = net.connect(gateway.port, "127.0.0.1")
      closing.push(() => socket.destroy())
      let said = ""
      const over = new Promise<string>((resolve) => {
        socket.on("error", () => {})
        socket.on("data", (bytes) => (said += bytes.toString()))
        socket.on("close", () => resolve(said))
      })
      return { socket, over, answers: () => said }
    }
    const one = connect()
    const two = connect()
    for (const { socket } of [one, two]) socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(() => one.answers().includes("200 OK") && two.answers().includes("200 OK"))
    const three = connect()
    three.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    expect(await three.over).toBe("")
    expect(gateway.told.rejected.map(({ stage }) => stage)).toEqual(["connectionLimit"])
    one.socket.destroy()
    await until(() => gateway.gateway.open().connections === 1)
    expect((await ask(`http://127.0.0.1:${gateway.port}/`)).status).toBe(200)
  })
})
