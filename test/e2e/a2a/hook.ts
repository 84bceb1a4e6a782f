/** Where notifications arrive: remembers them, and answers as it is told. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

export interface Notified {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
}

export interface Hook {
  readonly port: number
  readonly url: string
  readonly got: Array<Notified>
  /** The status for what arrived; undefined: no answer at all. */
  answer: (notified: Notified) => number | undefined
  readonly close: () => Promise<void>
}

export const startHook = async (port = 0): Promise<Hook> => {
  const got: Array<Notified> = []
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString()
      const notified = {
        path: request.url ?? "",
        headers: request.headers,
        text,
        body: JSON.parse(text) as Notified["body"],
      }
      const status = hook.answer(notified)
      got.push(notified)
      if (status !== undefined) response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve))
  const at = (server.address() as AddressInfo).port
  const hook: Hook = {
    port: at,
    url: `http://127.0.0.1:${at}/hook`,
    got,
    answer: () => 204,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return hook
}
