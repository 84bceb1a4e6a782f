/**
 * A whole gateway on real sockets, and what tests put around it: a snapshot from few words, clients that say exactly
 * the bytes they are told, upstream servers that do as scripted, and a journal that remembers.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fs from "node:fs"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import * as tls from "node:tls"
import type { Attachment } from "../../ir/Attachment.ts"
import type { HostTarget } from "../../ir/Backend.ts"
import type { Bind, BindProtocol, ListenAddress, TunnelProtocol } from "../../ir/Bind.ts"
import type { AttachmentKey, BackendKey, BindKey, ListenerKey, RouteKey, TcpRouteKey } from "../../ir/Key.ts"
import type { ListenerProtocol } from "../../ir/Listener.ts"
import { any, type Match } from "../../ir/Match.ts"
import type { FrontendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import { empty, type Snapshot } from "../../ir/Snapshot.ts"
import type { ServerTls } from "../../ir/Tls.ts"
import { fixed, type Source } from "../../src/config/Source.ts"
import { fromStream } from "../../src/config/fromStream.ts"
import { Gateway, type GatewayOptions, layer as gatewayLayer } from "../../src/Gateway.ts"
import * as network from "../../src/node/network.ts"
import * as timer from "../../src/node/timer.ts"
import * as upstream from "../../src/node/upstream.ts"
import type { Accepted } from "../../stages/Connection.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import { type Ending, Journal, type RelayEnding } from "../../stages/ports/Journal.ts"
import { Network, type TlsFacts } from "../../stages/ports/Network.ts"

// Snapshots ---------------------------------------------------------------------------------------------------------

export type To = number | HostTarget

export interface RouteWords {
  readonly to?: To
  readonly hostnames?: ReadonlyArray<string>
  readonly matches?: ReadonlyArray<Match>
  readonly policies?: ReadonlyArray<TrafficPolicy>
}

export interface ListenerWords {
  readonly hostname?: string
  readonly protocol?: ListenerProtocol
  readonly tls?: ServerTls
  readonly routes?: ReadonlyArray<RouteWords>
  readonly tcpRoutes?: ReadonlyArray<{ readonly to: To; readonly hostnames?: ReadonlyArray<string> }>
}

export interface BindWords {
  readonly key?: string
  readonly address?: ListenAddress
  readonly protocol?: BindProtocol
  readonly tunnel?: TunnelProtocol
  readonly listeners: ReadonlyArray<ListenerWords>
}

export interface SnapshotWords {
  readonly binds: ReadonlyArray<BindWords>
  /** Of the whole gateway. */
  readonly frontend?: ReadonlyArray<FrontendPolicy>
}

const targetOf = (to: To): HostTarget => (typeof to === "number" ? { _tag: "Host", host: "127.0.0.1", port: to } : to)

