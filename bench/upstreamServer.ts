/**
 * The server that everything is measured against: one fixed process, cheaper than any gateway in front of it.
 *
 *   any path          64 bytes
 *   POST any path     as many bytes as it received, in one reply after the last of them
 *   /v1/traces        nothing, as a receiver of OTLP answers that takes all
 *   /v1/…             a reply of a model, as JSON or as 100 events
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

const paragraph = "A proxy passes requests on; a gateway decides about them, and knows what they are about. "
const usage = { prompt_tokens: 180, completion_tokens: 120, total_tokens: 300 }
const head = { id: "chatcmpl-1", created: 1_790_000_000, model: "served-model" }
const completion = Buffer.from(
  JSON.stringify({
    ...head,
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content: paragraph.repeat(8) }, finish_reason: "stop" }],
    usage,
  }),
)
const message = Buffer.from(
  JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "served-model",
    content: [{ type: "text", text: paragraph.repeat(8) }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 180, output_tokens: 120 },
  }),
)
const chunkOf = (more: object): Buffer =>
  Buffer.from(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...more })}\n\n`)
const delta = chunkOf({ choices: [{ index: 0, delta: { content: " token" }, finish_reason: null }], usage: null })
const lastEvents = Buffer.concat([chunkOf({ choices: [], usage }), Buffer.from("data: [DONE]\n\n")])

/** Says the same whatever it is asked. */
const model = (incoming: http.IncomingMessage, response: http.ServerResponse, whole: Buffer): void => {
  let isStream = false
  incoming.on("data", (chunk: Buffer) => (isStream ||= chunk.includes('"stream":true')))
  incoming.once("end", () => {
    if (!isStream) {
      response.writeHead(200, { "content-type": "application/json", "content-length": whole.byteLength })
      response.end(whole)
      return
    }
    response.writeHead(200, streamHead)
    let sent = 0
    const tick = (): void => {
      if (response.destroyed) return
      if (++sent === EVENTS) return void response.end(lastEvents)
      response.write(delta)
      setImmediate(tick)
    }
    tick()
  })
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

const receive = (incoming: http.IncomingMessage, response: http.ServerResponse): void => {
  incoming.resume()
  incoming.once("end", () => response.writeHead(200, { "content-length": 0 }).end())
}

const server = http.createServer((incoming, response) => {
  if (incoming.url?.startsWith("/v1/chat/") === true) return model(incoming, response, completion)
  if (incoming.url?.startsWith("/v1/messages") === true) return model(incoming, response, message)
  if (incoming.url === "/v1/traces") return receive(incoming, response)
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
