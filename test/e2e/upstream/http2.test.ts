import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Headers } from "../../../protocols/http/headers.ts"
import { bytes } from "../../../stages/Body.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import type { Endpoint } from "../../../stages/ports/Upstream.ts"
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  type Frame,
  frameServer,
  HEADERS,
  number,
  Peer,
  PING,
  RST_STREAM,
  STATUS_200,
  WINDOW_UPDATE,
} from "./frames.ts"
import * as onDemand from "../../../src/node/onDemand.ts"
import { sockets } from "../faults/freed.ts"
import { literal, setting } from "../hostile/frames.ts"
import { Bench, ending, Fed, options, pause, read, refusal, request, send, text, until } from "./gateway.ts"

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.close())

const send2 = (endpoint: Endpoint, sent: ReturnType<typeof request>, more = {}): Promise<Reply> =>
  send(endpoint, sent, { version: "2", ...more })

const serve = async (
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, raw: Array<string>) => void,
  settings: http2.Settings = {},
): Promise<{ port: number; server: http2.Http2Server; sessions: Set<http2.ServerHttp2Session> }> => {
  const sessions = new Set<http2.ServerHttp2Session>()
  const server = http2.createServer({ settings })
  server.on("session", (session) => {
    sessions.add(session)
    session.on("error", () => {})
    session.once("close", () => sessions.delete(session))
  })
  server.on("stream", (stream: http2.ServerHttp2Stream, headers, _flags, raw) => {
    stream.on("error", () => {})
    onStream(stream, headers, raw)
  })
  const { port } = await bench.listen(server)
  return { port, server, sessions }
}

const received = (stream: http2.ServerHttp2Stream): Promise<string> =>
  new Promise((resolve) => {
    let all = ""
    stream.on("data", (chunk: Buffer) => (all += chunk.toString("latin1")))
    stream.once("end", () => resolve(all))
  })

