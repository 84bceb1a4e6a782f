/** The bundled sample service behind the embedded configuration: says what it was asked, on loopback only. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

const eventsMax = 100
/** Statuses whose replies have no body (RFC 9110 §6.4.1). */
const bodiless = new Set(["204", "205", "304"])

const streamEvents = (response: http.ServerResponse, count: number): void => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
  let sent = 0
  const timer = setInterval(() => {
    sent++
    response.write(`data: ${JSON.stringify({ event: sent, of: count })}\n\n`)
    if (sent < count) return
    clearInterval(timer)
    response.end()
  }, 100)
  response.on("close", () => clearInterval(timer))
}

const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
  const [path = "/", query = ""] = (request.url ?? "/").split("?", 2)
  const status = /^\/status\/([2-5]\d\d)$/.exec(path)?.[1]
  if (path === "/events") {
    request.resume()
    const count = Math.trunc(Number(new URLSearchParams(query).get("count") ?? 5))
    return streamEvents(response, count >= 1 ? Math.min(eventsMax, count) : 5)
  }
  if (path === "/echo") {
    response.writeHead(200, { "content-type": request.headers["content-type"] ?? "application/octet-stream" })
    request.pipe(response)
    return
  }
  request.resume()
  request.once("end", () => {
    if (status !== undefined && bodiless.has(status)) {
      response.writeHead(Number(status))
      response.end()
      return
    }
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

export interface Sample {
  readonly port: number
  readonly close: () => void
}

export const startSample = (): Promise<Sample> =>
  new Promise((resolve, reject) => {
    const server = http.createServer(answer)
    server.once("error", reject)
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () => {
          server.close()
          server.closeAllConnections()
        },
      })
    })
  })
