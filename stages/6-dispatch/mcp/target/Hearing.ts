/** The stream of a session for what belongs to no request: one, however many want to hear, and opened again when it ends. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Exchange } from "../../../Exchange.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Broken } from "./Channel.ts"
import type { Wire } from "./Wire.ts"

/** Many servers send the head of the stream with its first event; by then it is open as far as anybody can tell. */
const headPatienceMillis = 150

export class Hearing {
  private readonly runtime: McpRuntime
  private readonly wire: Wire
  private readonly exchange: () => Exchange
  private readonly ready = Deferred.makeUnsafe<boolean, Broken>()
  private readonly over = Deferred.makeUnsafe<void, Broken>()
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly reopened = new Set<() => void>()
  private isReady = false
  private wasOpened = false
  private hasEnded = false

  constructor(runtime: McpRuntime, wire: Wire, exchange: () => Exchange) {
    this.runtime = runtime
    this.wire = wire
    this.exchange = exchange
    const disarm = runtime.clock.after(headPatienceMillis, () => this.getReady())
    this.fiber = runtime.run(
      Effect.onExit(this.hear(0), (exit) =>
        Effect.sync(() => {
          disarm()
          this.hasEnded = true
          const ended = Exit.isFailure(exit) && Exit.hasInterrupts(exit) ? Exit.void : exit
          Deferred.doneUnsafe(
            this.ready,
            Exit.isSuccess(ended) ? Exit.succeed(false) : (ended as Exit.Exit<never, Broken>),
          )
          Deferred.doneUnsafe(this.over, ended as Exit.Exit<void, Broken>)
        }),
      ),
    )
  }

  get isOver(): boolean {
    return this.hasEnded
  }

  private getReady(): void {
    if (this.isReady) return
    this.isReady = true
    Deferred.doneUnsafe(this.ready, Exit.succeed(true))
  }

  private open(): void {
    this.getReady()
    // The first time there was no gap, however long the head took.
    if (this.wasOpened) for (const one of this.reopened) one()
    this.wasOpened = true
  }

  private hear(failures: number): Effect.Effect<void, Broken> {
    let began = 0
    return Effect.suspend(() => {
      began = this.runtime.clock.nowMillis()
      return Effect.exit(this.wire.listen(this.exchange(), () => this.open()))
    }).pipe(
      Effect.flatMap((exit): Effect.Effect<void, Broken> => {
        if (Exit.isSuccess(exit) && !exit.value) return Effect.void
        if (Exit.isFailure(exit)) {
          const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
          // A session or a connection that is gone does not come back by asking again.
          const isFinal = failure?._tag === "Fail" && (failure.error.status !== undefined || !this.wire.attributes)
          if (isFinal) return Effect.fail(failure.error)
        }
        const lasted = this.runtime.clock.nowMillis() - began > limits.reconnectMillisMax
        const waitMillis = Math.min(limits.reconnectMillisMin * 2 ** failures, limits.reconnectMillisMax)
        return Effect.andThen(
          Effect.sleep(waitMillis * (0.75 + this.runtime.clock.random() / 2)),
          Effect.suspend(() => this.hear(lasted ? 0 : Math.min(failures + 1, 10))),
        )
      }),
    )
  }

  /** Completes once the server can be heard; false: it has nothing to say outside of requests. */
  readonly heard: Effect.Effect<boolean, Broken> = Effect.suspend(() => Deferred.await(this.ready))

  /** Until the stream is over for good; calls back whenever there was a gap. */
  until(reopened: () => void): Effect.Effect<void, Broken> {
    return Effect.suspend(() => {
      this.reopened.add(reopened)
      return Effect.ensuring(
        Deferred.await(this.over),
        Effect.sync(() => this.reopened.delete(reopened)),
      )
    })
  }

  stop(): void {
    this.fiber.interruptUnsafe()
  }
}