describe("a request over HTTP/2", () => {
  it("carries everything both ways on one connection", async () => {
    let seen: Array<string> = []
    const { port, sessions } = await serve((stream, headers, raw) => {
      seen = raw
      stream.respond({ ":status": 201, "x-one": "a", "set-cookie": ["a=1", "b=2"] })
      stream.end(`hello ${String(headers[":path"])}`)
    })
    const endpoint = bench.to(port)
    const reply = await send2(endpoint, request("GET", "/a?b=c", { te: "trailers", "x-two": "1" }))
    expect(seen).toEqual(
      [":method", "GET", ":scheme", "http", ":authority", "test.example", ":path", "/a?b=c"].concat([
        "te",
        "trailers",
        "x-two",
        "1",
      ]),
    )
    expect(reply.status).toBe(201)
    expect(reply.headers.get("x-one")).toBe("a")
    expect(reply.headers.has(":status")).toBe(false)
    expect(reply.headers.all("set-cookie")).toEqual(["a=1", "b=2"])
    expect(await text(reply)).toBe("hello /a?b=c")
    await Promise.all(Array.from({ length: 20 }, async () => text(await send2(endpoint, request("GET", "/")))))
    expect([sessions.size, bench.connections]).toEqual([1, 1])
  })

  it("sends a body from memory or as it comes, and trailers after it", async () => {
    const trailers: Array<unknown> = []
    const { port } = await serve((stream) => {
      stream.on("trailers", (fields) => trailers.push(fields["x-sum"]))
      void received(stream).then((all) => {
        stream.respond({ ":status": 200 })
        stream.end(all)
      })
    })
    const endpoint = bench.to(port)
    const whole = bytes(new TextEncoder().encode("abc"))
    expect(await text(await send2(endpoint, request("POST", "/", {}, whole)))).toBe("abc")
    expect(await text(await send2(endpoint, request("POST", "/")))).toBe("")

    const fed = new Fed()
    const sent = send2(endpoint, request("POST", "/", {}, fed))
    await until("the body is wanted", () => fed.sink !== undefined)
    fed.write("abc")
    await pause(5)
    fed.write("def")
    fed.end(new Headers(["x-sum", "1", "x-sum", "2"]))
    expect(await text(await sent)).toBe("abcdef")
    expect(trailers).toEqual(["1, 2"])

    const plain = new Fed(3)
    const second = send2(endpoint, request("POST", "/", { "content-length": "3" }, plain))
    await until("the body is wanted", () => plain.sink !== undefined)
    plain.write("ghi")
    plain.end()
    expect(await text(await second)).toBe("ghi")
    expect(trailers).toEqual(["1, 2"])
  })

  it("streams gRPC in both directions at once and ends with trailers", async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
      stream.on("data", (chunk: Buffer) => stream.write(`<${chunk.toString()}>`))
      stream.on("end", () => stream.end())
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "fine" }))
    })
    const fed = new Fed()
    const reply = await (async () => {
      const sent = send2(bench.to(port), request("POST", "/x.Y/Z", { "content-type": "application/grpc" }, fed))
      await until("the body is wanted", () => fed.sink !== undefined)
      return sent
    })()
    let seen = ""
    let trailers: Headers | undefined
    if (reply.body._tag !== "Flow") throw new Error("not a flow")
    reply.body.open({
      write: (chunk) => {
        seen += Buffer.from(chunk).toString()
        return true
      },
      end: (last) => {
        trailers = last
      },
      fail: (failure) => {
        seen = failure.message
      },
    })
    for (const one of ["a", "b", "c"]) {
      fed.write(one)
      await until(`the answer to ${one}`, () => seen.endsWith(`<${one}>`))
    }
    fed.end()
    await until("the trailers", () => trailers !== undefined)
    expect([seen, trailers?.flat]).toEqual(["<a><b><c>", ["grpc-status", "0", "grpc-message", "fine"]])
  })

  it("takes a reply of trailers only", async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true })
    })
    const reply = await send2(bench.to(port), request("POST", "/", { "content-type": "application/grpc" }))
    expect([reply.body._tag, reply.headers.get("grpc-status")]).toEqual(["Empty", "12"])
  })

  it("takes a body without a byte, and what follows it, also when it ends before anybody reads it", async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ":status": 200 }, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
      setTimeout(() => stream.end(), 5)
    })
    const reply = await send2(bench.to(port), request("GET", "/"))
    await pause(50)
    const { bytes, trailers } = await read(reply)
    expect([bytes.byteLength, trailers?.get("grpc-status")]).toEqual([0, "0"])
  })

  it.each([
    ["HEAD", "200"],
    ["GET", "204"],
    ["GET", "304"],
  ])("waits for no body behind %s and %s, nor for the end of its stream", async (method, status) => {
    const { port, peers } = await answering((peer, stream, count) => {
      const head = literal([[":status", count === 0 ? status : "200"]])
      peer.write(HEADERS, count === 0 ? END_HEADERS : END_HEADERS | END_STREAM, stream, head)
    })
    const endpoint = bench.to(port, { poolIdleMillis: 20 })
    const reply = await send2(endpoint, request(method, "/"))
    expect([String(reply.status), reply.body._tag]).toEqual([status, "Empty"])
    await until("the stream is reset", () => countOf(peers, RST_STREAM) === 1)
    await until("the session is idle", () => bench.connections === 0)
  })

  it("brings interim replies", async () => {
    const { port } = await serve((stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a>" })
      stream.respond({ ":status": 204 })
      stream.end()
    })
    const interim: Array<unknown> = []
    const reply = await send2(bench.to(port), request("GET", "/"), {
      inform: (status: number, flat: Array<string>) => void interim.push([status, flat]),
    })
    expect([interim, reply.status]).toEqual([[[103, ["link", "</a>"]]], 204])
  })

  it("waits for readers on either side", async () => {
    let written = 0
    let uploaded = 0
    let readOn = (): void => {}
    const { port } = await serve((stream) => {
      stream.pause()
      readOn = () => stream.on("data", (chunk: Buffer) => (uploaded += chunk.byteLength)).resume()
      stream.respond({ ":status": 200 })
      const chunk = Buffer.alloc(16_384)
      const more = (): void => {
        while (written < 8_000_000) {
          written += chunk.byteLength
          if (!stream.write(chunk)) return void stream.once("drain", more)
        }
        stream.end()
      }
      more()
    })
    const fed = new Fed()
    const sent = send2(bench.to(port), request("POST", "/", {}, fed))
    await until("the body is wanted", () => fed.sink !== undefined)
    let pushed = 0
    while (pushed < 200 && fed.write(new Uint8Array(65_536))) pushed++
    expect(pushed).toBeLessThan(200)
    const reply = await sent
    await pause(50)
    expect(written).toBeLessThan(2_000_000)
    readOn()
    await until("the upload goes on", () => fed.resumed > 0)
    fed.end()
    const { bytes } = await read(reply)
    expect(bytes.byteLength).toBe(written)
    expect(written).toBeGreaterThanOrEqual(8_000_000)
    await until("the upload arrived", () => uploaded === (pushed + 1) * 65_536)
  })

  it("takes many replies at once from servers of Node, which forget to end those that use up the window of their session", async () => {
    const large = Buffer.alloc(200_000)
    const server = http2.createServer((_asked, reply) => void reply.end(large))
    const { port } = await bench.listen(server)
    const endpoint = bench.to(port)
    const replies = await Promise.all(Array.from({ length: 100 }, () => send2(endpoint, request("GET", "/"))))
    const endings = await Promise.all(replies.map((reply) => ending(reply)))
    expect(endings.filter((one) => one !== "whole")).toEqual([])
  })

  it("opens another session when the streams of the first are taken", async () => {
    let open = 0
    let most = 0
    const { port, sessions } = await serve(
      (stream) => {
        most = Math.max(most, ++open)
        setTimeout(() => {
          open--
          stream.respond({ ":status": 200 })
          stream.end("x")
        }, 40)
      },
      { maxConcurrentStreams: 3 },
    )
    const endpoint = bench.to(port)
    await text(await send2(endpoint, request("GET", "/")))
    const replies = Array.from({ length: 8 }, async () => text(await send2(endpoint, request("GET", "/"))))
    await Promise.all(replies)
    expect(sessions.size).toBeGreaterThan(1)
    expect(most).toBeGreaterThan(3)
  })

  it("does not wait for more than the first reply when it begins with many requests", async () => {
    const { port } = await serve((stream, headers) => {
      if (headers[":path"] === "/slow") return
      stream.respond({ ":status": 200 })
      stream.end("x")
    })
    const endpoint = bench.to(port)
    const slow = Effect.runFork(endpoint.send(request("GET", "/slow"), options({ version: "2" })))
    const rest = await Promise.all(
      Array.from({ length: 9 }, async () => text(await send2(endpoint, request("GET", "/")))),
    )
    expect(rest.length).toBe(9)
    expect(bench.connections).toBe(1)
    await Effect.runPromise(Fiber.interrupt(slow))
  })

  it("carries fields that are repeated, in front of the body and behind it", async () => {
    const repeated = [
      "if-none-match",
      '"a"',
      "if-none-match",
      '"b"',
      "content-language",
      "de",
      "content-language",
      "fr",
    ]
    let head: ReadonlyArray<string> = []
    let trailers: ReadonlyArray<string> = []
    const { port } = await serve((stream, _headers, raw) => {
      head = raw
      stream.on("trailers", (_trailers, _flags, raw) => (trailers = raw))
      stream.resume().once("end", () => stream.respond({ ":status": 200 }, { endStream: true }))
    })
    const fed = new Fed()
    const asked = request("POST", "/", {}, fed)
    asked.headers.flat.push(...repeated)
    const reply = send2(bench.to(port), asked)
    await until("the body is read", () => fed.sink !== undefined)
    fed.end(new Headers(["etag", '"a"', "etag", '"b"']))
    expect((await reply).status).toBe(200)
    expect(head.slice(8)).toEqual(repeated)
    expect(trailers).toEqual(["etag", '"a"', "etag", '"b"'])
  })

  it("refuses what cannot be sent over HTTP/2", async () => {
    const { port } = await serve((stream) => stream.respond({ ":status": 200 }, { endStream: true }))
    const endpoint = bench.to(port)
    expect((await refusal(endpoint, request("GET", "/", { connection: "close" }), { version: "2" }))._tag).toBe(
      "RequestAborted",
    )
    expect((await send2(endpoint, request("GET", "/"))).status).toBe(200)
  })
})

