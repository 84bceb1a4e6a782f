/** A small HTTP server of the gateway's own, where its settings say: one address, both loopback addresses, or a unix socket. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import type * as http from "node:http"
import * as net from "node:net"
import * as Address from "../config/Address.ts"
import { createServer } from "../node/builtinHttp.ts"
import { listenRemedy } from "../config/listenRemedy.ts"

export interface Asked {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: http.IncomingHttpHeaders
  /** Reads the body; undefined when it is longer than anybody needs, or breaks off. */
  readonly body: () => Promise<string | undefined>
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** In pieces where it may be long, or comes over time: other work goes on between them. */
  readonly body: string | Uint8Array | Iterable<string | Uint8Array> | AsyncIterable<string>
}

export type Answering = (asked: Asked) => Answer | Promise<Answer>

export const text = (status: number, body: string, headers?: Readonly<Record<string, string>>): Answer => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  body,
})

export const json = (value: unknown): Answer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: `${JSON.stringify(value, null, 2)}\n`,
})

export const notFound = text(404, "not found\n")

export const methodNotAllowed = (allow: string): Answer =>
  text(405, `method not allowed, use ${allow.replace(", HEAD", "")}\n`, { allow })

/** Only to be read. */
export const isRead = (method: string): boolean => method === "GET" || method === "HEAD"

/** Where a server may be found. */
export type Served = { readonly host: string; readonly port: number } | { readonly path: string }

/** A server of the gateway's own that cannot be opened. */
export interface AdminUnavailable {
  readonly _tag: "AdminUnavailable"
  readonly message: string
}

/** Connections to one of these servers. */
const connectionsMax = 256
const headBytesMax = 16 * 1024
const bodyBytesMax = 16 * 1024 * 1024
const requestTimeoutMillis = 10_000
/** How long the end waits for answers on their way. */
const closeMillis = 1_000

export interface ServeOptions {
  /** The setting, for messages. */
  readonly setting: string
  readonly variable: string
  readonly address: Address.Address
  readonly answer: Answering
}

/** Opens the server; it closes with the scope. Nothing is opened where the address is `off`. */
export const serve = (options: ServeOptions): Effect.Effect<ReadonlyArray<Served>, AdminUnavailable, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.tryPromise({
        try: () => open(options.address, options.answer),
        catch: (error): AdminUnavailable => {
          const cause = error instanceof Error ? error.message : String(error)
          const other = `set \`config.${options.setting}\` or ${options.variable} to another one or to \`off\``
          return {
            _tag: "AdminUnavailable",
            message: `cannot listen on ${Address.format(options.address)}: ${cause}. ${listenRemedy(cause, other)}`,
          }
        },
      }),
      (servers) => Effect.promise(() => Promise.all(servers.map((server) => server.close()))),
    ),
    (servers) => servers.map(servedBy),
  )

const servedBy = ({ listener }: Server): Served => {
  const address = listener.address()
  return address === null || typeof address === "string"
    ? { path: address ?? "" }
    : { host: address.address, port: address.port }
}

const open = async (address: Address.Address, answer: Answering): Promise<ReadonlyArray<Server>> => {
  switch (address._tag) {
    case "Off":
      return []
    case "Unix":
      return [await openUnix(address.path, answer)]
    case "Ip":
      return [await openIp(address.host, address.port, answer)]
    case "Localhost": {
      const first = await listen({ host: "127.0.0.1", port: address.port }, answer)
      const { port } = first.listener.address() as net.AddressInfo
      try {
        return [first, await listen({ host: "::1", port, ipv6Only: true }, answer)]
      } catch (error) {
        // A port the system chose may be taken on the other address, and that address need not exist.
        if (address.port === 0 || withoutIpv6.has(codeOf(error))) return [first]
        await first.close()
        throw error
      }
    }
  }
}

/** Errors by which a host says that it has no IPv6. */
const withoutIpv6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL", "EPROTONOSUPPORT"])

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ""

const openIp = async (host: string, port: number, answer: Answering): Promise<Server> => {
  try {
    return await listen({ host, port }, answer)
  } catch (error) {
    if (host === "::" && withoutIpv6.has(codeOf(error))) return listen({ host: "0.0.0.0", port }, answer)
    throw error
  }
}

