/** The bundled sample service behind the embedded configuration: says what it was asked, on loopback only. */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as http from "node:http"
import type { AddressInfo } from "node:net"

const eventsMax = 100

const streamEvents = (request: http.IncomingMessage, response: http.ServerResponse, count: number): void => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
  let sent = 0
  const timer = setInterval(() => {
    sent++
    response.write(`data: ${JSON.stringify({ event: sent, of: count })}\n\n`)
    if (sent < count) return
    clearInterval(timer)
    response.end()
  }, 100)
  request.on("close", () => clearInterval(timer))
  response.on("close", () => clearInterval(timer))
}

const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
  const url = new URL(request.url ?? "/", "http://sample")
  const status = /^\/status\/([2-5]\d\d)$/.exec(url.pathname)?.[1]
  if (url.pathname === "/events") {
    request.resume()
    return streamEvents(request, response, Math.min(eventsMax, Number(url.searchParams.get("count") ?? 5) || 5))
  }
  if (url.pathname === "/echo") {
    response.writeHead(200, { "content-type": request.headers["content-type"] ?? "application/octet-stream" })
    request.pipe(response)
    return
  }
  request.resume()
  request.once("end", () => {
    const body = `${JSON.stringify(
      {
        service: "sluice sample",
        method: request.method,
        path: request.url,
        headers: request.headers,
        try: ["/echo", "/events?count=3", "/status/418"],
      },
      undefined,
      2,
    )}\n`
    response.writeHead(status === undefined ? 200 : Number(status), {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    })
    response.end(body)
  })
}

/** Serves until the scope closes; the result is its port. */
export const sample: Effect.Effect<number, Error, Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<http.Server, Error>((resume) => {
      const server = http.createServer(answer)
      server.once("error", (error) => resume(Effect.fail(error)))
      server.listen({ host: "127.0.0.1", port: 0 }, () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      }),
  ),
  (server) => (server.address() as AddressInfo).port,
)
