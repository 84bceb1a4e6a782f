/**
 * Sending requests. Each endpoint has a pool of HTTP/1.1 connections and one of HTTP/2 sessions, opened when they are
 * first needed, and both get their connections from one place.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Reply, Request } from "../../stages/Exchange.ts"
import {
  type Endpoint,
  type EndpointSpec,
  type SendOptions,
  Upstream,
  type UpstreamFailure,
} from "../../stages/ports/Upstream.ts"
import { type LookupFamily, type Query, Resolver, systemQuery } from "./resolver.ts"
import { NodeSocket } from "./socket.ts"
import { Connector, labelOf, type Purpose } from "./upstream/connect.ts"
import { OtherVersion } from "./upstream/failure.ts"
import { Http1Call } from "./upstream/Http1Call.ts"
import { Http1Pool } from "./upstream/Http1Pool.ts"
import { Http2Call } from "./upstream/Http2Call.ts"
import { Http2Pool, PING_INTERVAL_MILLIS_MIN, PING_TIMEOUT_MILLIS, type PingSettings } from "./upstream/Http2Pool.ts"
import { timerMillis } from "./timerMillis.ts"

type Version = "1.1" | "2"
type Sent = Effect.Effect<Reply, UpstreamFailure | OtherVersion>

/** How long an upstream that was found to speak HTTP/1.1 only is taken at its word. */
const HTTP1_MILLIS = 60_000

class NodeEndpoint implements Endpoint {
  readonly spec: EndpointSpec
  readonly label: string
  private readonly connector: Connector
  private readonly ping: PingSettings
  /** Both versions are offered, and the peer chooses. */
  private readonly negotiates: boolean
  private negotiated: Version | undefined
  private http1UntilMillis = -Infinity
  private http1: Http1Pool | undefined
  private http2: Http2Pool | undefined
  private readonly upgrade: Purpose
  private closed = false

  constructor(spec: EndpointSpec, resolver: Resolver, ping: PingSettings) {
    this.spec = spec
    this.label = labelOf(spec.target)
    this.connector = new Connector(spec, resolver)
    this.ping = ping
    const alpn = spec.tls?.alpn
    this.negotiates = alpn !== undefined && alpn.includes("h2") && alpn.includes("http/1.1")
    if (alpn !== undefined && !this.negotiates) {
      if (alpn.includes("h2")) this.negotiated = "2"
      else if (alpn.includes("http/1.1")) this.negotiated = "1.1"
    }
    this.upgrade = { alpn: ["http/1.1"], halfOpen: false, throughTunnel: true }
  }

  readonly send = (request: Request, options: SendOptions): Effect.Effect<Reply, UpstreamFailure> => {
    // An upgrade exists only in HTTP/1.1.
    const version = request.upgrade === undefined ? (this.negotiated ?? this.wanted(options.version)) : "1.1"
    const mayChange = this.negotiates || options.version === "either"
    const sent = version === "2" ? this.send2(request, options, mayChange) : this.send1(request, options)
    if (!mayChange) return sent as Effect.Effect<Reply, UpstreamFailure>
    return Effect.catch(sent, (failure) => {
      if (!(failure instanceof OtherVersion)) return Effect.fail(failure)
      const again = version === "2" ? this.send1(request, options) : this.send2(request, options, false)
      return again as Effect.Effect<Reply, UpstreamFailure>
    })
  }

  /** Whoever only might speak HTTP/2 is asked once in a while. */
  private wanted(version: SendOptions["version"]): Version {
    if (version !== "either") return version
    return performance.now() < this.http1UntilMillis ? "1.1" : "2"
  }

  readonly dial: Effect.Effect<NodeSocket, UpstreamFailure> = Effect.callback((resume) => {
    const purpose: Purpose = { alpn: this.spec.tls?.alpn ?? [], halfOpen: true, throughTunnel: true }
    const cancel = this.connector.connect(purpose, undefined, (failed, socket) => {
      if (socket !== undefined) resume(Effect.succeed(new NodeSocket(socket)))
      else if (failed !== undefined) resume(Effect.fail(failed.failure))
    })
    return Effect.sync(cancel)
  })

  readonly close = (): void => {
    this.closed = true
    this.http1?.close()
    this.http2?.close()
  }

  private send1(request: Request, options: SendOptions): Sent {
    return Effect.callback((resume) => {
      const call = new Http1Call(this.pool1(), request, options, resume, this.upgrade)
      call.start()
      return Effect.sync(() => call.abort())
    })
  }

  private send2(request: Request, options: SendOptions, mayChange: boolean): Sent {
    return Effect.callback((resume) => {
      const call = new Http2Call(this.pool2(), request, options, mayChange, resume)
      call.start()
      return Effect.sync(() => call.abort())
    })
  }

  private pool1(): Http1Pool {
    if (this.http1 !== undefined) return this.http1
    const { tls, tunnel } = this.spec
    const purpose: Purpose = {
      alpn: tls?.alpn ?? ["http/1.1"],
      halfOpen: false,
      throughTunnel: tunnel !== undefined && tls !== undefined,
    }
    this.http1 = new Http1Pool(this.connector, purpose, (socket, address) => {
      this.negotiated = "2"
      this.pool2().adopt(socket, address)
    })
    if (this.closed) this.http1.close()
    return this.http1
  }

  private pool2(): Http2Pool {
    if (this.http2 !== undefined) return this.http2
    const purpose: Purpose = { alpn: this.spec.tls?.alpn ?? ["h2", "http/1.1"], halfOpen: false, throughTunnel: true }
    this.http2 = new Http2Pool(this.connector, purpose, this.ping, () => {
      if (this.negotiates) this.negotiated = "1.1"
      else this.http1UntilMillis = performance.now() + HTTP1_MILLIS
    })
    if (this.closed) this.http2.close()
    return this.http2
  }
}

export interface UpstreamOptions {
  readonly lookupFamily: LookupFamily
  /** What the family `Auto` means. */
  readonly ipv6: boolean
  readonly query: Query
  /** Pings on sessions with calls; derived from the keep-alive of the endpoint where absent. */
  readonly ping: PingSettings | undefined
}

const defaults: UpstreamOptions = { lookupFamily: "Auto", ipv6: true, query: systemQuery(), ping: undefined }

/** Waiting for the next query must not keep the process alive. */
const clock = {
  after: (millis: number, callback: () => void) => {
    const timer = setTimeout(callback, timerMillis(millis))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

const pingOf = (spec: EndpointSpec): PingSettings => ({
  intervalMillis: Math.max(spec.keepAlive.timeMillis, PING_INTERVAL_MILLIS_MIN),
  timeoutMillis: PING_TIMEOUT_MILLIS,
})

export const layerWith = (options: Partial<UpstreamOptions>): Layer.Layer<Upstream> =>
  Layer.effect(
    Upstream,
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => {
          const { lookupFamily, ipv6, query } = { ...defaults, ...options }
          return new Resolver({ family: lookupFamily, ipv6, query, clock })
        }),
        (resolver) => Effect.sync(() => resolver.close()),
      ),
      (resolver) => ({ open: (spec) => new NodeEndpoint(spec, resolver, options.ping ?? pingOf(spec)) }),
    ),
  )

export const layer: Layer.Layer<Upstream> = layerWith({})
