/** What the tests of the upstream side share: an endpoint to send with, requests, and bodies read to their end. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as http from "node:http"
import type { AddressInfo, Server } from "node:net"
import * as net from "node:net"
import { Headers } from "../../../protocols/http/headers.ts"
import { type Body, collect, empty, type FlowFailure, type Sink, type Source } from "../../../stages/Body.ts"
import { type Reply, Request } from "../../../stages/Exchange.ts"
import {
  type Endpoint,
  type EndpointSpec,
  type SendOptions,
  Upstream,
  type UpstreamFailure,
} from "../../../stages/ports/Upstream.ts"
import { layerWith, type UpstreamOptions } from "../../../src/node/upstream.ts"

export class Bench {
  private readonly scope = Effect.runSync(Scope.make())
  private readonly servers: Array<Server> = []
  private readonly sockets = new Set<net.Socket>()
  private readonly endpoints: Array<Endpoint> = []
  private readonly upstream: Upstream["Service"]

  constructor(options: Partial<UpstreamOptions> = {}) {
    const context = Effect.runSync(Layer.buildWithScope(layerWith(options), this.scope))
    this.upstream = Context.get(context, Upstream)
  }

  /** Listens on a free port of the loopback and counts the connections that are open. */
  async listen<S extends Server>(server: S, host = "127.0.0.1", port = 0): Promise<{ server: S; port: number }> {
    this.servers.push(server)
    server.on("connection", (socket: net.Socket) => {
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.once("close", () => this.sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(port, host, resolve))
    return { server, port: (server.address() as AddressInfo).port }
  }

  http(listener: http.RequestListener): Promise<{ server: http.Server; port: number }> {
    return this.listen(http.createServer(listener))
  }

  open(spec: Partial<EndpointSpec> & Pick<EndpointSpec, "target">): Endpoint {
    const endpoint = this.upstream.open({
      tls: undefined,
      connectTimeoutMillis: 5_000,
      poolIdleMillis: 60_000,
      poolSizeMax: undefined,
      keepAlive: { enabled: true, timeMillis: 180_000 },
      tunnel: undefined,
      ...spec,
    })
    this.endpoints.push(endpoint)
    return endpoint
  }

  to(port: number, spec: Partial<EndpointSpec> = {}): Endpoint {
    return this.open({ target: { _tag: "Host", host: "127.0.0.1", port }, ...spec })
  }

  /** Connections that the servers still see. */
  get connections(): number {
    return this.sockets.size
  }

  async close(): Promise<void> {
    for (const endpoint of this.endpoints) endpoint.close()
    for (const server of this.servers) server.close()
    for (const socket of this.sockets) socket.destroy()
    await Effect.runPromise(Scope.close(this.scope, Exit.void))
  }
}

export const request = (
  method: string,
  path: string,
  fields: Record<string, string> = {},
  body: Body = empty,
): Request => {
  const [before, query] = path.split("?", 2) as [string, string | undefined]
  return new Request(
    method,
    "http",
    "test.example",
    "test.example",
    before,
    query,
    "1.1",
    Headers.from(fields),
    body,
    undefined,
  )
}

export const options = (more: Partial<SendOptions> = {}): SendOptions => ({
  version: "1.1",
  replyTimeoutMillis: undefined,
  inform: undefined,
  ...more,
})

export const send = (endpoint: Endpoint, request_: Request, more: Partial<SendOptions> = {}): Promise<Reply> =>
  Effect.runPromise(endpoint.send(request_, options(more)))

/** The failure of a call that must fail. */
export const refusal = async (
  endpoint: Endpoint,
  request_: Request,
  more: Partial<SendOptions> = {},
): Promise<UpstreamFailure> => {
  const exit = await Effect.runPromiseExit(endpoint.send(request_, options(more)))
  if (Exit.isSuccess(exit)) throw new Error(`expected a failure, got ${exit.value.status}`)
  const reason = exit.cause.reasons.find(Cause.isFailReason)
  if (reason === undefined) throw new Error(`expected a failure, got ${Cause.pretty(exit.cause)}`)
  return reason.error
}

export const read = async (
  reply: Reply,
): Promise<{ readonly bytes: Uint8Array; readonly trailers: Headers | undefined }> => {
  const collected = await Effect.runPromise(collect(reply.body, 1 << 30))
  if (collected._tag !== "Whole") throw new Error("too large")
  return collected
}

export const text = async (reply: Reply): Promise<string> => new TextDecoder().decode((await read(reply)).bytes)

/** How the reading of a body ended. */
export const ending = (reply: Reply): Promise<FlowFailure | "whole"> =>
  new Promise((resolve) => {
    if (reply.body._tag !== "Flow") return resolve("whole")
    reply.body.open({ write: () => true, end: () => resolve("whole"), fail: resolve })
  })

/** A body that a test feeds by hand. */
export class Fed {
  readonly _tag = "Flow"
  readonly length: number | undefined
  sink: Sink | undefined
  resumed = 0
  cancelled = false

  constructor(length?: number) {
    this.length = length
  }

  open(sink: Sink): Source {
    this.sink = sink
    return {
      resume: () => void this.resumed++,
      cancel: () => {
        this.cancelled = true
      },
    }
  }

  write(chunk: string | Uint8Array): boolean {
    if (this.sink === undefined) throw new Error("nobody opened the body")
    return this.sink.write(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk)
  }

  end(trailers?: Headers): void {
    this.sink?.end(trailers)
  }
}

export const until = async (what: string, condition: () => boolean, millisMax = 5_000): Promise<void> => {
  const end = performance.now() + millisMax
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
