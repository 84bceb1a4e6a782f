/**
 * Refuses bodies that are too long: at once where their length was declared, else as soon as they have become too long.
 * They are counted as they flow by; nothing is held back.
 */
import * as Effect from "effect/Effect"
import type { BodyLimit } from "../../ir/policy/BodyLimit.ts"
import * as Body from "../Body.ts"
import type { Edit, Exchange, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { refuse } from "./buffer.ts"
import { type Layer, slot } from "./order.ts"
import { pass, promise, type Step, type Verdict } from "./Step.ts"

const requestTooLarge: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "RequestBodyTooLarge" })
const replyTooLarge: Refusal = { _tag: "ReplyBodyTooLarge" }

/** Breaks off once more has come than may come; nothing beyond the limit is passed on. */
class CountedFlow implements Body.Flow {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Body.Flow
  private readonly bytesMax: number
  private readonly exceeded: () => void

  constructor(flow: Body.Flow, bytesMax: number, exceeded: () => void) {
    this.length = flow.length
    this.flow = flow
    this.bytesMax = bytesMax
    this.exceeded = exceeded
  }

  open(sink: Body.Sink): Body.Source {
    let left = this.bytesMax
    let isOver = false
    let source: Body.Source | undefined
    const opened = this.flow.open({
      write: (chunk) => {
        if (isOver) return true
        left -= chunk.byteLength
        if (left >= 0) return sink.write(chunk)
        isOver = true
        this.exceeded()
        sink.fail(Body.flowFailure("tooLarge", `the body is longer than ${this.bytesMax} bytes`))
        source?.cancel()
        return true
      },
      end: (trailers) => {
        if (!isOver) sink.end(trailers)
      },
      fail: (failure) => {
        if (!isOver) sink.fail(failure)
      },
    })
    source = opened
    // Its source may have given all of it before it could be told to stop.
    if (isOver) opened.cancel()
    return opened
  }
}

/** The same body, counted; undefined where it is too long already. */
export const counted = (body: Body.Body, bytesMax: number, exceeded: () => void = () => {}): Body.Body | undefined => {
  const length = Body.lengthOf(body)
  if (length !== undefined && length > bytesMax) return undefined
  return body._tag === "Flow" ? new CountedFlow(body, bytesMax, exceeded) : body
}

const limitReply =
  (bytesMax: number, exchange: Exchange, isHead: boolean): Edit =>
  (reply) => {
    if (isHead || reply.status === 101 || reply.tunnel !== undefined) return undefined
    // The gateway's own words are in memory already; the limit is for those of others.
    if (reply.origin === "gateway" && reply.body._tag !== "Flow") return undefined
    const body = counted(reply.body, bytesMax, () => (exchange.trail.refusal ??= replyTooLarge))
    if (body !== undefined) reply.body = body
    else {
      Body.discard(reply.body)
      refuse(exchange, reply, replyTooLarge)
    }
    return undefined
  }

/** The least that any of them says. */
export const strictest = (
  policies: ReadonlyArray<BodyLimit>,
  side: "requestBytesMax" | "responseBytesMax",
): number | undefined => {
  const all = policies.flatMap((policy) => policy[side] ?? [])
  return all.length === 0 ? undefined : Math.min(...all)
}

export const compile = (policies: ReadonlyArray<BodyLimit>, layer: Layer): Step<Subject> | undefined => {
  const requestBytesMax = strictest(policies, "requestBytesMax")
  const replyBytesMax = strictest(policies, "responseBytesMax")
  if (requestBytesMax === undefined && replyBytesMax === undefined) return undefined
  const own = slot("BodyLimit", layer)
  return {
    kind: "BodyLimit",
    run: ({ exchange, request }) => {
      if (replyBytesMax !== undefined) {
        promise(exchange, own, limitReply(replyBytesMax, exchange, request.method === "HEAD"))
      }
      if (requestBytesMax === undefined || request.upgrade !== undefined || request.method === "CONNECT") return pass
      const body = counted(request.body, requestBytesMax)
      if (body === undefined) return requestTooLarge
      request.body = body
      return pass
    },
  }
}
