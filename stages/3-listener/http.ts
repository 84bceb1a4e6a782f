/**
 * HTTP on a connection: every request becomes an exchange with a fiber of its own, which ends with exactly one reply
 * and one line in the journal. A client that goes away interrupts the fiber, and with it everything it owns.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { isGrpc } from "../../protocols/http/grpc.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { newSpanId } from "../../protocols/trace/context.ts"
import { discard } from "../Body.ts"
import type { Bound } from "../Connection.ts"
import { Exchange, type Reply, Request } from "../Exchange.ts"
import type { Inquiry } from "../Inquiry.ts"
import { settle } from "../5-policy/settle.ts"
import type { CompiledBind, Live } from "../Plan.ts"
import type { Delivered, HttpConnection, HttpEvents, Incoming } from "../ports/Network.ts"
import type { Ending } from "../ports/Journal.ts"
import type { Clock } from "../ports/Timer.ts"
import { type Refusal, toReply } from "../Refusal.ts"
import { normalize } from "./normalize.ts"

/** What serving an exchange needs from around it. */
export interface Around {
  /** The scheduler and the clock of the world we are in. */
  readonly context: Context.Context<never>
  readonly live: Live
  readonly clock: Clock
  /** How refusals are told where a protocol above HTTP has words of its own; undefined for all others. */
  readonly told?: (exchange: Exchange, refusal: Refusal) => Reply | undefined
  /** Whether connections end because a drain has waited long enough, and not because clients leave. */
  readonly isCutOff?: (() => boolean) | undefined
  readonly journal: {
    readonly exchange: (exchange: Exchange, ending: Ending) => void
    readonly malformed: (bound: Bound, status: number, message: string) => void
    /** Absent: nobody can ask about an exchange before it begins. */
    readonly inquire?: (() => Inquiry | undefined) | undefined
  }
}

/** Names an exchange that has a story, in its reply. */
export const idHeader = "x-sluice-id"

/** Serves one exchange by the plan it belongs to. */
export type Serve = (exchange: Exchange) => Effect.Effect<Reply, Refusal>

const defect: Refusal = { _tag: "Defect" }

/** The reply for a request that could not be made an exchange's. */
const refused = (refusal: Refusal): Serve => {
  const failed = Effect.fail(refusal)
  return () => failed
}

export const make = (around: Around, serve: Serve) => {
  const { clock, journal, live } = around
  const runFork = Effect.runForkWith(around.context)

  const replyTo = (exchange: Exchange, refusal: Refusal): Reply => {
    exchange.trail.refusal = refusal
    return around.told?.(exchange, refusal) ?? toReply(refusal, isGrpc(exchange.request.headers.get("content-type")))
  }

  const left = (otherwise: "clientGone" | "interrupted"): Ending["outcome"] =>
    around.isCutOff?.() === true ? "drained" : otherwise

  const end = (
    exchange: Exchange,
    reply: Reply | undefined,
    delivered: Delivered | undefined,
    interrupted: boolean,
  ): void => {
    exchange.plan.use.leave()
    if (exchange.atEnd !== undefined) for (const letGo of exchange.atEnd) letGo()
    journal.exchange(exchange, {
      reply,
      delivered,
      outcome:
        interrupted || delivered === undefined
          ? left("interrupted")
          : delivered.outcome === "complete"
            ? "answered"
            : delivered.outcome === "clientGone"
              ? left("clientGone")
              : delivered.outcome,
      endedMillis: clock.nowMillis(),
    })
  }

  /** Settles the promised edits over the reply and sends it. */
  const deliver = (exchange: Exchange, incoming: Incoming, reply: Reply): Effect.Effect<Delivered> => {
    const send = (): Effect.Effect<Delivered> => {
      const { declined, refusal } = exchange.trail
      if (refusal !== undefined || declined !== undefined || exchange.inquiry !== undefined) {
        // Whoever wonders about this reply can ask for its story by this name.
        exchange.id ??= exchange.trace?.traceId ?? newSpanId(clock.random)
        reply.headers.set(idHeader, exchange.id)
      }
      exchange.trail.replyMillis = clock.nowMillis()
      return incoming.respond(reply)
    }
    const waiting = settle(exchange, reply)
    return waiting === undefined ? send() : Effect.flatMap(waiting, send)
  }

  const run = (exchange: Exchange, incoming: Incoming, service: Serve): Effect.Effect<void> => {
    let reply: Reply | undefined
    return Effect.onExit(
      Effect.flatMap(
        Effect.catchCause(
          Effect.suspend(() => service(exchange)),
          (cause): Effect.Effect<Reply> => {
            if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
            const refusal = Cause.findErrorOption(cause)
            if (refusal._tag === "Some") return Effect.succeed(replyTo(exchange, refusal.value))
            return Effect.as(
              Effect.logError("An exchange broke off inside the gateway", cause),
              replyTo(exchange, defect),
            )
          },
        ),
        (answered) => {
          reply = answered
          return deliver(exchange, incoming, answered)
        },
      ),
      (exit) => {
        if (exit._tag === "Success") end(exchange, reply, exit.value, false)
        else {
          // Once it is being sent, the reply belongs to the connection.
          if (reply !== undefined && exchange.trail.replyMillis === 0) discard(reply.body)
          end(exchange, reply, undefined, true)
        }
        return Effect.void
      },
    ) as Effect.Effect<unknown> as Effect.Effect<void>
  }

  /** Runs HTTP on a connection whose bind is known. */
  const connection = (bound: Bound, bind: CompiledBind, version: "1" | "2"): HttpConnection => {
    const secure = bound.secured.tls !== undefined
    const keepsSpelling = bind.frontend.http.headerCase === "preserve"
    const events: HttpEvents = {
      request: (incoming) => {
        const request = normalize(incoming, secure, keepsSpelling)
        const plan = live.current
        plan.use.enter()
        const understood = request instanceof Request
        const exchange = new Exchange(
          plan,
          bound,
          understood ? request : unreadable(incoming, secure),
          clock.nowMillis(),
          incoming.inform,
          journal.inquire?.(),
        )
        const fiber = runFork(run(exchange, incoming, understood ? serve : refused(request)))
        incoming.gone(() => fiber.interruptUnsafe())
      },
      malformed: (status, message) => journal.malformed(bound, status, message),
    }
    return bound.secured.socket.http(version, bind.frontend.http, events)
  }

  return { connection }
}

/** Stands for a request that was refused before it could be read. */
const unreadable = (incoming: Incoming, secure: boolean): Request =>
  new Request(
    incoming.method,
    secure ? "https" : "http",
    "",
    "",
    incoming.target,
    undefined,
    incoming.version,
    new Headers([]),
    incoming.body,
    undefined,
  )
