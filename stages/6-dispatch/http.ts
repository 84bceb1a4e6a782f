/** One request to one endpoint, within its deadlines. */
import * as Effect from "effect/Effect"
import type { Attempt, Reply } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Endpoint, SendOptions, UpstreamFailure } from "../ports/Upstream.ts"
import type { Refusal } from "../Refusal.ts"

const requestTimeout: Refusal = { _tag: "RequestTimeout" }
const upstreamTimeout: Refusal = { _tag: "UpstreamTimeout" }

/** What the client is told about a failed call. */
export const toRefusal = (failure: UpstreamFailure, deadlinePassed: boolean): Refusal => {
  switch (failure._tag) {
    case "ReplyTimeout":
      return deadlinePassed ? requestTimeout : upstreamTimeout
    case "ResolutionFailed":
      return { _tag: "ResolutionFailed", detail: failure.message }
    case "RequestAborted":
      return { _tag: "InvalidRequest", detail: failure.message }
    case "UpgradeRefused":
      return { _tag: "UpgradeFailed", detail: failure.message }
    default:
      return { _tag: "UpstreamFailed", detail: failure.message }
  }
}

/** Sends the attempt's request; `replyTimeoutMillis` bounds the wait for the head of the reply. */
export const send = (
  attempt: Attempt,
  endpoint: Endpoint,
  version: SendOptions["version"],
  replyTimeoutMillis: number | undefined,
  clock: Clock,
): Effect.Effect<Reply, Refusal> => {
  const { exchange } = attempt
  const { trail } = exchange
  const now = clock.nowMillis()
  const leftMillis = exchange.deadlineMillis - now
  if (leftMillis <= 0) return Effect.fail(requestTimeout)
  const deadlineFirst = leftMillis <= (replyTimeoutMillis ?? Infinity)
  const timeout = deadlineFirst ? leftMillis : replyTimeoutMillis
  trail.endpoint = endpoint
  trail.attempts++
  if (trail.upstreamStartMillis === 0) trail.upstreamStartMillis = now
  return Effect.matchEffect(
    endpoint.send(attempt.request, {
      version,
      replyTimeoutMillis: timeout === Infinity ? undefined : timeout,
      inform: exchange.inform,
    }),
    {
      onFailure: (failure) => Effect.fail(toRefusal(failure, deadlineFirst)),
      onSuccess: (reply) => {
        trail.upstreamHeadMillis = clock.nowMillis()
        return Effect.succeed(reply)
      },
    },
  )
}
