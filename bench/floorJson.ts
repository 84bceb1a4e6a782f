/**
 * The least that a proxy of calls to models can do: as `floor.ts`, but it reads both bodies whole and parses each once.
 *
 *   node bench/floorJson.ts UPSTREAM_PORT
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { Agent } from "undici"

const origin = `http://127.0.0.1:${process.argv[2]}`
const agent = new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })

const server = http.createServer({ noDelay: true }, (incoming, response) => {
  const chunks: Array<Buffer> = []
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
  incoming.once("end", () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
    JSON.parse(body.toString())
    const replied: Array<Buffer> = []
    let head: http.IncomingHttpHeaders = {}
    let status = 502
    agent.dispatch(
      {
        origin,
        path: incoming.url ?? "/",
        method: "POST",
        headers: { "content-type": "application/json", accept: "*/*" },
        body,
      },
      {
        onRequestStart() {},
        onResponseStart(_controller, code, headers) {
          status = code
          head = headers
        },
        onResponseData(_controller, chunk) {
          replied.push(chunk)
        },
        onResponseEnd() {
          const whole = replied.length === 1 ? (replied[0] as Buffer) : Buffer.concat(replied)
          JSON.parse(whole.toString())
          response.writeHead(status, { "content-type": head["content-type"], "content-length": whole.byteLength })
          response.end(whole)
        },
        onResponseError() {
          response.writeHead(502)
          response.end()
        },
      },
    )
  })
})
server.keepAliveTimeout = 0
server.listen(0, "127.0.0.1", 4096, () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once("disconnect", () => process.exit())
