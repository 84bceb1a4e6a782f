/** Clients of Node and of the development dependencies, through a gateway that was made from a file. */
import * as http from "node:http"
import * as http2 from "node:http2"
import type * as net from "node:net"
import { Readable } from "node:stream"
import * as undici from "undici"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Echo, type Words } from "../../peers/echo.ts"
import { grpc } from "../../peers/grpc.ts"
import { pem, until } from "../harness.ts"
import { type Front, large, start, sum, type Understood } from "./front.ts"

let front: Front
const url = (where: string): string => front.url(where)
const sealedUrl = (where: string): string => front.sealedUrl(where)

beforeAll(async () => {
  front = await start()
})
afterAll(() => front.close())

const understood = (value: unknown): Understood => value as Understood

describe("undici", () => {
  it("pipelines, in order", async () => {
    const client = new undici.Client(url(""), { pipelining: 8 })
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const { body, statusCode } = await client.request({ method: "GET", path: `/pipe?${i}` })
        return [statusCode, understood(await body.json()).url]
      }),
    )
    expect(answers).toEqual(Array.from({ length: 40 }, (_, i) => [200, `/pipe?${i}`]))
    await client.close()
  })

  it("speaks HTTP/2 over TLS, streams both ways, and brings trailers", async () => {
    const client = new undici.Client(sealedUrl(""), { allowH2: true, connect: { ca: pem("ca.pem") } })
    const { body } = await client.request({ method: "POST", path: "/mirror", body: Readable.from([large]) })
    expect(sum(Buffer.from(await body.arrayBuffer()))).toBe(sum(large))
    await client.close()
    const other = new undici.Client(url(""))
    const got = await other.request({ method: "GET", path: "/trailers" })
    expect(await got.body.text()).toBe("body")
    expect(got.trailers).toEqual({ "x-sum": "1" })
    await other.close()
  })

  it("goes through the gateway as its proxy", async () => {
    const agent = new undici.ProxyAgent({ uri: url(""), requestTls: { ca: pem("ca.pem") } })
    const at = front.secure
    const { body } = await undici.request(`https://127.0.0.1:${at}/`, { dispatcher: agent })
    expect(await body.text()).toBe("tunnels")
    await agent.close()
  })
})

describe("fetch", () => {
  it("streams a request while it reads the reply", async () => {
    const pieces = ["one ", "two ", "three"]
    let give: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (give = controller) })
    const say = (): void => {
      const piece = pieces.shift()
      if (piece === undefined) give?.close()
      else give?.enqueue(new TextEncoder().encode(piece))
    }
    say()
    const response = await fetch(url("/mirror"), { method: "POST", body, duplex: "half" } as RequestInit)
    let text = ""
    for await (const chunk of response.body ?? []) {
      text += new TextDecoder().decode(chunk)
      say()
    }
    expect(text).toBe("one two three")
  })

  it("sends forms, and is stopped in the middle", async () => {
    const form = new FormData()
    form.set("file", new Blob([large]), "large.bin")
    const seen = understood(await (await fetch(url("/form"), { method: "POST", body: form })).json())
    expect(seen.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/)
    expect(seen.length).toBeGreaterThan(large.byteLength)
    const stop = new AbortController()
    const response = await fetch(url("/mirror"), {
      method: "POST",
      body: new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }),
      duplex: "half",
      signal: stop.signal,
    } as RequestInit)
    expect(response.status).toBe(200)
    stop.abort()
    await until("its exchange ended", () => front.gateway.gateway.open().exchanges === 0)
  })
})