/** A server of frames that answers the head of every request with what the test says. */
const answering = async (
  answer: (peer: Peer, stream: number, count: number) => void,
  settings?: Buffer,
): Promise<{ port: number; peers: Array<Peer> }> => {
  let count = 0
  const { server, peers } = frameServer((peer: Peer, frame: Frame) => {
    if (frame.type === HEADERS) answer(peer, frame.stream, count++)
  }, settings)
  const { port } = await bench.listen(server)
  return { port, peers }
}

const countOf = (peers: Array<Peer>, wanted: number): number =>
  peers.reduce((sum, { frames }) => sum + frames.filter(({ type }) => type === wanted).length, 0)

const resets = (peers: Array<Peer>): Array<number> =>
  peers.flatMap((peer) =>
    peer.frames.filter(({ type }) => type === RST_STREAM).map(({ payload }) => payload.readUInt32BE(0)),
  )

describe("a stream that breaks", () => {
  it.each([
    ["CANCEL", 8, false],
    ["CANCEL", 8, true],
    ["NO_ERROR", 0, false],
    ["NO_ERROR", 0, true],
    ["INTERNAL_ERROR", 2, false],
    ["INTERNAL_ERROR", 2, true],
  ])("in the middle with %s is no end (%i, request open: %s)", async (name, code, open) => {
    const { port } = await answering((peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      peer.write(DATA, 0, stream, Buffer.from("abc"))
      setTimeout(() => peer.write(RST_STREAM, 0, stream, number(code)), 15)
    })
    const fed = new Fed()
    const reply = await send2(bench.to(port), open ? request("POST", "/", {}, fed) : request("GET", "/"))
    expect(await ending(reply)).toMatchObject({ _tag: "FlowFailure", message: `stream broken off (${name})` })
    if (open) await until("the source was told", () => fed.cancelled)
  })

  it("is no end either for a reader that was slow", async () => {
    const { port } = await answering((peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      peer.write(DATA, 0, stream, Buffer.from("abc"))
      peer.write(RST_STREAM, 0, stream, number(8))
    })
    const reply = await send2(bench.to(port), request("GET", "/"))
    await pause(20)
    expect(await ending(reply)).toMatchObject({ _tag: "FlowFailure" })
  })

  it("after its end has ended, also for a slow reader", async () => {
    const { port } = await answering((peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      peer.write(DATA, END_STREAM, stream, Buffer.from("abc"))
      peer.write(RST_STREAM, 0, stream, number(0))
    })
    const fed = new Fed()
    const reply = await send2(bench.to(port), request("POST", "/", {}, fed))
    await pause(20)
    expect(await text(reply)).toBe("abc")
    await until("the source was told", () => fed.cancelled)
  })

  it("after its end has ended for a slow reader, also where Node could not send the end of the request any more", async () => {
    const { port } = await answering((peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      for (let i = 0; i < 4; i++) peer.write(DATA, 0, stream, Buffer.alloc(16_000, "a"))
      peer.write(DATA, END_STREAM, stream)
      peer.write(RST_STREAM, 0, stream, number(0))
    })
    // Node sends trailers, and an end without any, a moment after it was told to; it destroys a stream that was reset by then.
    const session = http2.connect("http://127.0.0.1:1").on("error", () => {})
    const prototype = Object.getPrototypeOf(session) as http2.ClientHttp2Session
    const asked = vi.spyOn(prototype, "request")
    try {
      const reply = await send2(bench.to(port), request("POST", "/", {}, new Fed()))
      const stream = asked.mock.results[0]?.value as http2.ClientHttp2Stream
      await until("the reset", () => stream.closed)
      stream.destroy(new Error("Stream was already closed or invalid"))
      await pause(5)
      expect(await text(reply)).toBe("a".repeat(64_000))
      await until("the stream is gone", () => stream.destroyed)
    } finally {
      asked.mockRestore()
    }
  })

  /** A hundred kilobytes and trailers, and behind them what the test says. */
  const whole = (behind: (peer: Peer, stream: number) => void) =>
    answering((peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      for (let i = 0; i < 10; i++) peer.write(DATA, 0, stream, Buffer.alloc(10_000, i))
      peer.write(HEADERS, END_HEADERS | END_STREAM, stream, literal([["grpc-status", "0"]]))
      behind(peer, stream)
    })

  it.each([
    ["closes", (peer: Peer) => void peer.socket.end()],
    ["breaks", (peer: Peer) => void peer.socket.resetAndDestroy()],
    ["goes away in anger", (peer: Peer) => peer.goaway(1, 11)],
  ])("behind its end takes nothing from whoever reads later: its connection %s", async (_what, behind) => {
    const { port } = await whole((peer) => setTimeout(behind, 10, peer))
    for (const isSlow of [false, true]) {
      const reply = await send2(bench.to(port), request("GET", "/"))
      if (reply.body._tag !== "Flow") throw new Error("no body")
      if (!isSlow) await until("the connection is gone", () => bench.connections === 0)
      let bytes = 0
      let ended: unknown
      const source = reply.body.open({
        write: (chunk) => {
          bytes += chunk.byteLength
          return !isSlow
        },
        end: (trailers) => (ended = trailers?.flat),
        fail: (failure) => (ended = failure),
      })
      await until("the connection is gone", () => bench.connections === 0)
      await until("the end", () => {
        source.resume()
        return ended !== undefined
      })
      expect([bytes, ended]).toEqual([100_000, ["grpc-status", "0"]])
    }
  })

  it("behind its end takes nothing from the reader of a reply whose request still goes on", async () => {
    const { port } = await whole((peer, stream) => peer.write(RST_STREAM, 0, stream, number(0)))
    for (const idleMillis of [undefined, 5_000]) {
      const fed = new Fed()
      const reply = await send2(bench.to(port), request("POST", "/", {}, fed), { idleMillis })
      await pause(20)
      fed.write("more")
      await pause(20)
      const { bytes, trailers } = await read(reply)
      expect([bytes.byteLength, trailers?.flat]).toEqual([100_000, ["grpc-status", "0"]])
      await until("the source was told", () => fed.cancelled)
    }
  })

  it("before the reply is a failure that names the code", async () => {
    const { port } = await answering((peer, stream) => peer.write(RST_STREAM, 0, stream, number(2)))
    expect(await refusal(bench.to(port), request("GET", "/"), { version: "2" })).toEqual({
      _tag: "Reset",
      message: "stream broken off (INTERNAL_ERROR)",
      sent: true,
    })
  })

  it("unprocessed is sent once more, on another connection, whatever its method", async () => {
    const { port, peers } = await answering((peer, stream, count) => {
      if (count === 0) peer.write(RST_STREAM, 0, stream, number(7))
      else peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
    })
    const reply = await send2(bench.to(port), request("POST", "/", {}, bytes(new Uint8Array(3))))
    expect(reply.status).toBe(200)
    expect(peers.map((peer) => countOf([peer], HEADERS))).toEqual([1, 1])
  })

  it("unprocessed twice is reported as not sent", async () => {
    const { port } = await answering((peer, stream) => peer.write(RST_STREAM, 0, stream, number(7)))
    expect(await refusal(bench.to(port), request("POST", "/"), { version: "2" })).toMatchObject({
      _tag: "Reset",
      sent: false,
    })
  })

  it("because its connection has had too much takes no further request along", async () => {
    const { port, peers } = await answering((peer, stream) => {
      if (peers.indexOf(peer) === 0) peer.write(RST_STREAM, 0, stream, number(11))
      else peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
    })
    const endpoint = bench.to(port)
    // What may have been done is not done again.
    expect(await refusal(endpoint, request("POST", "/"), { version: "2" })).toEqual({
      _tag: "Reset",
      message: "stream broken off (ENHANCE_YOUR_CALM)",
      sent: true,
    })
    expect((await send2(endpoint, request("POST", "/"))).status).toBe(200)
    expect(peers).toHaveLength(2)
  })

  it("because its connection has had too much is sent once more where that is safe", async () => {
    const { port, peers } = await answering((peer, stream, count) => {
      if (count === 0) peer.write(RST_STREAM, 0, stream, number(11))
      else peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
    })
    expect((await send2(bench.to(port), request("GET", "/"))).status).toBe(200)
    expect(countOf(peers, HEADERS)).toBe(2)
    const always = await answering((peer, stream) => peer.write(RST_STREAM, 0, stream, number(11)))
    expect(await refusal(bench.to(always.port), request("GET", "/"), { version: "2" })).toMatchObject({ _tag: "Reset" })
    expect(countOf(always.peers, HEADERS)).toBe(2)
  })

  it("with its connection is a failure", async () => {
    const { port } = await answering((peer, stream, count) => {
      if (count === 1) {
        peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
        peer.write(DATA, 0, stream, Buffer.from("abc"))
      }
      setTimeout(() => peer.socket.end(), 15)
    })
    const endpoint = bench.to(port)
    expect(await refusal(endpoint, request("GET", "/"), { version: "2" })).toMatchObject({ _tag: "Reset", sent: true })
    expect(await ending(await send2(endpoint, request("GET", "/")))).toMatchObject({ _tag: "FlowFailure" })
  })
})