/** The snapshot those words mean; keys are `bind`, `bind/listener`, `bind/listener/route` by number unless named. */
export const snapshotOf = (words: SnapshotWords): Snapshot => {
  const binds = new Map(empty.binds)
  const listeners = new Map(empty.listeners)
  const routes = new Map(empty.routes)
  const tcpRoutes = new Map(empty.tcpRoutes)
  const backends = new Map(empty.backends)
  const attachments = new Map(empty.attachments)
  const backendFor = (key: string, to: To) => {
    backends.set(key as BackendKey, { _tag: "Host", key: key as BackendKey, policies: [], target: targetOf(to) })
    return [{ weight: 1, policies: [], backend: { _tag: "Backend" as const, backend: key as BackendKey } }]
  }
  for (const [b, bind] of words.binds.entries()) {
    const key = (bind.key ?? `bind${b}`) as BindKey
    const made: Bind = {
      key,
      address: bind.address ?? { _tag: "Ip", host: "127.0.0.1", port: 0 },
      protocol: bind.protocol ?? "http",
      tunnel: bind.tunnel ?? "direct",
    }
    binds.set(key, made)
    for (const [l, listener] of bind.listeners.entries()) {
      const listenerKey = `${key}/${l}` as ListenerKey
      listeners.set(listenerKey, {
        key: listenerKey,
        bind: key,
        name: { gatewayName: "default", gatewayNamespace: "default", listenerName: listenerKey },
        hostname: listener.hostname ?? "*",
        protocol: listener.protocol ?? "HTTP",
        ...(listener.tls === undefined ? {} : { tls: listener.tls }),
      })
      for (const [r, route] of (listener.routes ?? []).entries()) {
        const routeKey = `${listenerKey}/${r}` as RouteKey
        routes.set(routeKey, {
          key: routeKey,
          parent: { _tag: "Listener", listener: listenerKey },
          name: { name: routeKey, namespace: "default" },
          hostnames: route.hostnames ?? [],
          matches: route.matches ?? [any],
          backends: route.to === undefined ? [] : backendFor(routeKey, route.to),
          policies: route.policies ?? [],
        })
      }
      for (const [r, route] of (listener.tcpRoutes ?? []).entries()) {
        const routeKey = `${listenerKey}/${r}` as TcpRouteKey
        tcpRoutes.set(routeKey, {
          key: routeKey,
          listener: listenerKey,
          name: { name: routeKey, namespace: "default" },
          hostnames: route.hostnames ?? [],
          backends: backendFor(routeKey, route.to),
        })
      }
    }
  }
  for (const [i, policy] of (words.frontend ?? []).entries()) {
    const key = `frontend${i}` as AttachmentKey
    const attachment: Attachment = {
      key,
      target: { _tag: "Gateway", name: "default", namespace: "default" },
      inheritance: "default",
      policy: { _tag: "Frontend", policy },
    }
    attachments.set(key, attachment)
  }
  return { ...empty, binds, listeners, routes, tcpRoutes, backends, attachments }
}

/** One plaintext bind with one listener whose one route leads there. */
export const plain = (to: To, frontend: ReadonlyArray<FrontendPolicy> = []): Snapshot =>
  snapshotOf({ binds: [{ listeners: [{ routes: [{ to }] }] }], frontend })

// Certificates ------------------------------------------------------------------------------------------------------

export const pem = (name: string): string => fs.readFileSync(new URL(`certificates/${name}`, import.meta.url), "utf8")

/** TLS with one of the certificates beside this file: `server` (a.test, localhost) or `wildcard` (*.b.test). */
export const serverTls = (name: string, more: Partial<ServerTls> = {}): ServerTls => ({
  identity: { certificatePem: pem(`${name}.pem`), keyPem: Redacted.make(pem(`${name}.key`)) },
  mintsLeaves: false,
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [],
  keyExchangeGroups: [],
  ...more,
})

// The gateway -------------------------------------------------------------------------------------------------------

export interface Told {
  readonly exchanges: Array<{ readonly exchange: Exchange; readonly ending: Ending }>
  readonly relays: Array<{ readonly accepted: Accepted; readonly ending: RelayEnding }>
  readonly handshakes: Array<TlsFacts | undefined>
  readonly rejected: Array<{ readonly bind: string; readonly stage: string; readonly reason: string }>
  readonly malformed: Array<{ readonly status: number; readonly message: string }>
  accepted: number
}

const nothingTold = (): Told => ({
  exchanges: [],
  relays: [],
  handshakes: [],
  rejected: [],
  malformed: [],
  accepted: 0,
})

const journalOf = (told: Told) =>
  Layer.succeed(Journal, {
    exchange: (exchange, ending) => void told.exchanges.push({ exchange, ending }),
    relay: (accepted, ending) => void told.relays.push({ accepted, ending }),
    accepted: () => void told.accepted++,
    handshake: (_bind, _millis, facts) => void told.handshakes.push(facts),
    rejected: (bind, _peer, stage, reason) => void told.rejected.push({ bind, stage, reason }),
    malformed: (_bind, _peer, status, message) => void told.malformed.push({ status, message }),
  })

