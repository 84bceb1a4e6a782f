/** Makes a failed attempt again, where that is asked for and safe. */
import * as Effect from "effect/Effect"
import type { Expression } from "../5-policy/expression/Expressions.ts"
import { captureReply } from "../5-policy/expression/capture.ts"
import { readsReplyBody } from "../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../5-policy/expression/expressionsOf.ts"
import { Facts, type Surroundings } from "../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import { defaults } from "../../ir/defaults.ts"
import type { Retry } from "../../ir/policy/Retry.ts"
import { isIdempotent } from "../../protocols/http/methods.ts"
import { type Body, discard } from "../Body.ts"
import type { Reply, Routed } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { UpstreamFailure } from "../ports/Upstream.ts"
import type { Refusal } from "../Refusal.ts"
import { Replay } from "./Replay.ts"
import { type Target, Try } from "./Target.ts"

export const attemptHeader = "x-retry-attempt"

/** Whether a failed call may be made again: the upstream has not seen it, or seeing it twice does no harm. */
export const mayRepeat = (failure: UpstreamFailure, method: string): boolean => {
  switch (failure._tag) {
    case "ResolutionFailed":
    case "ConnectFailed":
    case "ConnectTimeout":
    case "TlsFailed":
    case "TunnelRefused":
      return true
    case "Reset":
      return !failure.sent || isIdempotent(method)
    case "ReplyTimeout":
    case "RequestUnread":
    case "MalformedReply":
      return isIdempotent(method)
    case "UpgradeRefused":
    case "RequestAborted":
      return false
  }
}

/** Undefined: the body cannot be sent a second time. */
const replayable = (body: Body): Body | undefined => {
  if (body._tag !== "Flow") return body
  return body.length !== undefined && body.length > defaults.retryReplayBytesMax
    ? undefined
    : new Replay(body, defaults.retryReplayBytesMax)
}

export type Attempts = (target: Target, exchange: Routed) => Effect.Effect<Reply, Refusal>

export const once: Attempts = (target, exchange) => target.attempt(new Try(exchange, exchange.request))

/** The first attempt and those that follow it. */
class Series {
  private readonly target: Target
  private readonly attempt: Try
  private readonly policy: Policy
  private readonly clock: Clock
  private readonly replay: Replay | undefined

  constructor(target: Target, exchange: Routed, policy: Policy, clock: Clock) {
    this.target = target
    this.attempt = new Try(exchange, exchange.request)
    this.policy = policy
    this.clock = clock
    const { body } = exchange.request
    this.replay = body instanceof Replay ? body : undefined
  }

  run(): Effect.Effect<Reply, Refusal> {
    return Effect.matchEffect(this.target.attempt(this.attempt), this.outcome)
  }

  private readonly outcome = {
    onFailure: (refusal: Refusal): Effect.Effect<Reply, Refusal> => {
      const { attempt } = this
      const { failure } = attempt
      if (failure !== undefined && mayRepeat(failure, attempt.exchange.request.method) && this.hasAnother()) {
        return this.again()
      }
      this.replay?.commit()
      return Effect.fail(refusal)
    },
    onSuccess: (reply: Reply): Effect.Effect<Reply, Refusal> => {
      const { condition } = this.policy
      if (reply.tunnel !== undefined || !this.hasAnother()) return this.done(reply)
      if (this.policy.codes.has(reply.status)) return this.instead(reply)
      if (condition === undefined) return this.done(reply)
      const waiting = condition.readsBody
        ? captureReply(reply, condition.bytesMax, this.attempt.request.method === "HEAD")
        : undefined
      return waiting === undefined
        ? this.judged(reply, condition)
        : Effect.flatMap(waiting, () => this.judged(reply, condition))
    },
  }

  private judged(reply: Reply, condition: Condition): Effect.Effect<Reply, Refusal> {
    const failed = condition.expression.holds(Facts.of(condition.around, this.attempt, reply)) === true
    return failed && this.hasAnother() ? this.instead(reply) : this.done(reply)
  }

  private done(reply: Reply): Effect.Effect<Reply, Refusal> {
    this.replay?.commit()
    return Effect.succeed(reply)
  }

  /** Another reply takes the place of this one. */
  private instead(reply: Reply): Effect.Effect<Reply, Refusal> {
    discard(reply.body)
    return this.again()
  }

  /** A try that could not begin before the deadline is not waited for: what is known by now is the answer. */
  private hasAnother(): boolean {
    const { attempt, clock, policy } = this
    return (
      attempt.number < policy.retries &&
      (this.replay === undefined || this.replay.isWhole) &&
      clock.nowMillis() + policy.backoffMillis < attempt.exchange.deadlineMillis
    )
  }

  private again(): Effect.Effect<Reply, Refusal> {
    const { attempt, clock } = this
    const { backoffMillis } = this.policy
    attempt.number++
    attempt.failure = undefined
    if (attempt.member !== undefined) (attempt.tried ??= []).push(attempt.member)
    attempt.member = undefined
    attempt.request = attempt.exchange.request.copy()
    attempt.request.headers.set(attemptHeader, String(attempt.number))
    if (backoffMillis <= 0) return this.run()
    return Effect.callback<Reply, Refusal>((resume) => {
      const cancel = clock.after(backoffMillis, () => resume(this.run()))
      return Effect.sync(cancel)
    })
  }
}

interface Condition {
  readonly expression: Expression
  readonly around: Surroundings
  readonly readsBody: boolean
  readonly bytesMax: number
}

interface Policy {
  readonly retries: number
  readonly backoffMillis: number
  readonly codes: ReadonlySet<number>
  /** What else makes a reply a failure. */
  readonly condition: Condition | undefined
}

const conditionOf = (source: Retry["condition"], ports: PolicyPorts): Condition | undefined => {
  if (source === undefined) return undefined
  const expressions = expressionsOf(ports)
  const expression = expressions.compile(source, "attempt", "retry")
  return {
    expression,
    around: expressions.around,
    readsBody: readsReplyBody(expression),
    bytesMax: ports.maxBufferBytes,
  }
}

export const attempts = (retry: Retry | undefined, ports: PolicyPorts): Attempts => {
  if (retry === undefined || retry.attempts <= 0) return once
  const policy: Policy = {
    retries: retry.attempts,
    backoffMillis: retry.backoffMillis ?? 0,
    codes: new Set(retry.codes),
    condition: conditionOf(retry.condition, ports),
  }
  return (target, exchange) => {
    const { request } = exchange
    if (!exchange.mayRetry) return once(target, exchange)
    const body = replayable(request.body)
    if (body === undefined) return once(target, exchange)
    request.body = body
    return new Series(target, exchange, policy, ports.clock).run()
  }
}
