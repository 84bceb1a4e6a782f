/** One message to a receiver of OTLP, and what became of it. */
import * as Effect from "effect/Effect"
import type { Method } from "../../../protocols/grpc/method.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { retryHintMillis } from "../../../protocols/http/retryAfter.ts"
import * as Body from "../../../stages/Body.ts"
import { type Reply, Request } from "../../../stages/Exchange.ts"
import { describe, type Transport } from "../../../stages/grpc/Transport.ts"
import { unary } from "../../../stages/grpc/unary.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import type { Sent } from "./Batch.ts"

/** How long a receiver may take. */
export const timeoutMillis = 10_000
/** Of its answer, at most. */
const answerBytesMax = 64 * 1024

/** Codes after which OTLP says to try again. */
const retriedCodes = new Set([1, 4, 8, 10, 11, 14, 15])
const retriedStatuses = new Set([429, 502, 503, 504])

const taken: Sent = { _tag: "Taken" }

/** A method whose messages are bytes already. */
export const rawMethod = (path: string): Method<Uint8Array, undefined> => ({
  path,
  encode: (bytes) => bytes,
  decode: () => undefined,
})

export const overGrpc = (
  transport: Transport,
  method: Method<Uint8Array, undefined>,
  bytes: Uint8Array,
  clock: Clock,
  metadata: ReadonlyArray<string>,
): Effect.Effect<Sent> =>
  Effect.match(unary(transport, method, bytes, { clock, timeoutMillis, metadata }), {
    onFailure: (failed): Sent => ({
      _tag: retriedCodes.has(failed.code) ? "Later" : "Refused",
      why: describe(failed),
    }),
    onSuccess: () => taken,
  })

export const httpRequest = (
  path: string,
  bytes: Uint8Array,
  fields: ReadonlyArray<string>,
  authority = "",
  host = "",
): Request =>
  new Request(
    "POST",
    "http",
    authority,
    host,
    path,
    undefined,
    "1.1",
    new Headers(["content-type", "application/x-protobuf", ...fields]),
    Body.bytes(bytes),
    undefined,
  )

/** What the reply to such a request means. */
export const heard = (replied: Effect.Effect<Reply, string>, clock: Clock): Effect.Effect<Sent> =>
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
