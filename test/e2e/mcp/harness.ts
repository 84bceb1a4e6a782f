/** A gateway with MCP targets, servers that say exactly what they are told, and clients that say it bare. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import type { GatewayOptions } from "../../../src/Gateway.ts"
import { gatewayOptions } from "../../../src/gatewayOptions.ts"
import { loadedOf } from "../../config/memoryIo.ts"
import { type Started, startGateway } from "../harness.ts"

export type Json = Record<string, unknown>

// Servers -----------------------------------------------------------------------------------------------------------

/** What a scripted server does with one message. */
export interface Turn {
  readonly message: Json & { readonly method?: string; readonly id?: unknown; readonly params?: Json }
  readonly request: http.IncomingMessage
  readonly response: http.ServerResponse
  readonly headers: http.IncomingHttpHeaders
  /** Answers with one JSON document. */
  readonly json: (status: number, body: unknown, headers?: Record<string, string>) => void
  readonly result: (result: unknown) => void
  readonly error: (code: number, message: string, data?: unknown, status?: number) => void
  /** Begins a stream of events. */
  readonly stream: () => { readonly send: (message: unknown, id?: string) => void; readonly end: () => void }
}

export interface Scripted {
  readonly url: string
  readonly port: number
  /** Every message it got, in order. */
  readonly messages: Array<Turn["message"]>
  readonly requests: Array<http.IncomingMessage>
  /** Streams by GET that are open. */
  readonly streams: Set<http.ServerResponse>
  readonly calls: (method: string) => ReadonlyArray<Turn["message"]>
  readonly push: (message: unknown) => void
  readonly close: () => Promise<void>
}

export type Script = (turn: Turn) => unknown