describe("a session that goes away", () => {
  it("finishes its streams, and new requests take another", async () => {
    const { port, peers } = await answering((peer, stream, count) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      if (count > 0) return peer.write(DATA, END_STREAM, stream, Buffer.from("second"))
      peer.goaway(stream, 0)
      setTimeout(() => peer.write(DATA, END_STREAM, stream, Buffer.from("first")), 60)
    })
    const endpoint = bench.to(port)
    const first = await send2(endpoint, request("GET", "/"))
    await pause(20)
    expect(await text(await send2(endpoint, request("GET", "/")))).toBe("second")
    expect(peers.length).toBe(2)
    expect(await text(first)).toBe("first")
    await until("the first connection is closed", () => bench.connections === 1)
  })

  it("has its unprocessed requests sent on another", async () => {
    const { port, peers } = await answering((peer, stream) => {
      if (peer === peers[0]) {
        if (stream === 3) peer.goaway(1, 0)
        return
      }
      peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
    })
    const endpoint = bench.to(port)
    const first = Effect.runFork(endpoint.send(request("GET", "/"), options({ version: "2" })))
    await until("it arrived", () => countOf(peers, HEADERS) === 1)
    const reply = await send2(endpoint, request("POST", "/", {}, bytes(new Uint8Array(3))))
    expect([reply.status, peers.length]).toEqual([200, 2])
    await Effect.runPromise(Fiber.interrupt(first))
  })

  it("in anger has its unprocessed requests sent on another, too", async () => {
    const { port, peers } = await answering((peer, stream) => {
      if (peer !== peers[0]) return peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
      if (stream === 3) peer.goaway(1, 11)
    })
    const endpoint = bench.to(port)
    const first = refusal(endpoint, request("POST", "/"), { version: "2" })
    await until("it arrived", () => countOf(peers, HEADERS) === 1)
    const second = await send2(endpoint, request("POST", "/", {}, bytes(new Uint8Array(3))))
    expect([second.status, peers.length]).toEqual([200, 2])
    expect(await first).toMatchObject({ _tag: "Reset", sent: true })
  })

  it("in anger takes its requests along", async () => {
    const { port } = await answering((peer, stream) => peer.goaway(stream, 11))
    expect(await refusal(bench.to(port), request("GET", "/"), { version: "2" })).toMatchObject({
      _tag: "Reset",
      sent: true,
    })
    await until("the connection is closed", () => bench.connections === 0)
  })
})

