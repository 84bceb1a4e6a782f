/**
 * A receiver of OTLP that the configuration names: it is called as any other service is, so the policies, TLS and pools
 * of its backend apply. A plan may be replaced between two batches; the latest that was seen is used.
 */
import * as Effect from "effect/Effect"
import type { Callee } from "../../../ir/policy/Callee.ts"
import type { Otlp } from "../../../ir/policy/Otlp.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../../stages/Body.ts"
import { Exchange, Request } from "../../../stages/Exchange.ts"
import { throughCallee } from "../../../stages/grpc/Transport.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import { message } from "../../../stages/Refusal.ts"
import type { Sent } from "./Batch.ts"
import { type Message, send } from "./sending.ts"

export interface Where extends Otlp {
  readonly callee: Callee
}

const empty = (): Request =>
  new Request("POST", "http", "", "", "/", undefined, "1.1", new Headers([]), Body.empty, undefined)

export class Receiver {
  private readonly where: Where
  private readonly what: Omit<Message, "bytes">
  private readonly clock: Clock
  private plan: Exchange["plan"]
  private bound: Exchange["bound"]

  constructor(where: Where, what: Omit<Message, "bytes">, clock: Clock, { bound, plan }: Exchange) {
    this.where = where
    this.what = what
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
      const { clock, what, where } = this
      const call = this.plan.callees.to(where.callee, "Otlp")
      const exchange = new Exchange(this.plan, this.bound, empty(), clock.nowMillis(), undefined, undefined)
      const way = {
        transport: throughCallee(call, exchange),
        post: (request: Request, millis: number) => Effect.mapError(call(exchange, request, millis), message),
      }
      return send(way, where, { ...what, bytes }, clock)
    })
  }
}