export interface Started {
  /** Of the only bind. */
  readonly port: number
  readonly portOf: (bind: string) => number
  readonly told: Told
  readonly gateway: Gateway["Service"]
  /** Drains and ends; resolves when everything is gone. */
  readonly close: () => Promise<void>
}

export const startGateway = async (
  what: Snapshot | Source,
  options: Partial<Omit<GatewayOptions, "config">> & {
    readonly network?: Partial<network.NetworkOptions>
    readonly upstream?: Partial<upstream.UpstreamOptions>
    /** Stands between the gateway and its sockets. */
    readonly around?: (service: Network["Service"]) => Network["Service"]
  } = {},
): Promise<Started> => {
  const told = nothingTold()
  const scope = Effect.runSync(Scope.make())
  const { around, network: networkOptions, upstream: upstreamOptions = {}, ...gatewayOptions } = options
  const sockets = network.layer({ reusePort: false, ...networkOptions })
  const world = Layer.mergeAll(
    around === undefined ? sockets : Layer.provide(Layer.effect(Network, Effect.map(Network, around)), sockets),
    upstream.layerWith(upstreamOptions),
    timer.layer,
    journalOf(told),
  )
  const config = "follow" in what ? what : fixed(what)
  const built = gatewayLayer({ drain: { minMillis: 0, maxMillis: 2_000 }, ...gatewayOptions, config })
  const context = await Effect.runPromise(Layer.buildWithScope(Layer.provide(built, world), scope))
  const gateway = Context.get(context, Gateway)
  await Effect.runPromise(Effect.mapError(gateway.ready, ({ problems }) => new Error(problems.join("\n"))))
  let closing: Promise<void> | undefined
  return {
    get port() {
      const [first] = gateway.addresses().values()
      if (first === undefined) throw new Error("nothing listens")
      return first.port
    },
    portOf: (bind) => {
      const address = gateway.addresses().get(bind as BindKey)
      if (address === undefined) throw new Error(`${bind} does not listen`)
      return address.port
    },
    told,
    gateway,
    close: () => (closing ??= Effect.runPromise(Scope.close(scope, Exit.void))),
  }
}

/** A source that is told later what else to serve. */
export const changing = (first: Snapshot): { readonly source: Source; readonly change: (next: Snapshot) => void } => {
  const told = Effect.runSync(Queue.unbounded<Snapshot>())
  Queue.offerUnsafe(told, first)
  const updates = Stream.map(Stream.fromQueue(told), (snapshot) => ({ _tag: "Told" as const, snapshot }))
  return { source: fromStream("test", updates), change: (next) => void Queue.offerUnsafe(told, next) }
}