const sse = (message: unknown, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: message\ndata: ${JSON.stringify(message)}\n\n`

/** A server over HTTP; `script` answers POSTs, and `get` GETs unless the plain stream will do. */
export const scripted = async (
  script: Script,
  get?: (request: http.IncomingMessage, response: http.ServerResponse) => unknown,
  port = 0,
): Promise<Scripted> => {
  const messages: Array<Turn["message"]> = []
  const requests: Array<http.IncomingMessage> = []
  const streams = new Set<http.ServerResponse>()
  const server = http.createServer((request, response) => {
    requests.push(request)
    request.on("error", () => {})
    if (request.method === "GET") {
      if (get !== undefined) return void get(request, response)
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.flushHeaders()
      streams.add(response)
      response.on("close", () => streams.delete(response))
      return
    }
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (request.method === "DELETE") return void response.writeHead(200).end()
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Turn["message"]
      messages.push(message)
      const json: Turn["json"] = (status, body, headers = {}) => {
        response.writeHead(status, { "content-type": "application/json", ...headers })
        response.end(JSON.stringify(body))
      }
      void script({
        message,
        request,
        response,
        headers: request.headers,
        json,
        result: (result) => json(200, { jsonrpc: "2.0", id: message.id, result }),
        error: (code, text, data, status = 200) =>
          json(status, { jsonrpc: "2.0", id: message.id, error: { code, message: text, data } }),
        stream: () => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.flushHeaders()
          return {
            send: (one, id) => void response.write(sse(one, id)),
            end: () => void response.end(),
          }
        },
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${bound}/mcp`,
    port: bound,
    messages,
    requests,
    streams,
    calls: (method) => messages.filter((message) => message.method === method),
    push: (message) => {
      for (const stream of streams) stream.write(sse(message))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

let sessions = 0

/** The handshake and the rest of what every server with sessions does; undefined: it was none of that. */
export const legacy =
  (script: Script, capabilities: Json = { tools: { listChanged: true }, resources: { subscribe: true } }): Script =>
  (turn) => {
    const { message } = turn
    if (message.method === "initialize") {
      return turn.json(
        200,
        {
          jsonrpc: "2.0",
          id: message.id,
          result: {
            protocolVersion: message.params?.["protocolVersion"],
            capabilities,
            serverInfo: { name: "scripted", version: "1" },
          },
        },
        { "mcp-session-id": `s${++sessions}` },
      )
    }
    if (turn.headers["mcp-protocol-version"] === "2026-07-28") return turn.response.writeHead(400).end("what?")
    if (message.id === undefined || message.method === undefined) {
      turn.response.writeHead(202).end()
      return message.method === undefined || message.method === "notifications/cancelled" ? script(turn) : undefined
    }
    return script(turn)
  }

/** A server without sessions that says what it can. */
export const modern =
  (script: Script, capabilities: Json = { tools: { listChanged: true } }, more: Json = {}): Script =>
  (turn) =>
    turn.message.method === "server/discover"
      ? turn.result({
          resultType: "complete",
          supportedVersions: ["2026-07-28"],
          capabilities,
          ttlMs: 0,
          cacheScope: "private",
          ...more,
        })
      : turn.message.method === "initialize"
        ? turn.error(-32_601, "Method not found", undefined, 404)
        : script(turn)

// The gateway -------------------------------------------------------------------------------------------------------

export interface McpGateway extends Started {
  readonly url: string
}

/** One listener whose only route leads to an MCP backend; `backend` is what stands behind `mcp:`. */
export const mcpGateway = async (
  backend: string,
  {
    beside = "",
    options = {},
    policies = "",
  }: {
    readonly options?: Partial<GatewayOptions>
    readonly policies?: string
    /** More of the file, at its top. */
    readonly beside?: string
  } = {},
): Promise<McpGateway> => {
  const text = `
gateways: {default: {port: 1}}
routes:
  - ${policies === "" ? "" : `policies: ${policies}\n    `}backends: [{mcp: ${backend}}]
${beside}
`
  const { snapshot, static: settings } = await loadedOf(text)
  const binds = new Map(
    [...snapshot.binds].map(([key, bind]) => [
      key,
      { ...bind, address: { _tag: "Ip" as const, host: "127.0.0.1", port: 0 } },
    ]),
  )
  const started = await startGateway({ ...snapshot, binds }, { ...gatewayOptions(settings), ...options })
  return Object.defineProperty(started as McpGateway, "url", { get: () => `http://localhost:${started.port}/mcp` })
}

export const targetsOf = (servers: Readonly<Record<string, Scripted>>, more = ""): string =>
  `{targets: [${Object.entries(servers)
    .map(([name, { url }]) => `{name: ${name}, mcp: {host: "${url}"}}`)
    .join(", ")}]${more === "" ? "" : `, ${more}`}}`

// Clients -----------------------------------------------------------------------------------------------------------

export interface Said {
  readonly status: number
  readonly headers: Headers
  /** Every message of the reply, whichever form it has. */
  readonly messages: ReadonlyArray<Json & { readonly id?: unknown; readonly result?: Json; readonly error?: Json }>
  readonly text: string
}

const messagesIn = (text: string, type: string): Said["messages"] => {
  if (text === "") return []
  if (type.startsWith("text/event-stream")) {
    return text
      .split("\n\n")
      .flatMap((event) => event.split("\n").filter((line) => line.startsWith("data: ") && line.length > 6))
      .map((line) => JSON.parse(line.slice(6)) as Json)
  }
  return type.startsWith("application/json") ? [JSON.parse(text) as Json] : []
}

export const post = async (
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Said> => {
  const reply = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  })
  const text = await reply.text()
  return {
    status: reply.status,
    headers: reply.headers,
    text,
    messages: messagesIn(text, reply.headers.get("content-type") ?? ""),
  }
}

let lastId = 0

export interface ModernOptions {
  readonly capabilities?: Json
  readonly meta?: Json
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

/** One request of a client without a session; the last message is the answer. */
export const ask = async (
  url: string,
  method: string,
  params: Json = {},
  options: ModernOptions = {},
): Promise<Said> => {
  const name = params["name"] ?? params["uri"] ?? params["taskId"]
  return post(
    url,
    {
      jsonrpc: "2.0",
      id: ++lastId,
      method,
      params: {
        ...params,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": options.capabilities ?? {},
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          ...options.meta,
        },
      },
    },
    {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof name === "string" ? { "mcp-name": name } : {}),
      ...options.headers,
    },
    options.signal,
  )
}

