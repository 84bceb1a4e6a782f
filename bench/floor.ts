/**
 * The least that Node can do as a proxy: `node:http` to `undici.dispatch`, nothing between. It does what any proxy has
 * to — keeps connections on both sides, passes fields on without those of the connection, respects whoever reads slowly,
 * gives up the upstream when the client leaves — and knows neither routes nor policies, logs nothing and counts nothing.
 *
 *   node bench/floor.ts UPSTREAM_PORT
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { Agent, type Dispatcher } from "undici"

const origin = `http://127.0.0.1:${process.argv[2]}`
const agent = new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
const ofConnection = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "expect"])
const left = new Error("the client left")

class Relay implements Dispatcher.DispatchHandler {
  private readonly response: http.ServerResponse
  private controller: Dispatcher.DispatchController | undefined
  private done = false

  constructor(response: http.ServerResponse) {
    this.response = response
    response.once("close", () => {
      if (!this.done) this.controller?.abort(left)
    })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: http.IncomingHttpHeaders): void {
    delete headers.connection
    delete headers["keep-alive"]
    delete headers["transfer-encoding"]
    this.response.writeHead(status, headers)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.response.write(chunk)) return
    controller.pause()
    this.response.once("drain", () => controller.resume())
  }

  onResponseEnd(): void {
    this.done = true
    this.response.end()
  }

  onResponseError(): void {
    this.done = true
    if (this.response.headersSent) return void this.response.destroy()
    this.response.writeHead(502)
    this.response.end()
  }
}

const passedOn = (raw: ReadonlyArray<string>): Array<string> => {
  const headers: Array<string> = []
  for (let i = 0; i < raw.length; i += 2) {
    if (!ofConnection.has((raw[i] as string).toLowerCase())) headers.push(raw[i] as string, raw[i + 1] as string)
  }
  return headers
}

const hasBody = ({ headers }: http.IncomingMessage): boolean =>
  headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined

const server = http.createServer({ noDelay: true }, (incoming, response) => {
  agent.dispatch(
    {
      origin,
      path: incoming.url as string,
      method: incoming.method as Dispatcher.HttpMethod,
      headers: passedOn(incoming.rawHeaders),
      body: hasBody(incoming) ? incoming : null,
    },
    new Relay(response),
  )
})
server.keepAliveTimeout = 0
server.listen(0, "127.0.0.1", 4096, () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once("disconnect", () => process.exit())
