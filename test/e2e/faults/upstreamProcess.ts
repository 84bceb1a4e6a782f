/** An HTTP server in a process of its own, so that it can be stopped and killed like one. Says its port, then serves. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

const drip = (response: http.ServerResponse): void => {
  const timer = setInterval(() => response.write("drop\n"), 5)
  response.on("close", () => clearInterval(timer))
}

const server = http.createServer((request, response) => {
  request.resume()
  switch (request.url) {
    case "/stream":
      response.writeHead(200)
      return drip(response)
    case "/long":
      response.writeHead(200, { "content-length": "100000000" })
      return drip(response)
    case "/never":
      return
    case "/upload":
      request.on("end", () => response.end("received"))
      return
    default:
      response.end("hello")
  }
})

server.listen(
  { port: Number(process.argv[2] ?? 0), host: "127.0.0.1", backlog: Number(process.argv[3] ?? 511) },
  () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
  },
)