export const answerOf = ({ messages }: Said): Said["messages"][number] => {
  const answer = messages.at(-1)
  if (answer === undefined) throw new Error("no answer")
  return answer
}

/** A client with a session, as bare as can be. */
export interface SessionClient {
  readonly id: string
  readonly introduction: Json
  readonly request: (method: string, params?: Json) => Promise<Said>
  readonly send: (message: Json) => Promise<Said>
  /** Events of a stream by GET, as they come. */
  readonly listen: (lastEventId?: string) => Promise<Stream>
  readonly end: () => Promise<number>
}

export interface Stream {
  readonly events: Array<{ readonly id: string | undefined; readonly data: Json | undefined }>
  readonly status: number
  readonly close: () => void
  readonly closed: Promise<void>
}

export const readStream = async (url: string, init: RequestInit): Promise<Stream> => {
  const abort = new AbortController()
  return readReply(await fetch(url, { ...init, signal: abort.signal }), () => abort.abort())
}

/** The events of a reply, as they come. */
/** What a client without a session is told by the way. */
export const listen = (url: string, notifications: Json, id: unknown, capabilities: Json = {}): Promise<Stream> =>
  readStream(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "subscriptions/listen",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id,
      method: "subscriptions/listen",
      params: {
        notifications,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": capabilities,
        },
      },
    }),
  })

export const readReply = (
  reply: globalThis.Response,
  close: () => void,
): Stream & { readonly endpoint: Promise<string> } => {
  const events: Array<{ readonly id: string | undefined; readonly data: Json | undefined }> = []
  let named: (place: string) => void = () => {}
  const endpoint = new Promise<string>((resolve) => (named = resolve))
  const closed = (async () => {
    const decoder = new TextDecoder()
    let rest = ""
    try {
      for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
        rest += decoder.decode(chunk, { stream: true })
        for (let at = rest.indexOf("\n\n"); at >= 0; at = rest.indexOf("\n\n")) {
          const lines = rest.slice(0, at).split("\n")
          rest = rest.slice(at + 2)
          const id = lines.find((line) => line.startsWith("id: "))?.slice(4)
          const data = lines.find((line) => line.startsWith("data: "))?.slice(6)
          if (lines.includes("event: endpoint")) named(data ?? "")
          else if (id !== undefined || data !== undefined) {
            events.push({ id, data: data === undefined || data === "" ? undefined : (JSON.parse(data) as Json) })
          }
        }
      }
    } catch {
      // Closed from here.
    }
  })()
  return { events, status: reply.status, close, closed, endpoint }
}

export const begin = async (
  url: string,
  {
    capabilities = {},
    headers = {},
    version = "2025-11-25",
  }: {
    readonly capabilities?: Json
    readonly headers?: Record<string, string>
    readonly version?: string
  } = {},
): Promise<SessionClient> => {
  const opened = await post(
    url,
    {
      jsonrpc: "2.0",
      id: 0,
      method: "initialize",
      params: { protocolVersion: version, capabilities, clientInfo: { name: "test", version: "1" } },
    },
    headers,
  )
  const id = opened.headers.get("mcp-session-id") ?? ""
  const own = {
    ...headers,
    ...(id === "" ? {} : { "mcp-session-id": id }),
    ...(version >= "2025-06-18" ? { "mcp-protocol-version": version } : {}),
  }
  await post(url, { jsonrpc: "2.0", method: "notifications/initialized" }, own)
  return {
    id,
    introduction: (answerOf(opened).result ?? answerOf(opened)) as Json,
    request: (method, params) =>
      post(url, { jsonrpc: "2.0", id: ++lastId, method, ...(params === undefined ? {} : { params }) }, own),
    send: (message) => post(url, { jsonrpc: "2.0", ...message }, own),
    listen: (lastEventId) =>
      readStream(url, {
        headers: {
          accept: "text/event-stream",
          ...own,
          ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
        },
      }),
    end: async () => (await fetch(url, { method: "DELETE", headers: own })).status,
  }
}
