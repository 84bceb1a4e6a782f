/** Services that break off or say what cannot be meant: the configuration decides, and nothing is left over. */
import * as net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { outcomes } from "../faults/freed.ts"
import { serviceOf } from "../../peers/grpc.ts"
import { DATA, END_HEADERS, END_STREAM, HEADERS } from "../upstream/frames.ts"
import { field, head, message, type Say, saying, whole, wordsOf } from "./lyingPeers.ts"
import { type Asked, type Closing, type Reached, start } from "./place.ts"
import { freed, listening } from "./stuckPeers.ts"

const ExternalProcessor = serviceOf("envoy_ext_proc.proto", "envoy.service.ext_proc.v3.ExternalProcessor")

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const brief = "policies: {http: {requestTimeout: 300ms}}"

/** `status` or `request_headers`, each of which is field 1, with nothing in it. */
const words = wordsOf(Buffer.from([10, 0]))

describe("external authorization by a service that", () => {
  const decided = async (port: number, more = ""): Promise<void> => {
    const over = (mode: string) => `extAuthz: {host: "127.0.0.1:${port}", ${brief}${more}, failureMode: ${mode}}`
    const closed = await start(closing, over("deny"))
    const open = await start(closing, over("allow"))
    const [refused, passed] = await Promise.all([closed.send("/"), open.send("/", { headers: { "x-a": "mine" } })])
    expect(refused).toMatchObject({ status: 403, body: "external authorization failed" })
    expect(passed).toMatchObject({ status: 200 })
    expect((JSON.parse(passed.body) as { headers: object }).headers).toMatchObject({ "x-a": "mine" })
    expect(closed.backend.requests).toEqual([])
    await freed(closed, 1)
    await outcomes(open.gateway, 1)
  }

  it("over gRPC gives an empty message has named no error, and lets pass", async () => {
    const { port } = await saying(closing, whole(message(Buffer.alloc(0))))
    for (const failureMode of ["deny", "allow", "{denyWithStatus: 503}"]) {
      const place = await start(closing, `extAuthz: {host: "127.0.0.1:${port}", ${brief}, failureMode: ${failureMode}}`)
      const seen = await place.reached("/p", { method: "POST", headers: { "x-a": "mine" }, body: "hello" })
      expect(seen).toMatchObject({ url: "/p", body: "hello", headers: { "x-a": "mine" } })
      expect(place.backend.requests.length).toBe(1)
    }
  })

  // An empty answer is an answer here.
  const { "gives a message that does not say whether": _, ...lies } = words.lies
  it.each(Object.entries({ ...words.half, ...words.broken, ...lies }))("over gRPC %s", async (_name, say) => {
    await decided((await saying(closing, say)).port)
  })

  const raw: Readonly<Record<string, (socket: net.Socket) => void>> = {
    "resets the connection": (socket) => void socket.resetAndDestroy(),
    "closes without a word": (socket) => void socket.end(),
    "breaks off in its head": (socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-le"),
    "resets in its head": (socket) => void socket.write("HTTP/1.1 200 OK\r\nx-a: b", () => socket.resetAndDestroy()),
    "speaks another protocol": (socket) => void socket.end("SSH-2.0-OpenSSH_9.6\r\n"),
    "frames its answer in two ways": (socket) =>
      void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    "breaks a line of its head": (socket) => void socket.end("HTTP/1.1 200 OK\r\nx-a: b\rx-c: d\r\n\r\n"),
    "never ends its head": (socket) => {
      const more = setInterval(() => socket.write(`x-${"y".repeat(4_000)}: z\r\n`), 1)
      socket.write("HTTP/1.1 200 OK\r\n")
      socket.on("close", () => clearInterval(more))
    },
    "switches protocols unasked": (socket) =>
      void socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
  }
  it.each(Object.entries(raw))("over HTTP %s", async (_name, say) => {
    const port = await listening(
      closing,
      net.createServer((socket) => {
        socket.on("error", () => {})
        socket.once("data", () => say(socket))
      }),
    )
    await decided(port, ", protocol: {http: {}}")
  })
})

describe("external processing by a service that", () => {
  const place = (port: number, failureMode: string, mode: string, more = "") =>
    start(
      closing,
      `extProc: {host: "127.0.0.1:${port}", ${brief}, failureMode: ${failureMode}, processingOptions: {requestBodyMode: ${mode}, responseBodyMode: ${mode}${more}}}`,
    )
  const get: Asked = {}
  const post: Asked = { method: "POST", body: "hello" }

  /** What passes is what the client sent, and the reply as the upstream gave it. */
  const failed = async (port: number, mode: string, asked: Asked, reason: RegExp): Promise<void> => {
    const closed = await place(port, "failClosed", mode)
    const open = await place(port, "failOpen", mode)
    const [refused, passed] = await Promise.all([closed.send("/", asked), open.send("/", asked)])
    expect(refused.status).toBe(500)
    expect(refused.body).toMatch(reason)
    expect(closed.backend.requests).toEqual([])
    expect(passed.status).toBe(200)
    expect(passed.headers).not.toHaveProperty("x-by")
    const seen = JSON.parse(passed.body) as Reached
    expect([seen.url, seen.body]).toEqual(["/", asked.body ?? ""])
    expect(seen.headers).not.toHaveProperty("x-by")
    await freed(closed, 1)
    await outcomes(open.gateway, 1)
  }

  // These end an answer that stands, or a conversation in which nothing was left to say.
  const elsewhere = [
    "gives two messages",
    "ends without a status",
    "gives its answer with a failure",
    "says that it is done and gives no message",
  ]
  const all = Object.entries({ ...words.broken, ...words.lies }).filter(([name]) => !elsewhere.includes(name))
  it.each(all)("%s", async (_name, say) => {
    await failed((await saying(closing, say, "message")).port, "none", get, /^ext_proc failed: /)
  })

  const written = (answer: object): Buffer => {
    const bytes = ExternalProcessor["Process"]?.responseSerialize(answer)
    if (bytes === undefined) throw new Error("the service has no such method")
    return message(bytes)
  }
  const change = {
    response: { headerMutation: { setHeaders: [{ header: { key: "x-by", rawValue: Buffer.from("it") } }] } },
  }
  const answer = { requestHeaders: change }

  const unasked: Readonly<Record<string, readonly [asked: Asked, answers: ReadonlyArray<object>]>> = {
    "answers the same headers twice": [get, [answer, answer]],
    "answers the same headers twice, before a body": [post, [answer, answer]],
    "answers the headers of a reply that does not exist yet": [get, [answer, { responseHeaders: change }]],
    "answers the body of a reply that does not exist yet": [get, [answer, { responseBody: change }]],
    "answers the trailers of a reply that does not exist yet": [get, [answer, { responseTrailers: {} }]],
    "answers a body where there is none": [get, [answer, { requestBody: change }]],
    "answers trailers that were not sent": [get, [answer, { requestTrailers: {} }]],
    "answers for the reply instead": [get, [{ responseHeaders: change }]],
    "answers with a body instead": [get, [{ requestBody: change }]],
  }
  it.each(
    Object.entries(unasked).flatMap(([name, said]) => ["none", "buffered"].map((mode) => [name, mode, said] as const)),
  )("%s, with bodies %s", async (_name, mode, [asked, answers]) => {
    const { port } = await saying(closing, whole(Buffer.concat(answers.map(written))), "message")
    await failed(port, mode, asked, /^ext_proc failed: it answers what it was not asked$/)
  })

  it.each(["none", "buffered"])("answers the same twice where nothing follows, with bodies %s", async (mode) => {
    const { port } = await saying(closing, whole(Buffer.concat([written(answer), written(answer)])), "message")
    const closed = await place(port, "failClosed", mode, ", responseHeaderMode: skip")
    expect(await closed.send("/")).toMatchObject({
      status: 500,
      body: "ext_proc failed: it answers what it was not asked",
    })
    expect(closed.backend.requests).toEqual([])
  })

  const failing: Readonly<Record<string, readonly [ending: Say, reason: string]>> = {
    "with a failing status": [
      (peer, stream) => peer.write(HEADERS, END_HEADERS | END_STREAM, stream, field("grpc-status", "13")),
      "INTERNAL",
    ],
    "without a status": [
      (peer, stream) => peer.write(DATA, END_STREAM, stream, Buffer.alloc(0)),
      "INTERNAL: the answer ended without a status",
    ],
  }
  describe.each(Object.entries(failing))("answers and ends %s", (_name, [ending, reason]) => {
    const processor = async (): Promise<number> =>
      (
        await saying(
          closing,
          (peer, stream) => {
            peer.write(HEADERS, END_HEADERS, stream, head)
            peer.write(DATA, 0, stream, written(answer))
            ending(peer, stream)
          },
          "message",
        )
      ).port

    it("changed what it answered, and has failed for the reply", async () => {
      const port = await processor()
      const closed = await place(port, "failClosed", "none")
      const open = await place(port, "failOpen", "none")
      expect(await closed.send("/")).toMatchObject({ status: 500, body: `ext_proc failed: ${reason}` })
      expect(closed.backend.requests.length).toBe(1)
      expect((await open.reached("/")).headers).toMatchObject({ "x-by": "it" })
      await freed(closed, 1)
      await outcomes(open.gateway, 1)
    })

    it("changed what it answered, and has failed for the body", async () => {
      const port = await processor()
      const closed = await place(port, "failClosed", "buffered")
      const open = await place(port, "failOpen", "buffered")
      expect(await closed.send("/", post)).toMatchObject({ status: 500, body: `ext_proc failed: ${reason}` })
      expect(closed.backend.requests).toEqual([])
      expect(await open.reached("/", post)).toMatchObject({ body: "hello", headers: { "x-by": "it" } })
    })

    it("has said all where nothing else is asked", async () => {
      const port = await processor()
      for (const failureMode of ["failClosed", "failOpen"]) {
        const quiet = await place(port, failureMode, "none", ", responseHeaderMode: skip")
        expect((await quiet.reached("/", post)).headers).toMatchObject({ "x-by": "it" })
      }
    })
  })

  it.each(["none", "buffered"])(
    "says that it is done and gives no message, with bodies %s, has no objection",
    async (mode) => {
      const { port } = await saying(closing, whole(), "message")
      for (const failureMode of ["failClosed", "failOpen"]) {
        const quiet = await place(port, failureMode, mode)
        expect((await quiet.reached("/", post)).body).toBe("hello")
      }
    },
  )
})
