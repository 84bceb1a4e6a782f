/** Services that break off or say what cannot be meant: the configuration decides, and nothing is left over. */
import * as net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { outcomes } from "../faults/freed.ts"
import { saying, wordsOf } from "./lyingPeers.ts"
import { type Closing, start } from "./place.ts"
import { freed, listening } from "./stuckPeers.ts"

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

  // An empty answer is an answer here: its status is that of no error.
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
  // A processor may say more than one message, and end when it has nothing more to say.
  const mayBeMeant = [
    "ends without a status",
    "gives two messages",
    "says that it is done and gives no message",
    "gives its answer with a failure",
  ]
  const all = Object.entries({ ...words.broken, ...words.lies }).filter(([name]) => !mayBeMeant.includes(name))

  it.each(all)("%s", async (_name, say) => {
    const { port } = await saying(closing, say, "message")
    const over = (mode: string) =>
      `extProc: {host: "127.0.0.1:${port}", ${brief}, failureMode: ${mode}, processingOptions: {requestBodyMode: none, responseBodyMode: none}}`
    const closed = await start(closing, over("failClosed"))
    const open = await start(closing, over("failOpen"))
    const [refused, passed] = await Promise.all([closed.send("/"), open.reached("/")])
    expect(refused.status).toBe(500)
    expect(refused.body).toMatch(/^ext_proc failed: /)
    expect(passed.url).toBe("/")
    expect(closed.backend.requests).toEqual([])
    await freed(closed, 1)
    await outcomes(open.gateway, 1)
  })
})
