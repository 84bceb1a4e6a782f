/**
 * HTTP on a connection: every request becomes an exchange with a fiber of its own, which ends with exactly one reply
 * and one line in the journal. A client that goes away interrupts the fiber, and with it everything it owns.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
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

  const broken = (message: string, cause: Cause.Cause<unknown>): void => void runFork(Effect.logError(message, cause))

  const end = (
    exchange: Exchange,
    reply: Reply | undefined,
    delivered: Delivered | undefined,
    interrupted: boolean,
  ): void => {
    exchange.plan.use.leave()
    try {
      if (exchange.atEnd !== undefined) for (const letGo of exchange.atEnd) letGo()
      journal.exchange(exchange, {
        reply,
        delivered,
        outcome:
          interrupted || delivered === undefined
            ? "interrupted"
            : delivered.outcome === "complete"
              ? "answered"
              : delivered.outcome,
        endedMillis: clock.nowMillis(),
      })
    } catch (defect) {
      broken("An exchange could not be written down", Cause.die(defect))
    }
  }

  const send = (exchange: Exchange, incoming: Incoming, reply: Reply): void => {
    const { declined, refusal } = exchange.trail
    if (refusal !== undefined || declined !== undefined || exchange.inquiry !== undefined) {
      // Whoever wonders about this reply can ask for its story by this name.
      exchange.id ??= exchange.trace?.traceId ?? newSpanId(clock.random)
      reply.headers.set(idHeader, exchange.id)
    }
    exchange.trail.replyMillis = clock.nowMillis()
    const { tunnel } = reply
    if (tunnel === undefined) {
      return incoming.respond(reply, (delivered) => end(exchange, reply, delivered, false))
    }
    follow(incoming, incoming.join(reply, tunnel), (exit) => {
      if (exit._tag === "Success") end(exchange, reply, exit.value, false)
      else end(exchange, reply, undefined, true)
    })
  }

  /** Settles the promised edits over the reply and sends it. */
  const deliver = (exchange: Exchange, incoming: Incoming, reply: Reply): void => {
    const waiting = settle(exchange, reply)
    if (waiting === undefined) return send(exchange, incoming, reply)
    follow(incoming, waiting, (exit) => {
      if (exit._tag === "Success") return send(exchange, incoming, reply)
      // Once it is being sent, the reply belongs to the connection.
      discard(reply.body)
      end(exchange, reply, undefined, true)
    })
  }

  const answer = (exchange: Exchange, incoming: Incoming, exit: Exit.Exit<Reply, Refusal>): void => {
    if (exit._tag === "Success") return deliver(exchange, incoming, exit.value)
    const { cause } = exit
    if (Cause.hasInterruptsOnly(cause)) return end(exchange, undefined, undefined, true)
    const refusal = Cause.findErrorOption(cause)
    if (refusal._tag === "None") broken("An exchange broke off inside the gateway", cause)
    deliver(exchange, incoming, replyTo(exchange, refusal._tag === "Some" ? refusal.value : defect))
  }

  /** In a fiber that ends when the client leaves. What comes of it is told outside of the fiber, which has cost enough. */
  const follow = <A, E>(
    incoming: Incoming,
    effect: Effect.Effect<A, E>,
    told: (exit: Exit.Exit<A, E>) => void,
  ): void => {
    const fiber = runFork(effect)
    incoming.gone(() => fiber.interruptUnsafe())
    fiber.addObserver((exit) => {
      try {
        told(exit)
      } catch (defect) {
        broken("An exchange broke off inside the gateway", Cause.die(defect))
      }
    })
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
        const service = understood ? serve : refused(request)
        follow(
          incoming,
          Effect.suspend(() => service(exchange)),
          (exit) => answer(exchange, incoming, exit),
        )
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
