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
import * as Body from "../../../stages/Body.ts"
import { Exchange, Request } from "../../../stages/Exchange.ts"
import { throughCallee } from "../../../stages/grpc/Transport.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import { message } from "../../../stages/Refusal.ts"
import type { Sent } from "./Batch.ts"
import { heard, httpRequest, overGrpc, rawMethod, timeoutMillis } from "./sending.ts"

export interface Where {
  readonly callee: Callee
  readonly protocol: "grpc" | "http"
  readonly path: string
  readonly headers?: ReadonlyArray<{ readonly name: string; readonly value: Secret }> | undefined
}

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
      const { clock, method, where } = this
      const call = this.plan.callees.to(where.callee, "Otlp")
      const exchange = new Exchange(this.plan, this.bound, empty(), clock.nowMillis(), undefined, undefined)
      const fields = (where.headers ?? []).flatMap(({ name, value }) => [name, Redacted.value(value)])
      if (where.protocol === "grpc") return overGrpc(throughCallee(call, exchange), method, bytes, clock, fields)
      const replied = call(exchange, httpRequest(where.path, bytes, fields), timeoutMillis)
      return heard(Effect.mapError(replied, message), clock)
    })
  }
}
