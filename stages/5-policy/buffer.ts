/**
 * Holds a body back until it is complete, or until it outgrows its limit. Tunnels have no body to hold, and neither has
 * the reply to HEAD.
 */
import * as Effect from "effect/Effect"
import type { BodyBuffer, Buffer } from "../../ir/policy/Buffer.ts"
import { isGrpc } from "../../protocols/http/grpc.ts"
import * as Body from "../Body.ts"
import type { Edit, Exchange, Reply, Request, Subject } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import { brokenOff, type Refusal, toReply } from "../Refusal.ts"
import { type Layer, slot } from "./order.ts"
import { pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

export interface Limit {
  readonly bytesMax: number
  /** Whether what does not fit streams on instead of being refused. */
  readonly isOpen: boolean
}

export const compileLimit = ({ failureMode, maxBytes }: BodyBuffer, maxBufferBytes: number): Limit => ({
  bytesMax: maxBytes ?? maxBufferBytes,
  isOpen: failureMode === "failOpen",
})

/** What is done with a body of which nothing was read yet. */
export const decide = ({ bytesMax, isOpen }: Limit, body: Body.Body): "pass" | "read" | "refuse" => {
  const length = Body.lengthOf(body)
  if (length !== undefined && length > bytesMax) return isOpen ? "pass" : "refuse"
  return body._tag === "Flow" ? "read" : "pass"
}

/** A complete body again, with what followed it. */
export const whole = ({ bytes, trailers }: Extract<Body.Collected, { readonly _tag: "Whole" }>): Body.Body => {
  if (trailers === undefined) return Body.bytes(bytes)
  const held = new Body.HeldFlow(undefined)
  if (bytes.byteLength > 0) held.write(bytes)
  held.end(trailers)
  return held
}

const tooLate: Refusal = { _tag: "RequestTimeout" }
const requestTooLarge: Refusal = { _tag: "RequestBodyTooLarge" }
const replyTooLarge: Refusal = { _tag: "ReplyBodyTooLarge" }

const refuseTooLarge: Effect.Effect<Verdict, Refusal> = Effect.fail(requestTooLarge)

/** What a client is told whose body broke off. */
export const requestRefusal = (failure: Body.FlowFailure): Refusal => {
  switch (failure.reason) {
    case "stalled":
      return { _tag: "RequestBodyTimeout" }
    case "tooLarge":
      return requestTooLarge
    default:
      return { _tag: "InvalidRequest", detail: failure.message }
  }
}

/** Breaks off when the time of the request is up, unless it was disarmed before. */
class TimedFlow implements Body.Flow {
  readonly _tag = "Flow"
  readonly length: number | undefined
  isLate = false
  private readonly flow: Body.Flow
  private readonly clock: Clock
  private readonly leftMillis: number
  private cancelTimer: (() => void) | undefined

  constructor(flow: Body.Flow, clock: Clock, leftMillis: number) {
    this.length = flow.length
    this.flow = flow
    this.clock = clock
    this.leftMillis = leftMillis
  }

  readonly disarm = (): void => {
    this.cancelTimer?.()
    this.cancelTimer = undefined
  }

  open(sink: Body.Sink): Body.Source {
    const source = this.flow.open({
      write: (chunk) => this.isLate || sink.write(chunk),
      end: (trailers) => {
        if (!this.isLate) sink.end(trailers)
      },
      fail: (failure) => {
        if (!this.isLate) sink.fail(failure)
      },
    })
    this.cancelTimer = this.clock.after(this.leftMillis, () => {
      this.isLate = true
      sink.fail(Body.flowFailure("stalled", "the time of the request is up"))
      source.cancel()
    })
    return source
  }
}

/** Reads the body of a request into memory, as far as the limit and no longer than its deadline. */
export const collectRequest = (
  request: Request,
  bytesMax: number,
  clock: Clock,
  deadlineMillis: number,
): Effect.Effect<Body.Collected, Refusal> => {
  const flow = request.body
  const leftMillis = deadlineMillis - clock.nowMillis()
  if (leftMillis <= 0) return Effect.fail(tooLate)
  const timed = leftMillis < Infinity && flow._tag === "Flow" ? new TimedFlow(flow, clock, leftMillis) : undefined
  const collected = Effect.mapError(Body.collect(timed ?? flow, bytesMax), (failure): Refusal =>
    timed?.isLate === true ? tooLate : requestRefusal(failure),
  )
  return timed === undefined ? collected : Effect.ensuring(collected, Effect.sync(timed.disarm))
}

const holdRequest = (limit: Limit, clock: Clock, request: Request, deadlineMillis: number) =>
  Effect.flatMap(
    collectRequest(request, limit.bytesMax, clock, deadlineMillis),
    (collected): Effect.Effect<Verdict, Refusal> => {
      if (collected._tag === "Whole") request.body = whole(collected)
      else if (limit.isOpen) request.body = collected.body
      else {
        Body.discard(collected.body)
        return refuseTooLarge
      }
      return pass
    },
  )

/** Puts a refusal in the place of a reply that cannot be given. */
export const refuse = (exchange: Exchange, reply: Reply, refusal: Refusal): void => {
  const instead = toReply(refusal, isGrpc(exchange.request.headers.get("content-type")))
  exchange.trail.refusal = refusal
  reply.status = instead.status
  reply.headers.flat.length = 0
  reply.headers.flat.push(...instead.headers.flat)
  reply.body = instead.body
}

const holdReply = (limit: Limit, exchange: Exchange, isHead: boolean): Edit => {
  return (reply) => {
    if (isHead || reply.status === 101 || reply.tunnel !== undefined) return undefined
    // The gateway's own words are in memory already; the limit is for those of others.
    if (reply.origin === "gateway" && reply.body._tag !== "Flow") return undefined
    switch (decide(limit, reply.body)) {
      case "pass":
        return undefined
      case "refuse":
        Body.discard(reply.body)
        refuse(exchange, reply, replyTooLarge)
        return undefined
      case "read": {
        const { body } = reply
        // Whoever reads a body takes it along, so that an interrupted exchange does not let go of it a second time.
        reply.body = Body.empty
        return Effect.match(Body.collect(body, limit.bytesMax), {
          onFailure: (failure) => refuse(exchange, reply, brokenOff(failure)),
          onSuccess: (collected) => {
            if (collected._tag === "Whole") reply.body = whole(collected)
            else if (limit.isOpen) reply.body = collected.body
            else {
              Body.discard(collected.body)
              refuse(exchange, reply, replyTooLarge)
            }
          },
        })
      }
    }
  }
}

const isTunnel = (request: Request): boolean => request.upgrade !== undefined || request.method === "CONNECT"

export const compile = (policy: Buffer, ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  const request = policy.request === undefined ? undefined : compileLimit(policy.request, ports.maxBufferBytes)
  const response = policy.response === undefined ? undefined : compileLimit(policy.response, ports.maxBufferBytes)
  if (request === undefined && response === undefined) return undefined
  const own = slot("Buffer", layer)
  return {
    kind: "Buffer",
    run: (x) => {
      if (response !== undefined) promise(x.exchange, own, holdReply(response, x.exchange, x.request.method === "HEAD"))
      if (request === undefined || isTunnel(x.request)) return pass
      switch (decide(request, x.request.body)) {
        case "pass":
          return pass
        case "refuse":
          return refuseTooLarge
        case "read":
          return holdRequest(request, ports.clock, x.request, x.exchange.deadlineMillis)
      }
    },
  }
}
