/** One message to a receiver of OTLP, and what became of it. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { promisify } from "node:util"
import type { Otlp } from "../../../ir/policy/Otlp.ts"
import type { Method } from "../../../protocols/grpc/method.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { retryHintMillis } from "../../../protocols/http/retryAfter.ts"
import type { Signal } from "../../../protocols/otlp/json.ts"
import * as Body from "../../../stages/Body.ts"
import { type Reply, Request } from "../../../stages/Exchange.ts"
import { zlib } from "../../node/onDemand.ts"
import { describe, type Transport } from "../../../stages/grpc/Transport.ts"
import { unary } from "../../../stages/grpc/unary.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import type { Sent } from "./Batch.ts"

/** How long a receiver may take, unless it is said. */
export const timeoutMillis = 10_000
/** Of its answer, at most. */
const answerBytesMax = 64 * 1024

/** Codes after which OTLP says to try again. */
const retriedCodes = new Set([1, 4, 8, 10, 11, 14, 15])
const retriedStatuses = new Set([429, 502, 503, 504])

const taken: Sent = { _tag: "Taken" }

const compressed = (bytes: Uint8Array): Promise<Buffer> => promisify(zlib().gzip)(bytes)

/** The way to a receiver, over gRPC or over HTTP. */
export interface Way {
  readonly transport: Transport
  readonly post: (request: Request, timeoutMillis: number) => Effect.Effect<Reply, string>
}

export interface Message {
  readonly signal: Signal
  /** Over gRPC. */
  readonly method: string
  /** An export request, as protobuf. */
  readonly bytes: Uint8Array
}

/** A method whose messages are bytes already. */
const rawMethod = (path: string): Method<Uint8Array, undefined> => ({
  path,
  encode: (bytes) => bytes,
  decode: () => undefined,
})

const encoder = new TextEncoder()

/** Nobody carries the other way to write them who does not use it. */
const asJson = (signal: Signal, bytes: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.map(
    Effect.promise(() => import("../../../protocols/otlp/json.ts")),
    ({ toJsonText }) => encoder.encode(toJsonText(signal, bytes)),
  )

const httpRequest = (path: string, bytes: Uint8Array, fields: ReadonlyArray<string>): Request =>
  new Request("POST", "http", "", "", path, undefined, "1.1", new Headers([...fields]), Body.bytes(bytes), undefined)

/** What the reply to such a request means. */
const heard = (replied: Effect.Effect<Reply, string>, clock: Clock): Effect.Effect<Sent> =>
  Effect.matchEffect(replied, {
    onFailure: (why) => Effect.succeed<Sent>({ _tag: "Later", why }),
    onSuccess: (reply) => {
      const sent: Sent =
        reply.status >= 200 && reply.status < 300
          ? taken
          : {
              _tag: retriedStatuses.has(reply.status) ? "Later" : "Refused",
              why: `the receiver answered ${reply.status}`,
              afterMillis: retryHintMillis(reply.headers, clock.wallMillis()),
            }
      return Effect.as(Effect.ignore(Body.collect(reply.body, answerBytesMax)), sent)
    },
  })

export const send = (way: Way, how: Otlp, { bytes, method, signal }: Message, clock: Clock): Effect.Effect<Sent> => {
  const { compression, protocol, timeoutMillis: millis = timeoutMillis } = how
  const fields = (how.headers ?? []).flatMap(({ name, value }) => [name, Redacted.value(value)])
  const written = protocol === "http/json" ? asJson(signal, bytes) : Effect.succeed(bytes)
  const packed =
    compression === undefined
      ? written
      : Effect.flatMap(written, (plain) => Effect.promise((): Promise<Uint8Array> => compressed(plain)))
  return Effect.flatMap(packed, (body): Effect.Effect<Sent> => {
    if (protocol !== "grpc") {
      const type = protocol === "http/json" ? "application/json" : "application/x-protobuf"
      const coding = compression === undefined ? [] : ["content-encoding", compression]
      const request = httpRequest(how.path, body, ["content-type", type, ...coding, ...fields])
      return heard(way.post(request, millis), clock)
    }
    const called = unary(way.transport, rawMethod(method), body, {
      clock,
      timeoutMillis: millis,
      metadata: fields,
      compression,
    })
    return Effect.match(called, {
      onFailure: (failed): Sent => ({
        _tag: retriedCodes.has(failed.code) ? "Later" : "Refused",
        why: describe(failed),
      }),
      onSuccess: () => taken,
    })
  })
}
