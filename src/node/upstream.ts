/** Sending requests with undici, one pool for each endpoint. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as undici from "undici"
import type { Headers } from "../../protocols/http/headers.ts"
import { relayReply, relayTrailers } from "../../protocols/http/hopByHop.ts"
import { type Body, flowFailure, type Flow, HeldFlow, type Sink, type Source } from "../../stages/Body.ts"
import type { Reply, Request } from "../../stages/Exchange.ts"
import {
  type Endpoint,
  type EndpointSpec,
  type SendOptions,
  Upstream,
  type UpstreamFailure,
} from "../../stages/ports/Upstream.ts"
import { toReadable } from "./flow.ts"

/** The body of a reply as undici pushes it. */
class ReplyFlow implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly controller: undici.Dispatcher.DispatchController
  private sink: Sink | undefined
  private held: HeldFlow | undefined
  private over = false

  constructor(controller: undici.Dispatcher.DispatchController, length: number | undefined) {
    this.controller = controller
    this.length = length
  }

  open(sink: Sink): Source {
    if (this.held === undefined) {
      this.sink = sink
      return this
    }
    this.held.source = this
    return this.held.open(sink)
  }

  /** Nobody opened it while the head was handled: what comes now is kept, and the source held back. */
  private hold(): HeldFlow {
    return this.held ?? (this.held = new HeldFlow(this.length))
  }

  data(chunk: Uint8Array): void {
    const target = this.sink ?? this.hold()
    if (!target.write(chunk)) this.controller.pause()
  }

  end(trailers: Headers | undefined): void {
    this.over = true
    const target = this.sink ?? this.hold()
    target.end(trailers)
  }

  fail(message: string): void {
    this.over = true
    const target = this.sink ?? this.hold()
    target.fail(flowFailure("gone", message))
  }

  resume(): void {
    if (!this.over) this.controller.resume()
  }

  cancel(): void {
    if (!this.over) this.controller.abort(cancelled)
  }
}

const cancelled = new Error("cancelled")

/** Undici gives the fields of a reply as bytes, or already parsed from HTTP/2. */
const toFlat = (raw: unknown): Array<string> => {
  const flat: Array<string> = []
  if (!Array.isArray(raw)) return flat
  for (const part of raw as ReadonlyArray<Buffer | string>) {
    flat.push(typeof part === "string" ? part : part.latin1Slice())
  }
  return flat
}

const failureOf = (error: NodeJS.ErrnoException, started: boolean): UpstreamFailure => {
  const message = error.message
  switch (error.code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { _tag: "ResolutionFailed", message }
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ENOENT":
      return { _tag: "ConnectFailed", message }
    case "UND_ERR_CONNECT_TIMEOUT":
      return { _tag: "ConnectTimeout", message }
    default:
      return { _tag: "Reset", message, sent: started }
  }
}

const bodyFor = (body: Body): undici.Dispatcher.DispatchOptions["body"] =>
  body._tag === "Empty" ? null : body._tag === "Bytes" ? body.bytes : toReadable(body)

const send =
  (pool: undici.Dispatcher, origin: string) =>
  (request: Request, options: SendOptions): Effect.Effect<Reply, UpstreamFailure> =>
    Effect.callback<Reply, UpstreamFailure>((resume) => {
      let controller: undici.Dispatcher.DispatchController | undefined
      let flow: ReplyFlow | undefined
      let started = false
      const headers = request.headers.flat.slice()
      headers.push("host", request.authority)
      pool.dispatch(
        {
          origin,
          path: request.target,
          method: request.method as undici.Dispatcher.HttpMethod,
          headers,
          body: bodyFor(request.body),
        },
        {
          onRequestStart(c) {
            started = true
            controller = c
          },
          onResponseStart(c, status) {
            const flat = toFlat(c.rawHeaders)
            if (status < 200) return options.inform?.(status, flat)
            const head = relayReply(flat)
            if (head.malformed !== undefined) {
              c.abort(cancelled)
              return resume(Effect.fail({ _tag: "MalformedReply", message: head.malformed }))
            }
            flow = new ReplyFlow(c, head.contentLength)
            resume(Effect.succeed({ status, headers: head.headers, body: flow, origin: "upstream" }))
          },
          onResponseData(_c, chunk) {
            flow?.data(chunk)
          },
          onResponseEnd(c) {
            const trailers = toFlat(c.rawTrailers)
            flow?.end(trailers.length > 0 ? relayTrailers(trailers) : undefined)
          },
          onResponseError(_c, error) {
            if (flow !== undefined) flow.fail(error.message)
            else resume(Effect.fail(failureOf(error, started)))
          },
        },
      )
      return Effect.sync(() => {
        controller?.abort(cancelled)
      })
    })

const open = (spec: EndpointSpec): Endpoint => {
  const { target } = spec
  const origin = target._tag === "Host" ? `http://${target.host}:${target.port}` : "http://localhost"
  const pool = new undici.Pool(origin, {
    ...(target._tag === "Unix" ? { socketPath: target.path } : {}),
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: spec.poolIdleMillis,
    connectTimeout: spec.connectTimeoutMillis,
  })
  return {
    spec,
    label: target._tag === "Host" ? `${target.host}:${target.port}` : `unix:${target.path}`,
    send: send(pool, origin),
    dial: Effect.fail({ _tag: "ConnectFailed", message: "raw connections are not built yet" }),
    close: () => void pool.close(),
  }
}

export const layer: Layer.Layer<Upstream> = Layer.succeed(Upstream, { open })
