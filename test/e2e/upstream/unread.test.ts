/** Uploads that an upstream does not read, reads slowly, or has to wait for. */
import * as fs from "node:fs"
import * as http2 from "node:http2"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as tls from "node:tls"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { ClientTls } from "../../../ir/Tls.ts"
import { type Body, bytes, type Flow, type Sink, type Source } from "../../../stages/Body.ts"
import type { Endpoint } from "../../../stages/ports/Upstream.ts"
import { Bench, Fed, pause, refusal, request, send, text, until } from "./gateway.ts"

const IDLE_MILLIS = 200
const PAUSE_MILLIS = 40
const CHUNK_BYTES = 65_536

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.close())

/** Sends as much as it may, up to its length. */
class Eager implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number
  isCancelled = false
  private sink: Sink | undefined
  private left: number

  constructor(length: number) {
    this.length = length
    this.left = length
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.resume()
    return this
  }

  resume(): void {
    while (this.left > 0 && !this.isCancelled) {
      const size = Math.min(CHUNK_BYTES, this.left)
      this.left -= size
      const takesMore = this.sink?.write(new Uint8Array(size))
      if (this.left === 0) return this.sink?.end(undefined)
      if (takesMore !== true) return
    }
  }

  cancel(): void {
    this.isCancelled = true
  }
}

/** What a server does with the bytes of a request; told once for each. */
type Reading = (incoming: Duplex, answer: () => void) => void

const pem = (name: string): string => fs.readFileSync(new URL(`../certificates/${name}`, import.meta.url), "utf8")

/** Over HTTP/1.1 a server that sees the bytes of connections, over HTTP/2 one that sees those of streams. */
const ways: ReadonlyArray<readonly [string, "1.1" | "2", number, (reading: Reading) => Promise<Endpoint>]> = [
  [
    "HTTP/1.1",
    "1.1",
    48_000_000,
    async (reading) => {
      const { port } = await bench.listen(net.createServer((socket) => reading(socket, () => answer1(socket))))
      return bench.to(port)
    },
  ],
  [
    "HTTP/1.1 over TLS",
    "1.1",
    48_000_000,
    async (reading) => {
      const server = tls.createServer({ cert: pem("server.pem"), key: pem("server.key") }, (socket) => {
        socket.on("error", () => {})
        reading(socket, () => answer1(socket))
      })
      const { port } = await bench.listen(server)
      return bench.to(port, { tls: trusting })
    },
  ],
  [
    "HTTP/2",
    "2",
    2_000_000,
    async (reading) => {
      const server = http2.createServer()
      server.on("session", (session) => session.on("error", () => {}))
      server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
        stream.on("error", () => {})
        if (headers[":path"] === "/other") {
          stream.respond({ ":status": 200 })
          return void stream.end("other")
        }
        reading(stream, () => {
          stream.respond({ ":status": 200 })
          stream.end("read")
        })
      })
      const { port } = await bench.listen(server)
      return bench.to(port)
    },
  ],
]

const trusting: ClientTls = {
  verify: "none",
  subjectAltNames: [],
  alpn: ["http/1.1"],
  cipherSuites: [],
  keyExchangeGroups: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
}

const answer1 = (socket: Duplex): void => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nread")

/** Takes so many bytes at a time, and then none for a while. */
const slowly =
  (stepBytes: number, wholeBytes: number): Reading =>
  (incoming, answer) => {
    let taken = 0
    let step = 0
    incoming.on("data", (chunk: Buffer) => {
      taken += chunk.byteLength
      step += chunk.byteLength
      if (taken >= wholeBytes) return answer()
      if (step < stepBytes) return
      step = 0
      incoming.pause()
      setTimeout(() => incoming.resume(), PAUSE_MILLIS)
    })
  }

const bodies: ReadonlyArray<readonly [string, (length: number) => Body]> = [
  ["as it comes", (length) => new Eager(length)],
  ["from memory", (length) => bytes(new Uint8Array(length))],
]

describe.each(ways)("a request over %s", (_name, version, length, serve) => {
  it.each(bodies)("of which nothing is read, %s, is given up", async (_how, body) => {
    let server: Duplex | undefined
    const endpoint = await serve((incoming) => {
      server = incoming
      incoming.pause()
    })
    const sent = body(length)
    const begun = performance.now()
    const failure = await refusal(endpoint, request("POST", "/", {}, sent), { version, idleMillis: IDLE_MILLIS })
    expect(failure).toEqual({
      _tag: "RequestUnread",
      message: `the upstream took nothing of the request for ${IDLE_MILLIS} ms`,
    })
    expect(performance.now() - begun).toBeGreaterThanOrEqual(IDLE_MILLIS)
    if (sent instanceof Eager) expect(sent.isCancelled).toBe(true)
    server?.resume()
    if (version === "1.1") await until("the connection is closed", () => bench.connections === 0)
    else expect(await text(await send(endpoint, request("GET", "/other"), { version }))).toBe("other")
    expect(bench.connections).toBe(version === "1.1" ? 0 : 1)
  })

  it.each(bodies)("that is read slowly, %s, is not given up", async (_how, body) => {
    // A kernel passes its room on in steps of a megabyte or so, and each of these is more than one.
    const endpoint = await serve(slowly(Math.ceil(length / 20), length))
    const begun = performance.now()
    const reply = await send(endpoint, request("POST", "/", {}, body(length)), { version, idleMillis: IDLE_MILLIS })
    expect(await text(reply)).toBe("read")
    expect(performance.now() - begun).toBeGreaterThan(3 * IDLE_MILLIS)
  })

  it("whose client pauses is waited for", async () => {
    const endpoint = await serve((incoming, answer) => {
      let seen = ""
      incoming.on("data", (chunk: Buffer) => {
        seen += chunk.toString("latin1")
        if (seen.endsWith("the end")) answer()
      })
    })
    const fed = new Fed(CHUNK_BYTES + 7)
    const reply = send(endpoint, request("POST", "/", {}, fed), { version, idleMillis: IDLE_MILLIS })
    await until("the body is wanted", () => fed.sink !== undefined)
    fed.write(new Uint8Array(CHUNK_BYTES))
    await pause(4 * IDLE_MILLIS)
    fed.write("the end")
    fed.end()
    expect(await text(await reply)).toBe("read")
  })

  it("that nobody watches may lie unread", async () => {
    let answer = (): void => {}
    const endpoint = await serve((incoming, answering) => {
      incoming.pause()
      answer = () => {
        incoming.resume()
        answering()
      }
    })
    const reply = send(endpoint, request("POST", "/", {}, new Eager(length)), { version })
    await pause(3 * IDLE_MILLIS)
    answer()
    expect(await text(await reply)).toBe("read")
  })
})