describe("the HTTP clients of Node", () => {
  it("share few connections among many requests", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 3 })
    const used = new Set<net.Socket>()
    const ask = (i: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const request = http.request(url(`/n?${i}`), { agent, method: i % 3 === 0 ? "POST" : "GET" }, (response) => {
          used.add(response.socket)
          let text = ""
          response.on("data", (chunk: Buffer) => (text += chunk.toString()))
          response.on("end", () => resolve(understood(JSON.parse(text)).url))
        })
        request.on("error", reject)
        request.end(i % 3 === 0 ? "x".repeat(i * 100) : undefined)
      })
    expect(await Promise.all(Array.from({ length: 60 }, (_, i) => ask(i)))).toEqual(
      Array.from({ length: 60 }, (_, i) => `/n?${i}`),
    )
    expect(used.size).toBe(3)
    agent.destroy()
  })

  it("speak HTTP/2 with and without TLS, a hundred streams at once", async () => {
    for (const session of [http2.connect(url("")), http2.connect(sealedUrl(""), { ca: pem("ca.pem") })]) {
      const ask = async (i: number): Promise<string> => {
        const stream = session.request({ ":path": `/h2?${i}`, ":method": i % 2 === 0 ? "POST" : "GET" })
        stream.end(i % 2 === 0 ? "body" : undefined)
        let text = ""
        for await (const chunk of stream) text += String(chunk)
        return understood(JSON.parse(text)).url
      }
      expect(await Promise.all(Array.from({ length: 100 }, (_, i) => ask(i)))).toEqual(
        Array.from({ length: 100 }, (_, i) => `/h2?${i}`),
      )
      await new Promise<void>((resolve) => session.close(resolve))
    }
  })
})

describe("WebSocket", () => {
  it("the one of Node talks, also over TLS", async () => {
    const talk = (address: string, dispatcher?: undici.Dispatcher): Promise<ReadonlyArray<string>> =>
      new Promise((resolve, reject) => {
        const socket = new undici.WebSocket(address, dispatcher === undefined ? {} : { dispatcher })
        const heard: Array<string> = []
        const words = ["hello", "x".repeat(5_000)]
        socket.addEventListener("open", () => socket.send(words[0] as string))
        socket.addEventListener("error", () => reject(new Error("WebSocket")))
        socket.addEventListener("message", ({ data }) => {
          heard.push(String(data))
          const next = words[heard.length]
          if (next === undefined) socket.close(1000)
          else socket.send(next)
        })
        socket.addEventListener("close", () => resolve(heard))
      })
    const expected = ["hello", "x".repeat(5_000)]
    expect(await talk(`ws://127.0.0.1:${front.port}/ws`)).toEqual(expected)
    const agent = new undici.Agent({ connect: { ca: pem("ca.pem") } })
    expect(await talk(`wss://127.0.0.1:${front.sealed}/ws`, agent)).toEqual(expected)
    await agent.close()
  })
})

describe("EventSource", () => {
  it("the one of Node takes its stream up again where it broke off", async () => {
    const heard: Array<string> = []
    const source = new undici.EventSource(url("/events"))
    source.addEventListener("message", ({ data }) => void heard.push(String(data)))
    await until("two streams of events", () => heard.length >= 6, 20_000)
    source.close()
    expect(heard.slice(0, 6)).toEqual([1, 2, 3, 4, 5, 6].map((id) => `event ${id}`))
  })
})

describe("grpc-js", () => {
  it("calls once and many times at once, in plaintext and over TLS", async () => {
    const Client = grpc.makeGenericClientConstructor(Echo, "Echo")
    const credentials = [
      [`127.0.0.1:${front.port}`, grpc.credentials.createInsecure()],
      [`localhost:${front.sealed}`, grpc.credentials.createSsl(Buffer.from(pem("ca.pem")))],
    ] as const
    for (const [address, how] of credentials) {
      const client = new Client(address, how)
      const once = client["Once"] as unknown as (
        words: unknown,
        done: (error: Error | null, words: Words) => void,
      ) => void
      const said = await new Promise<Words>((resolve, reject) =>
        once.call(client, { text: "hello" }, (error, words) => (error === null ? resolve(words) : reject(error))),
      )
      expect(said).toMatchObject({ text: "hello" })
      const call = (client["Many"] as unknown as () => grpc.ClientDuplexStream<unknown, Words>).call(client)
      const heard: Array<string> = []
      const status = new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve))
      call.on("data", (words: Words) => void heard.push(words.text))
      call.on("error", () => {})
      for (let i = 0; i < 20; i++) call.write({ text: `word ${i}` })
      await until("every word came back", () => heard.length === 20)
      call.end()
      expect((await status).code).toBe(0)
      client.close()
    }
  })
})
