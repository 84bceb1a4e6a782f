/**
 * A receiver of OTLP that the configuration names: it is called as any other service is, so the policies, TLS and pools
 * of its backend apply. A plan may be replaced between two batches; the latest that was seen is used.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Callee } from "../../../ir/policy/Callee.ts"
import type { Secret } from "../../../ir/Secret.ts"
import type { Method } from "../../../protocols/grpc/method.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { retryHintMillis } from "../../../protocols/http/retryAfter.ts"
import * as Body from "../../../stages/Body.ts"
import { Exchange, Request } from "../../../stages/Exchange.ts"
import { describe, throughCallee } from "../../../stages/grpc/Transport.ts"
import { unary } from "../../../stages/grpc/unary.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import { message } from "../../../stages/Refusal.ts"
import type { Sent } from "./Batch.ts"

export interface Where {
  readonly callee: Callee
  readonly protocol: "grpc" | "http"
  readonly path: string
  readonly headers?: ReadonlyArray<{ readonly name: string; readonly value: Secret }> | undefined
}

/** How long a receiver may take. */
const timeoutMillis = 10_000
/** Of its answer, at most. */
const answerBytesMax = 64 * 1024

/** Codes after which OTLP says to try again. */
const retriedCodes = new Set([1, 4, 8, 10, 11, 14, 15])
const retriedStatuses = new Set([429, 502, 503, 504])

const rawMethod = (path: string): Method<Uint8Array, undefined> => ({
  path,
  encode: (bytes) => bytes,
  decode: () => undefined,
})

const taken: Sent = { _tag: "Taken" }

const empty = (): Request =>
  new Request("POST", "http", "", "", "/", undefined, "1.1", new Headers([]), Body.empty, undefined)

export class Receiver {
  private readonly where: Where
  private readonly method: Method<Uint8Array, undefined>
  private readonly clock: Clock
  private plan: Exchange["plan"]
  private bound: Exchange["bound"]

  constructor(where: Where, grpcPath: string, clock: Clock, { bound, plan }: Exchange) {
    this.where = where
    this.method = rawMethod(grpcPath)
    this.clock = clock
    this.plan = plan
    this.bound = bound
  }

  /** From now on by that exchange's plan. */
  by({ bound, plan }: Exchange): void {
    if (plan === this.plan) return
    this.plan = plan
    this.bound = bound
  }

  send(bytes: Uint8Array): Effect.Effect<Sent> {
    return Effect.suspend(() => {
      const call = this.plan.callees.to(this.where.callee, "Otlp")
      const exchange = new Exchange(this.plan, this.bound, empty(), this.clock.nowMillis(), undefined, undefined)
      const fields = (this.where.headers ?? []).flatMap(({ name, value }) => [name, Redacted.value(value)])
      return this.where.protocol === "grpc"
        ? this.overGrpc(throughCallee(call, exchange), bytes, fields)
        : this.overHttp(call, exchange, bytes, fields)
    })
  }

  private overGrpc(
    transport: ReturnType<typeof throughCallee>,
    bytes: Uint8Array,
    metadata: ReadonlyArray<string>,
  ): Effect.Effect<Sent> {
    return Effect.match(unary(transport, this.method, bytes, { clock: this.clock, timeoutMillis, metadata }), {
      onFailure: (failed): Sent => ({
        _tag: retriedCodes.has(failed.code) ? "Later" : "Refused",
        why: describe(failed),
      }),
      onSuccess: () => taken,
    })
  }

  private overHttp(
    call: (
      exchange: Exchange,
      request: Request,
      timeoutMillis?: number,
    ) => ReturnType<ReturnType<Exchange["plan"]["callees"]["to"]>>,
    exchange: Exchange,
    bytes: Uint8Array,
    fields: ReadonlyArray<string>,
  ): Effect.Effect<Sent> {
    const headers = new Headers(["content-type", "application/x-protobuf", ...fields])
    const request = new Request(
      "POST",
      "http",
      "",
      "",
      this.where.path,
      undefined,
      "1.1",
      headers,
      Body.bytes(bytes),
      undefined,
    )
    return Effect.matchEffect(call(exchange, request, timeoutMillis), {
      onFailure: (refusal) => Effect.succeed<Sent>({ _tag: "Later", why: message(refusal) }),
      onSuccess: (reply) => {
        const sent: Sent =
          reply.status >= 200 && reply.status < 300
            ? taken
            : {
                _tag: retriedStatuses.has(reply.status) ? "Later" : "Refused",
                why: `the receiver answered ${reply.status}`,
                afterMillis: retryHintMillis(reply.headers, this.clock.wallMillis()),
              }
        return Effect.as(Effect.ignore(Body.collect(reply.body, answerBytesMax)), sent)
      },
    })
  }
}
