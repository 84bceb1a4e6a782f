/** Streamable HTTP with sessions: one server and one transport for each, and what was sent kept for resumption. */
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node"
import type { EventStore, JSONRPCMessage, McpServer } from "@modelcontextprotocol/server"
import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"

class Events implements EventStore {
  private readonly events: Array<{ readonly id: string; readonly stream: string; readonly message: JSONRPCMessage }> =
    []

  storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const id = `${stream}/${this.events.length}`
    this.events.push({ id, stream, message })
    return Promise.resolve(id)
  }

  getStreamIdForEventId(id: string): Promise<string | undefined> {
    return Promise.resolve(this.events.find((event) => event.id === id)?.stream)
  }

  async replayEventsAfter(
    last: string,
    { send }: { send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const at = this.events.findIndex(({ id }) => id === last)
    const stream = this.events[at]?.stream
    if (stream === undefined) return ""
    for (const event of this.events.slice(at + 1)) {
      // What primes a stream has no message to repeat.
      if (event.stream === stream && Object.keys(event.message).length > 0) await send(event.id, event.message)
    }
    return stream
  }
}

/** `make` gives a server for a new session; `gone` is told when it ends. */
export const sessions = (make: () => McpServer, gone: (server: McpServer) => void) => {
  const open = new Map<string, NodeStreamableHTTPServerTransport>()
  const start = async (request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> => {
    const server = make()
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new Events(),
      retryInterval: 100,
      onsessioninitialized: (id) => void open.set(id, transport),
      onsessionclosed: (id) => void open.delete(id),
    })
    await server.connect(transport)
    const closed = transport.onclose
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- transports of the SDK have one listener
    transport.onclose = () => {
      if (transport.sessionId !== undefined) open.delete(transport.sessionId)
      gone(server)
      closed?.()
    }
    await transport.handleRequest(request, response, body)
  }
  return async (request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> => {
    const id = request.headers["mcp-session-id"]
    if (id === undefined) return start(request, response, body)
    const transport = typeof id === "string" ? open.get(id) : undefined
    if (transport !== undefined) return transport.handleRequest(request, response, body)
    response.writeHead(404, { "content-type": "application/json" })
    response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}')
  }
}