const openUnix = async (path: string, answer: Answering): Promise<Server> => {
  try {
    return await listen({ path }, answer)
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE" || !(await isStale(path))) throw error
    fs.unlinkSync(path)
    return listen({ path }, answer)
  }
}

/** A socket file that nobody answers on was left by a process that is gone. */
const isStale = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.connect({ path })
    probe.once("connect", () => {
      probe.destroy()
      resolve(false)
    })
    probe.once("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"))
  })

/** A server that loads Node's HTTP for its first client: many a gateway is never asked anything here. */
class Server {
  readonly listener: net.Server
  private readonly answer: Answering
  private http: http.Server | undefined

  constructor(answer: Answering) {
    this.answer = answer
    this.listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.http ??= this.begin()
      this.http.emit("connection", socket)
    })
    this.listener.maxConnections = connectionsMax
  }

  private begin(): http.Server {
    const server = createServer(
      { maxHeaderSize: headBytesMax, headersTimeout: requestTimeoutMillis, requestTimeout: requestTimeoutMillis },
      (request, response) => void respond(request, response, this.answer),
    )
    // It never listens; this starts its watch over slow clients.
    server.emit("listening")
    return server
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      const force = setTimeout(() => this.http?.closeAllConnections(), closeMillis)
      this.listener.close(() => {
        clearTimeout(force)
        resolve()
      })
      this.http?.close()
    })
  }
}

const listen = (where: net.ListenOptions, answer: Answering): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = new Server(answer)
    const { listener } = server
    listener.once("error", reject)
    listener.listen(where, () => {
      listener.off("error", reject)
      listener.on("error", () => {})
      resolve(server)
    })
  })

const respond = async (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  answering: Answering,
): Promise<void> => {
  // Hardly anything here reads a body; one that nobody reads does not keep the connection.
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0
  if (hasBody) response.shouldKeepAlive = false
  let answer: Answer
  try {
    const [path = "/", ...query] = (request.url ?? "/").split("?")
    answer = await answering({
      method: request.method ?? "GET",
      path,
      query: new URLSearchParams(query.join("?")),
      headers: request.headers,
      body: () => bodyOf(request),
    })
  } catch {
    answer = text(500, "internal error\n")
  }
  if (hasBody) request.resume()
  const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff", ...answer.headers }
  const { body } = answer
  if (typeof body === "string" || body instanceof Uint8Array) {
    response.writeHead(answer.status, { ...headers, "content-length": Buffer.byteLength(body) })
    response.end(body)
    return
  }
  response.writeHead(answer.status, headers)
  try {
    await sendPieces(response, body)
    response.end()
  } catch {
    // Half an answer must not pass for a whole one.
    response.destroy()
  }
}

const bodyOf = (request: http.IncomingMessage): Promise<string | undefined> =>
  new Promise((resolve) => {
    const chunks: Array<Buffer> = []
    let length = 0
    request.on("data", (chunk: Buffer) => {
      length += chunk.byteLength
      if (length <= bodyBytesMax) chunks.push(chunk)
      else resolve(undefined)
    })
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")))
    request.on("close", () => resolve(undefined))
  })

const sendPieces = async (
  response: http.ServerResponse,
  pieces: Iterable<string | Uint8Array> | AsyncIterable<string>,
): Promise<void> => {
  if (Symbol.asyncIterator in pieces) return sendOverTime(response, pieces)
  for (const piece of pieces) {
    if (response.destroyed) return
    const goesOn = response.write(piece)
    await new Promise<void>((resolve) => {
      if (goesOn || response.destroyed) return void setImmediate(resolve)
      const done = (): void => {
        response.off("drain", done)
        response.off("close", done)
        resolve()
      }
      response.on("drain", done)
      response.on("close", done)
    })
  }
}

/** Pieces that come when they come; whoever makes them is told when nobody listens any more. */
const sendOverTime = async (response: http.ServerResponse, pieces: AsyncIterable<string>): Promise<void> => {
  const iterator = pieces[Symbol.asyncIterator]()
  const left = (): void => void iterator.return?.()
  response.on("close", left)
  response.flushHeaders()
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      if (response.destroyed) return
      if (!response.write(next.value)) {
        await new Promise<void>((resolve) => {
          response.once("drain", resolve)
          response.once("close", resolve)
        })
      }
    }
  } finally {
    response.off("close", left)
    left()
  }
}