describe("an interrupted call over HTTP/2", () => {
  it("resets its stream and leaves the session", async () => {
    const { port, peers } = await answering((peer, stream, count) => {
      if (count === 2) peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
    })
    const endpoint = bench.to(port)
    const fed = new Fed()
    for (const body of [undefined, fed]) {
      const fiber = Effect.runFork(endpoint.send(request("POST", "/", {}, body), options({ version: "2" })))
      await until("it arrived", () => countOf(peers, HEADERS) === (body === undefined ? 1 : 2))
      if (body !== undefined) {
        body.write("abc")
        await pause(5)
      }
      await Effect.runPromise(Fiber.interrupt(fiber))
      await until("it was told", () => countOf(peers, RST_STREAM) === (body === undefined ? 1 : 2))
    }
    expect(resets(peers)).toEqual([8, 8])
    expect(fed.cancelled).toBe(true)
    // An upload that was broken off must not look whole.
    expect(peers[0]?.frames.some(({ type, flags, stream }) => type === DATA && stream === 3 && flags === 1)).toBe(false)
    expect((await send2(endpoint, request("GET", "/"))).status).toBe(200)
    expect(bench.connections).toBe(1)
  })

  it("ends the attempt to connect", async () => {
    const { port } = await answering(() => {})
    const fiber = Effect.runFork(bench.to(port).send(request("GET", "/"), options({ version: "2" })))
    await Effect.runPromise(Fiber.interrupt(fiber))
    await pause(20)
    expect(bench.connections).toBe(0)
  })

  it("takes nothing from those that use its session later, whatever was waiting to be sent", async () => {
    const { port } = await serve(
      (stream, headers) => {
        if (headers[":method"] === "GET") stream.respond({ ":status": 200 }, { endStream: true })
      },
      { initialWindowSize: 0 },
    )
    const endpoint = bench.to(port)
    await send2(endpoint, request("GET", "/"))
    for (let i = 0; i < 200; i++) {
      const fed = new Fed()
      const fiber = Effect.runFork(endpoint.send(request("POST", "/", {}, fed), options({ version: "2" })))
      await until("the upload", () => fed.sink !== undefined)
      fed.write(new Uint8Array(60_000))
      await Effect.runPromise(Fiber.interrupt(fiber))
    }
    expect((await send2(endpoint, request("GET", "/"))).status).toBe(200)
    expect(bench.connections).toBe(1)
  })

  it("leaves nothing behind of a body that had arrived and was not read", async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ":status": 200 })
      for (let i = 0; i < 3; i++) stream.write(Buffer.alloc(50_000))
      stream.end()
    })
    const endpoint = bench.to(port, { poolIdleMillis: 20 })
    const reply = await send2(endpoint, request("GET", "/"))
    if (reply.body._tag !== "Flow") throw new Error("no body")
    const source = reply.body.open({ write: () => false, end: () => {}, fail: () => {} })
    await pause(50)
    source.cancel()
    await until("the session is idle", () => bench.connections === 0)
  })

  it("cancels a body that nobody wants", async () => {
    const { port, peers } = await answering((peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      peer.write(DATA, 0, stream, Buffer.from("abc"))
    })
    const reply = await send2(bench.to(port), request("GET", "/"))
    if (reply.body._tag !== "Flow") throw new Error("not a flow")
    let calls = 0
    const source = reply.body.open({ write: () => true, end: () => calls++, fail: () => calls++ })
    source.cancel()
    source.cancel()
    await until("it was told", () => resets(peers).length === 1)
    expect([resets(peers), calls]).toEqual([[8], 0])
  })

  it("after its deadline", async () => {
    const { port, peers } = await answering(() => {})
    expect(await refusal(bench.to(port), request("GET", "/"), { version: "2", replyTimeoutMillis: 40 })).toMatchObject({
      _tag: "ReplyTimeout",
    })
    await until("it was told", () => resets(peers).length === 1)
  })

  it("by its own client breaks the upload off", async () => {
    const { port, peers } = await answering(() => {})
    const fed = new Fed()
    const failed = refusal(bench.to(port), request("POST", "/", {}, fed), { version: "2" })
    await until("the body is wanted", () => fed.sink !== undefined)
    fed.write("abc")
    fed.sink?.fail({ _tag: "FlowFailure", reason: "gone", message: "the client went away" })
    expect(await failed).toEqual({ _tag: "RequestAborted", message: "the client went away", reason: "gone" })
    await until("it was told", () => resets(peers).length === 1)
  })
})

