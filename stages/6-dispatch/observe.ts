/** Learns from every attempt how its endpoint is doing. */
import * as Effect from "effect/Effect"
import type { Eviction } from "../../ir/policy/Health.ts"
import { retryHintMillis } from "../../protocols/http/retryAfter.ts"
import type { Body, Flow } from "../Body.ts"
import type { Reply } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Refusal } from "../Refusal.ts"
import { WatchedFlow } from "../WatchedFlow.ts"
import type { Member } from "./balance.ts"
import { judge, judgeGrpc, type Judgement } from "./health.ts"
import type { Try } from "./Target.ts"

const isFlow = (body: Body): body is Flow => body._tag === "Flow"

/** What is observed follows the policy of whoever makes the attempt; what is learnt belongs to the endpoint. */
export const observed = (
  clock: Clock,
  eviction: Eviction | undefined,
  backoffMillis: number | undefined,
  judgeReply: (attempt: Try, reply: Reply) => Judgement = (_, reply) => judge(reply.status, reply.headers),
) => {
  const failed = (member: Member, hintMillis: number | undefined): void =>
    member.vitals.failed(eviction, {
      nowMillis: clock.nowMillis(),
      drawn: clock.random(),
      hintMillis,
      backoffMillis,
    })

  const replied = (member: Member, reply: Reply, judgement: Judgement): void => {
    const { vitals } = member
    const settle = (isHealthy: boolean): void => {
      if (isHealthy) vitals.succeeded()
      else failed(member, reply.status === 429 ? retryHintMillis(reply.headers, clock.wallMillis()) : undefined)
    }
    if (judgement !== "later") settle(judgement === "healthy")
    if (!isFlow(reply.body)) {
      vitals.pending--
      if (judgement === "later") settle(true)
      return
    }
    reply.body = new WatchedFlow(reply.body, (trailers, isBroken) => {
      vitals.pending--
      if (judgement === "later") settle(!isBroken && judgeGrpc(trailers?.get("grpc-status")) === "healthy")
    })
  }

  return (attempt: Try, member: Member, sent: Effect.Effect<Reply, Refusal>): Effect.Effect<Reply, Refusal> => {
    const { vitals } = member
    const startedMillis = clock.nowMillis()
    vitals.pending++
    return Effect.onExit(sent, (exit) => {
      if (exit._tag === "Success") {
        vitals.measured(clock.nowMillis() - startedMillis)
        const reply = exit.value
        replied(member, reply, reply.tunnel === undefined ? judgeReply(attempt, reply) : "healthy")
        return Effect.void
      }
      vitals.pending--
      const { failure } = attempt
      // What the client broke off, or never let begin, is not the endpoint's fault.
      if (failure === undefined || failure._tag === "RequestAborted") return Effect.void
      failed(member, undefined)
      return Effect.void
    })
  }
}
