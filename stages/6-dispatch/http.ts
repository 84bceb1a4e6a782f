/** One request to one endpoint, within its deadlines. */
import * as Effect from "effect/Effect"
import { Headers } from "../../protocols/http/headers.ts"
import { empty } from "../Body.ts"
import type { Reply, Request } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Endpoint, SendOptions, UpstreamFailure } from "../ports/Upstream.ts"
import type { Refusal } from "../Refusal.ts"
import type { Span } from "../Trace.ts"
import { abandon, begin, traced } from "./spanOf.ts"
import type { Try } from "./Target.ts"
import { sendingOf, untilSilent } from "./untilSilent.ts"

const requestTimeout: Refusal = { _tag: "RequestTimeout" }
const upstreamTimeout: Refusal = { _tag: "UpstreamTimeout" }

/** What the client is told about a failed call. */
export const toRefusal = (failure: UpstreamFailure, deadlinePassed: boolean): Refusal => {
  switch (failure._tag) {
    case "ReplyTimeout":
      return deadlinePassed ? requestTimeout : upstreamTimeout
    case "RequestUnread":
      return upstreamTimeout
    case "ResolutionFailed":
      return { _tag: "ResolutionFailed", detail: failure.message }
    case "RequestAborted":
      if (failure.reason === "stalled") return { _tag: "RequestBodyTimeout" }
      if (failure.reason === "tooLarge") return { _tag: "RequestBodyTooLarge" }
      return { _tag: "InvalidRequest", detail: failure.message }
    case "UpgradeRefused":
      return { _tag: "UpgradeFailed", detail: failure.message }
    case "ConnectFailed":
    case "ConnectTimeout":
    case "TlsFailed":
    case "TunnelRefused":
      return { _tag: "UpstreamFailed", detail: failure.message, unsent: true }
    case "Reset":
      return { _tag: "UpstreamFailed", detail: failure.message, ...(failure.sent ? {} : { unsent: true }) }
    default:
      return { _tag: "UpstreamFailed", detail: failure.message }
  }
}

/** How long an upstream is waited for; absent means as long as it likes. */
export interface Patience {
  /** For the head of its reply. */
  readonly headMillis: number | undefined
  /** While it takes nothing of a request, and while it sends nothing of a reply that has begun. */
  readonly idleMillis: number | undefined
}

export const send = (
  attempt: Try,
  request: Request,
  endpoint: Endpoint,
  version: SendOptions["version"],
  patience: Patience,
  clock: Clock,
): Effect.Effect<Reply, Refusal> => {
  const { seal } = attempt
  const { trace } = attempt.exchange
  const span = trace === undefined ? undefined : begin(trace, attempt, request, endpoint, clock)
  if (seal !== undefined) {
    const sealing = Effect.onError(seal(request, endpoint), () =>
      Effect.sync(() => abandon(span, clock, "the request could not be signed")),
    )
    return Effect.flatMap(sealing, (sealed) => dispatched(attempt, sealed, endpoint, version, patience, clock, span))
  }
  return dispatched(attempt, request, endpoint, version, patience, clock, span)
}

const dispatched = (
  attempt: Try,
  request: Request,
  endpoint: Endpoint,
  version: SendOptions["version"],
  { headMillis, idleMillis }: Patience,
  clock: Clock,
  span: Span | undefined,
): Effect.Effect<Reply, Refusal> => {
  const { exchange } = attempt
  const { trail } = exchange
  const now = clock.nowMillis()
  const leftMillis = exchange.deadlineMillis - now
  if (leftMillis <= 0) {
    abandon(span, clock, "the time of the request is up")
    return Effect.fail(requestTimeout)
  }
  const deadlineFirst = leftMillis < Infinity && leftMillis <= (headMillis ?? Infinity)
  const timeoutMillis = deadlineFirst ? leftMillis : headMillis
  trail.endpoint = endpoint
  if (request !== exchange.request) exchange.sent = request
  trail.attempts++
  if (trail.upstreamStartMillis === 0) trail.upstreamStartMillis = now
  exchange.inquiry?.note({
    stage: "attempt",
    decision: `${request.method} to ${endpoint.label}`,
    detail: { number: attempt.number, authority: request.authority, path: request.path },
  })
  const call = { version, replyTimeoutMillis: timeoutMillis, idleMillis, inform: exchange.inform }
  const sent =
    span === undefined
      ? called(endpoint, request, call, clock)
      : traced(span, attempt, clock, () => called(endpoint, request, call, clock))
  return judged(sent, attempt, clock, deadlineFirst)
}

const called = (
  endpoint: Endpoint,
  request: Request,
  options: SendOptions,
  clock: Clock,
): Effect.Effect<Reply, UpstreamFailure> => {
  if (request.method === "CONNECT") return tunnel(endpoint, options.replyTimeoutMillis, clock)
  const { idleMillis } = options
  if (idleMillis === undefined) return endpoint.send(request, options)
  const sending = sendingOf(request)
  return Effect.map(endpoint.send(request, options), (reply) => untilSilent(reply, idleMillis, clock, sending))
}

/** What comes of a call; its functions keep hold of these few things only. */
const judged = (
  sent: Effect.Effect<Reply, UpstreamFailure>,
  attempt: Try,
  clock: Clock,
  deadlineFirst: boolean,
): Effect.Effect<Reply, Refusal> =>
  Effect.matchEffect(sent, {
    onFailure: (failure) => {
      attempt.failure = failure
      attempt.exchange.inquiry?.note({ stage: "attempt", decision: `failed: ${failure._tag}`, detail: failure.message })
      return Effect.fail(toRefusal(failure, deadlineFirst))
    },
    onSuccess: (reply) => {
      const { inquiry, trail } = attempt.exchange
      trail.upstreamHeadMillis = clock.nowMillis()
      inquiry?.note({ stage: "attempt", decision: `answered ${reply.status}` })
      return Effect.succeed(reply)
    },
  })

/** A raw connection in answer to CONNECT. */
const tunnel = (
  endpoint: Endpoint,
  timeoutMillis: number | undefined,
  clock: Clock,
): Effect.Effect<Reply, UpstreamFailure> => {
  const dialled = Effect.map(endpoint.dial, (socket): Reply => ({
    status: 200,
    headers: new Headers(),
    body: empty,
    origin: "upstream",
    tunnel: socket,
  }))
  return timeoutMillis === undefined ? dialled : Effect.raceFirst(dialled, expiry(timeoutMillis, clock))
}

const expiry = (millis: number, clock: Clock): Effect.Effect<never, UpstreamFailure> =>
  Effect.callback((resume) => {
    const cancel = clock.after(millis, () =>
      resume(Effect.fail({ _tag: "ReplyTimeout", message: `no connection within ${millis} ms` })),
    )
    return Effect.sync(cancel)
  })