describe("the life of a session", () => {
  const instant = (): ReturnType<typeof answering> =>
    answering((peer, stream) => peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200))

  it("ends after it was idle", async () => {
    const { port } = await instant()
    await send2(bench.to(port, { poolIdleMillis: 40 }), request("GET", "/"))
    expect(bench.connections).toBe(1)
    await until("the connection is closed", () => bench.connections === 0)
  })

  it("ends although the server leaves its half of the connection open", async () => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const peer = new Peer(socket, Buffer.alloc(0), (_peer, { stream, type }) => {
        if (type === HEADERS) peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
      })
    })
    const { port } = await bench.listen(server)
    const before = sockets()
    await send2(bench.to(port, { poolIdleMillis: 20 }), request("GET", "/"))
    expect(sockets()).toBe(before + 2)
    await until("only the half of the server is left", () => sockets() === before + 1)
  })

  it("ends when it has no more numbers for streams, and nothing fails of that", async () => {
    const { port, peers } = await instant()
    const endpoint = bench.to(port)
    const connecting = vi.spyOn(onDemand.http2(), "connect")
    expect((await send2(endpoint, request("GET", "/"))).status).toBe(200)
    const session = connecting.mock.results[0]?.value as { readonly setNextStreamID: (id: number) => void }
    connecting.mockRestore()
    session.setNextStreamID(2 ** 31 - 1)
    for (let i = 0; i < 3; i++) expect((await send2(endpoint, request("POST", "/"))).status).toBe(200)
    expect(peers.length).toBe(2)
    await until("the first connection is closed", () => bench.connections === 1)
  })

  it("ends when a request was waited for in vain and nothing at all was heard meanwhile", async () => {
    const { port, peers } = await answering((peer, stream, count) => {
      if (count !== 1) peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
    })
    const endpoint = bench.to(port)
    expect((await send2(endpoint, request("GET", "/"))).status).toBe(200)
    const hanging = { version: "2", replyTimeoutMillis: 50 } as const
    expect((await refusal(endpoint, request("GET", "/"), hanging))._tag).toBe("ReplyTimeout")
    expect((await send2(endpoint, request("GET", "/"))).status).toBe(200)
    expect(peers.length).toBe(2)
    await until("the first connection is closed", () => bench.connections === 1)
  })

  it("ends when a request was waited for in vain and the server reads nothing any more", async () => {
    await bench.close()
    bench = new Bench({ ping: { intervalMillis: 60_000, timeoutMillis: 50 } })
    const server = net.createServer((socket) => {
      const windows = setting(4, 1 << 30)
      const peer = new Peer(socket, windows, (_peer, { stream, type }) => {
        if (type !== HEADERS) return
        if (stream > 1) return void socket.pause()
        peer.write(WINDOW_UPDATE, 0, 0, number(1 << 30))
        peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
      })
    })
    const { port } = await bench.listen(server)
    const endpoint = bench.to(port)
    await send2(endpoint, request("GET", "/"))
    const before = sockets()
    const fed = new Fed()
    const failed = refusal(endpoint, request("POST", "/", {}, fed), { version: "2", replyTimeoutMillis: 300 })
    await until("the body is wanted", () => fed.sink !== undefined)
    for (let i = 0; i < 400; i++) fed.write(new Uint8Array(65_536))
    expect((await failed)._tag).toBe("ReplyTimeout")
    await until("only the end of the server is left", () => sockets() === before - 1)
  })

  it("goes on when a request was waited for in vain and another was answered meanwhile", async () => {
    const { port, peers } = await answering((peer, stream, count) => {
      if (count !== 1) peer.write(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
    })
    const endpoint = bench.to(port)
    await send2(endpoint, request("GET", "/"))
    const failed = refusal(endpoint, request("GET", "/"), { version: "2", replyTimeoutMillis: 100 })
    await until("it arrived", () => countOf(peers, HEADERS) === 2)
    await send2(endpoint, request("GET", "/"))
    expect((await failed)._tag).toBe("ReplyTimeout")
    await send2(endpoint, request("GET", "/"))
    expect(peers.length).toBe(1)
  })

  it("ends with its endpoint, after its calls", async () => {
    const { port } = await answering((peer, stream, count) => {
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200)
      setTimeout(() => peer.write(DATA, END_STREAM, stream, Buffer.from("x")), count === 0 ? 0 : 40)
    })
    const endpoint = bench.to(port)
    await text(await send2(endpoint, request("GET", "/")))
    const slow = await send2(endpoint, request("GET", "/"))
    endpoint.close()
    expect(await text(slow)).toBe("x")
    await until("the connection is closed", () => bench.connections === 0)
  })

  it("is asked for signs of life while it has calls", async () => {
    await bench.close()
    bench = new Bench({ ping: { intervalMillis: 20, timeoutMillis: 60 } })
    let answers = true
    const { server } = frameServer((peer, frame) => {
      if (frame.type === PING && answers && (frame.flags & 1) === 0) peer.write(PING, 1, 0, frame.payload)
      if (frame.type === HEADERS) peer.write(HEADERS, END_HEADERS, frame.stream, STATUS_200)
    })
    const { port } = await bench.listen(server)
    const reply = await send2(bench.to(port), request("GET", "/"))
    const ended = ending(reply)
    expect(await Promise.race([ended, pause(150).then(() => "open")])).toBe("open")
    answers = false
    expect(await ended).toMatchObject({ _tag: "FlowFailure" })
  })

  it("does not begin with a server that never says a word", async () => {
    const { port } = await bench.listen(net.createServer((socket) => void socket.resume()))
    const endpoint = bench.to(port, { connectTimeoutMillis: 60 })
    const failures = await Promise.all(
      [0, 1].map(() => refusal(endpoint, request("GET", "/"), { version: "2", replyTimeoutMillis: 5_000 })),
    )
    expect(failures.map(({ _tag }) => _tag)).toEqual(["ConnectTimeout", "ConnectTimeout"])
    await until("the connection is closed", () => bench.connections === 0)
  })
})

