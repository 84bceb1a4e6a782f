/**
 * The server that everything is measured against: one fixed process, cheaper than any gateway in front of it.
 *
 *   any path          64 bytes
 *   POST any path     as many bytes as it received, in one reply after the last of them
 *   /events           100 server-sent events, as fast as they are taken
 *   /paced            10 server-sent events, 5 ms apart, the first at once
 *   /held             one event, and then nothing until the client leaves
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

export const EVENTS = 100
const PACED_EVENTS = 10
const PACE_MILLIS = 5

const small = Buffer.alloc(64, "x")
const event = Buffer.from(
  `data: ${JSON.stringify({ id: "chunk-1", choices: [{ delta: { content: "token" }, index: 0 }] })}\n\n`,
)
const streamHead = { "content-type": "text/event-stream", "cache-control": "no-cache" }

const answer = (response: http.ServerResponse, body: Buffer): void => {
  response.writeHead(200, { "content-type": "text/plain", "content-length": body.byteLength, "x-served-by": "bench" })
  response.end(body)
}

const stream = (response: http.ServerResponse, count: number, next: (tick: () => void) => void): void => {
  response.writeHead(200, streamHead)
  let sent = 0
  const tick = (): void => {
    if (response.destroyed) return
    response.write(event)
    if (++sent === count) response.end()
    else next(tick)
  }
  tick()
}

const echoes = new Map<number, Buffer>()

const echo = (incoming: http.IncomingMessage, response: http.ServerResponse): void => {
  let length = 0
  incoming.on("data", (chunk: Buffer) => (length += chunk.byteLength))
  incoming.once("end", () => {
    let body = echoes.get(length)
    if (body === undefined) echoes.set(length, (body = Buffer.alloc(length, "y")))
    answer(response, body)
  })
}

const server = http.createServer((incoming, response) => {
  if (incoming.method === "POST") return echo(incoming, response)
  incoming.resume()
  switch (incoming.url) {
    case "/events":
      return stream(response, EVENTS, setImmediate)
    case "/paced":
      return stream(response, PACED_EVENTS, (tick) => setTimeout(tick, PACE_MILLIS))
    case "/held":
      response.writeHead(200, streamHead)
      return void response.write(event)
    default:
      return answer(response, small)
  }
})
server.keepAliveTimeout = 0
server.listen(0, "127.0.0.1", 4096, () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once("disconnect", () => process.exit())