/** Waits until it is so, looking often; fails with what was waited for. */
export const until = async (what: string, isSo: () => boolean, millis = 15_000): Promise<void> => {
  const end = performance.now() + millis
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not within ${millis} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

// Clients -----------------------------------------------------------------------------------------------------------

export interface Answer {
  readonly status: number
  readonly reason: string
  /** First value of each field, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly raw: ReadonlyArray<readonly [string, string]>
  readonly body: string
  readonly trailers: Readonly<Record<string, string>>
}

/** A client that writes what it is told and remembers what it reads; nothing is retried, parsed away or corrected. */
export class RawClient {
  readonly stream: Duplex
  ended = false
  closed = false
  error: NodeJS.ErrnoException | undefined
  private chunks: Array<Buffer> = []

  constructor(stream: Duplex) {
    this.stream = stream
    stream.on("data", (chunk: Buffer) => this.chunks.push(chunk))
    stream.on("end", () => (this.ended = true))
    stream.on("close", () => (this.closed = true))
    stream.on("error", (error: NodeJS.ErrnoException) => (this.error ??= error))
  }

  write(data: string | Uint8Array): this {
    if (typeof data === "string") this.stream.write(data, "latin1")
    else this.stream.write(data)
    return this
  }

  /** Everything received and not yet taken. */
  get text(): string {
    return this.received.toString("latin1")
  }

  get bytes(): Buffer {
    return this.received
  }

  private get received(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)]
    return this.chunks[0] as Buffer
  }

  private set received(rest: Buffer) {
    this.chunks = [rest]
  }

  /** Waits for that text and takes everything up to its end. */
  async take(text: string, millis?: number): Promise<string> {
    await this.until(JSON.stringify(text), () => this.text.includes(text), millis)
    const end = this.text.indexOf(text) + text.length
    const taken = this.text.slice(0, end)
    this.received = this.received.subarray(end)
    return taken
  }

  /** Waits for one whole reply, interim ones included, and takes it. */
  async answer(method = "GET", millis?: number): Promise<Answer> {
    const head = await this.take("\r\n\r\n", millis)
    const [line = "", ...lines] = head.slice(0, -4).split("\r\n")
    const [, status, reason] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(line) ?? []
    if (status === undefined) throw new Error(`not a reply: ${JSON.stringify(line)}`)
    const raw = lines.map((field): readonly [string, string] => {
      const colon = field.indexOf(":")
      return [field.slice(0, colon), field.slice(colon + 1).trim()]
    })
    const headers: Record<string, string> = {}
    for (const [name, value] of raw) headers[name.toLowerCase()] ??= value
    const base = { status: Number(status), reason: reason ?? "", headers, raw }
    const trailers: Record<string, string> = {}
    if (method === "HEAD" || base.status < 200 || base.status === 204 || base.status === 304) {
      return { ...base, body: "", trailers }
    }
    if (headers["transfer-encoding"] === "chunked") {
      let body = ""
      for (;;) {
        const size = Number.parseInt(await this.take("\r\n", millis), 16)
        if (size === 0) break
        body += (await this.exactly(size + 2, millis)).slice(0, -2)
      }
      for (let field = await this.take("\r\n", millis); field !== "\r\n"; field = await this.take("\r\n", millis)) {
        const colon = field.indexOf(":")
        trailers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim()
      }
      return { ...base, body, trailers }
    }
    const length = headers["content-length"]
    if (length !== undefined) return { ...base, body: await this.exactly(Number(length), millis), trailers }
    await this.until("the end of the connection", () => this.ended || this.closed, millis)
    return { ...base, body: await this.exactly(this.received.byteLength), trailers }
  }

  private async exactly(bytes: number, millis?: number): Promise<string> {
    await this.until(`${bytes} bytes`, () => this.received.byteLength >= bytes, millis)
    const taken = this.received.subarray(0, bytes).toString("latin1")
    this.received = this.received.subarray(bytes)
    return taken
  }

  private async until(what: string, isSo: () => boolean, millis?: number): Promise<void> {
    await until(
      `${what}; so far: ${JSON.stringify(this.text.slice(0, 300))}${this.closed ? ", closed" : ""}`,
      () => isSo() || this.closed || this.ended,
      millis,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; received ${JSON.stringify(this.text.slice(0, 300))}`)
    })
    if (!isSo()) {
      const why = this.error === undefined ? "" : ` (${this.error.message})`
      throw new Error(`closed${why} before ${what}; received ${JSON.stringify(this.text.slice(0, 300))}`)
    }
  }

  /** Waits until the other side has closed or reset the connection. */
  async gone(millis?: number): Promise<void> {
    await until("the connection closed", () => this.ended || this.closed, millis)
  }

  /** Sends FIN and goes on reading. */
  halfClose(): void {
    this.stream.end()
  }

  /** Stops reading, so that the other side's buffers fill. */
  pause(): void {
    this.stream.pause()
  }

  reset(): void {
    const socket = this.stream
    if (socket instanceof net.Socket && !(socket instanceof tls.TLSSocket)) socket.resetAndDestroy()
    else socket.destroy()
  }

  close(): void {
    this.stream.destroy()
  }
}

export const connect = (port: number, more: Partial<net.NetConnectOpts> = {}): Promise<RawClient> =>
  new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true, ...more } as net.NetConnectOpts
    const socket = net.connect(options, () => {
      socket.off("error", reject)
      resolve(new RawClient(socket))
    })
    socket.once("error", reject)
  })

export const connectTls = (
  port: number,
  options: tls.ConnectionOptions = {},
): Promise<RawClient & { readonly tls: tls.TLSSocket }> =>
  new Promise((resolve, reject) => {
    const socket = tls.connect(
      {
        host: "127.0.0.1",
        port,
        ca: pem("ca.pem"),
        servername: "a.test",
        allowHalfOpen: true,
        ...options,
      } as tls.ConnectionOptions,
      () => {
        socket.off("error", reject)
        resolve(Object.assign(new RawClient(socket), { tls: socket }))
      },
    )
    socket.once("error", reject)
  })

// Upstream servers --------------------------------------------------------------------------------------------------

export interface HttpUpstream {
  readonly port: number
  readonly requests: Array<http.IncomingMessage>
  /** Requests whose connection broke before their reply was complete. */
  readonly aborted: Array<http.IncomingMessage>
  readonly server: net.Server
  readonly close: () => Promise<void>
}

const listening = async (server: net.Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as net.AddressInfo).port
}

const closing = (server: net.Server, sockets: Set<net.Socket>) => async (): Promise<void> => {
  const closed = new Promise((resolve) => server.close(resolve))
  for (const socket of sockets) socket.destroy()
  await closed
}

const tracked = (server: net.Server): Set<net.Socket> => {
  const sockets = new Set<net.Socket>()
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
  })
  return sockets
}

/**
 * An HTTP server in plaintext, of whichever version it is spoken to in; without a listener it answers every request
 * with what it was asked.
 */
export const httpUpstream = async (
  listener: http.RequestListener = (request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { headers, httpVersion, method, url, trailers } = request
      response.setHeader("content-type", "application/json")
      response.end(
        JSON.stringify({ method, url, httpVersion, headers, trailers, body: Buffer.concat(chunks).toString() }),
      )
    })
  },
): Promise<HttpUpstream> => {
  const requests: Array<http.IncomingMessage> = []
  const aborted: Array<http.IncomingMessage> = []
  const serve: http.RequestListener = (request, response) => {
    requests.push(request)
    request.on("error", () => {})
    response.on("close", () => {
      // The replies of node:http2 say that they finished however they ended.
      if (request.httpVersionMajor === 1 ? !response.writableFinished : request.aborted) aborted.push(request)
    })
    listener(request, response)
  }
  const versions = [http.createServer(serve), http2.createServer(serve as unknown as () => void)] as const
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.once("data", (chunk: Buffer) => {
      socket.pause()
      socket.unshift(chunk)
      const isHttp2 = chunk.toString("latin1", 0, 3) === "PRI"
      versions[isHttp2 ? 1 : 0].emit("connection", socket)
      if (!isHttp2) socket.resume()
    })
  })
  const sockets = tracked(server)
  return { port: await listening(server), requests, aborted, server, close: closing(server, sockets) }
}

export interface RawUpstream {
  readonly port: number
  /** Connections so far, in order. */
  readonly connections: Array<RawClient>
  readonly close: () => Promise<void>
}

/** A TCP server that hands every connection to the script. */
export const rawUpstream = async (script: (connection: RawClient) => unknown = () => {}): Promise<RawUpstream> => {
  const connections: Array<RawClient> = []
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = new RawClient(socket)
    connections.push(connection)
    // A script that waits for more than it gets ends when the test closes its server.
    Promise.resolve(script(connection)).catch(() => {})
  })
  const sockets = tracked(server)
  return { port: await listening(server), connections, close: closing(server, sockets) }
}