describe("an upstream that may not speak HTTP/2", () => {
  const either = (endpoint: Endpoint, sent: ReturnType<typeof request>): Promise<Reply> =>
    send(endpoint, sent, { version: "either" })

  it("is spoken to in HTTP/1.1 when it does not, with the whole body, and is not asked each time", async () => {
    let connections = 0
    const { port, server } = await bench.http((incoming, response) => {
      let body = ""
      incoming.on("data", (chunk: Buffer) => (body += chunk.toString()))
      incoming.once("end", () => response.end(`${incoming.httpVersion} ${incoming.method} ${body}`))
    })
    server.on("connection", () => connections++)
    const endpoint = bench.to(port)
    const fed = new Fed()
    const first = either(endpoint, request("POST", "/", {}, fed))
    await until("the body is wanted", () => fed.sink !== undefined)
    fed.write("all of ")
    fed.write("it")
    fed.end()
    expect(await text(await first)).toBe("1.1 POST all of it")
    expect(connections).toBe(2)
    expect(await text(await either(endpoint, request("GET", "/")))).toBe("1.1 GET ")
    expect(connections).toBe(2)
  })

  it("is spoken to in HTTP/2 when it does, on one connection", async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ":status": 200 })
      stream.end("2")
    })
    const endpoint = bench.to(port)
    expect(await Promise.all([1, 2, 3].map(async () => text(await either(endpoint, request("GET", "/")))))).toEqual([
      "2",
      "2",
      "2",
    ])
    expect(bench.connections).toBe(1)
  })

  it("is refused by name where HTTP/2 was asked for", async () => {
    const { port } = await bench.http((_, response) => void response.end("x"))
    const endpoint = bench.to(port)
    for (let i = 0; i < 2; i++) {
      expect(await refusal(endpoint, request("GET", "/"), { version: "2" })).toEqual({
        _tag: "ConnectFailed",
        message: "the upstream does not speak HTTP/2",
      })
    }
  })

  it("is not known by a connection that ended before a word was said", async () => {
    let turns = -1
    const http2Server = http2.createServer((_, response) => void response.end("2"))
    const { port } = await bench.listen(
      net.createServer((socket) => {
        socket.on("error", () => {})
        if (turns++ < 2) socket.destroy()
        else http2Server.emit("connection", socket)
      }),
    )
    const endpoint = bench.to(port)
    expect(await refusal(endpoint, request("POST", "/"), { version: "2" })).toEqual({
      _tag: "ConnectFailed",
      message: "the connection ended before it was one of HTTP/2",
    })
    expect((await refusal(endpoint, request("POST", "/"), { version: "either" }))._tag).toBe("Reset")
    expect(await text(await either(endpoint, request("GET", "/")))).toBe("2")
  })

  it("may have become another one", async () => {
    const http1Server = http.createServer((_, response) => void response.end("1.1"))
    const sessions = new Set<http2.ServerHttp2Session>()
    const http2Server = http2.createServer((_, response) => void response.end("2"))
    http2Server.on("session", (session) => void sessions.add(session))
    let now: net.Server = http2Server
    const { port } = await bench.listen(net.createServer((socket) => void now.emit("connection", socket)))
    const endpoint = bench.to(port)
    expect(await text(await either(endpoint, request("GET", "/")))).toBe("2")
    now = http1Server
    for (const session of sessions) session.close()
    await until("the session is gone", () => bench.connections === 0)
    const tried = async (): Promise<string> => {
      const exit = await Effect.runPromiseExit(endpoint.send(request("GET", "/"), options({ version: "either" })))
      return exit._tag === "Success" ? text(exit.value) : "failed"
    }
    await tried()
    expect(await tried()).toBe("1.1")
  })
})
