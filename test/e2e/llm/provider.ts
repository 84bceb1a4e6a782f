/** A model provider that answers as it is told, and remembers what it was asked. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

export interface Call {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  // The body is whatever the test's own SDK sent; each test knows its shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

export interface Scripted {
  readonly port: number
  readonly calls: Array<Call>
  /** How the next calls are answered. */
  answer: (call: Call, response: http.ServerResponse) => void | Promise<void>
  readonly close: () => Promise<void>
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const startProvider = (answer: Scripted["answer"]): Promise<Scripted> =>
  new Promise((resolve) => {
    const calls: Array<Call> = []
    const server = http.createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString()
        const call: Call = {
          method: request.method ?? "",
          path: request.url ?? "",
          headers: request.headers,
          text,
          json: parsed(text),
        }
        calls.push(call)
        void scripted.answer(call, response)
      })
    })
    const scripted: Scripted = {
      get port() {
        return (server.address() as AddressInfo).port
      },
      calls,
      answer,
      close: () =>
        new Promise((closed) => {
          server.close(() => closed())
          server.closeAllConnections()
        }),
    }
    server.listen(0, "127.0.0.1", () => resolve(scripted))
  })

export const sendJson = (
  response: http.ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(JSON.stringify(body))
}

export const sendEvents = (
  response: http.ServerResponse,
  events: ReadonlyArray<{ readonly event?: string; readonly data: unknown }>,
): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  for (const { data, event } of events) {
    response.write(
      `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`,
    )
  }
  response.end()
}
