/** The transport of the first revision, with its two endpoints, as the old SDK spoke it. */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server"
import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"

export class HttpSseTransport implements Transport {
  readonly sessionId = randomUUID()
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: JSONRPCMessage) => void
  private readonly response: ServerResponse

  constructor(response: ServerResponse) {
    this.response = response
    response.on("close", () => this.onclose?.())
  }

  start(): Promise<void> {
    this.response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
    this.response.write(`event: endpoint\ndata: /messages?sessionId=${this.sessionId}\n\n`)
    return Promise.resolve()
  }

  send(message: JSONRPCMessage): Promise<void> {
    this.response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.response.end()
    return Promise.resolve()
  }

  receive(text: string): void {
    this.onmessage?.(JSON.parse(text) as JSONRPCMessage)
  }
}

export const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}

/** Sessions by id; `connect` attaches a server to each new one. */
export const httpSse = (connect: (transport: HttpSseTransport) => Promise<void>) => {
  const sessions = new Map<string, HttpSseTransport>()
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://localhost")
    if (request.method === "GET" && url.pathname === "/sse") {
      const transport = new HttpSseTransport(response)
      sessions.set(transport.sessionId, transport)
      response.on("close", () => sessions.delete(transport.sessionId))
      return connect(transport)
    }
    if (request.method === "POST" && url.pathname === "/messages") {
      const transport = sessions.get(url.searchParams.get("sessionId") ?? "")
      if (transport === undefined) return void response.writeHead(404).end("no such session")
      const text = await bodyOf(request)
      response.writeHead(202).end()
      return transport.receive(text)
    }
    response.writeHead(405).end()
  }
}
