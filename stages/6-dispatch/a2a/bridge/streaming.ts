/** Answers that come as a stream. */
import * as Effect from "effect/Effect"
import { type Answer, failed } from "../../../../protocols/a2a/Answer.ts"
import { type Fault, fault } from "../../../../protocols/a2a/Fault.ts"
import type { Call } from "../../../../protocols/a2a/operation.ts"
import type { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"
import { brokenOff, type Refusal } from "../../../Refusal.ts"
import { Try } from "../../Target.ts"
import { inside, insideEvents, type MessageGuard } from "../guard.ts"
import type { Ear } from "../Speech.ts"
import { type Begun, interpret, type Resumption, type Run, type Streaming } from "../stream.ts"
import type { BridgePorts } from "./BridgePorts.ts"
import { hear, put } from "./put.ts"
import { replyOf, told } from "./tell.ts"
import type { Turn } from "./Turn.ts"
import { headersFor } from "./wording.ts"

/** What the agent has begun to say, event by event in the words of the client. */
export const streamed = (
  { clock, guard, run }: BridgePorts,
  turn: Turn,
  ear: Ear,
  reply: Reply,
  settled: (answer: Answer) => Effect.Effect<Answer>,
): Effect.Effect<Reply, Refusal> => {
  const { attempt, call, conversation, voice } = turn
  const { body, headers } = reply
  reply.body = Body.empty
  const given: Streaming = {
    operation: call.operation,
    events: ear.events(call.operation, headers),
    voice,
    clock,
    told: told(conversation),
    broke: (failure) => void (attempt.exchange.trail.brokenOff = failure),
    resumption: run === undefined ? undefined : resumptionOf(turn, ear, run),
  }
  const interpreted =
    guard?.guardsReplies === true
      ? guarded(guard, turn, Body.flowing(body), given, headers)
      : interpret(Body.flowing(body), given)
  return Effect.flatMap(interpreted, (begun): Effect.Effect<Reply, Refusal> => {
    switch (begun._tag) {
      // A refusal and no reply: what the agent may have begun must not be asked for again.
      case "Broken":
        return Effect.fail(brokenOff(begun.failure, "the agent broke off: "))
      case "Refused":
        return Effect.map(settled(failed(begun.fault)), (answer) =>
          replyOf(voice, voice.whole(call.operation, answer), headers),
        )
      case "Stream":
        return Effect.succeed({
          status: 200,
          headers: headersFor(voice, voice.streamHeaders, headers),
          body: begun.body,
          origin: "upstream",
        })
    }
  })
}

/** Read, judged in the words of 1.0, and only then told to the client. */
const guarded = (
  guard: MessageGuard,
  { attempt, conversation }: Turn,
  flow: Body.Flow,
  given: Streaming,
  headers: Headers,
): Effect.Effect<Begun> =>
  Effect.flatMap(interpret(flow, { ...given, voice: inside, told: () => {} }), (begun) =>
    begun._tag !== "Stream"
      ? Effect.succeed(begun)
      : Effect.flatMap(guard.stream(attempt, conversation, Body.flowing(begun.body), headers), (judged) =>
          interpret(judged, { ...given, events: insideEvents(given.operation, headers), resumption: undefined }),
        ),
  )

/** A stream that broke is taken up again at the endpoint that has the task. */
const resumptionOf = ({ attempt, line }: Turn, ear: Ear, run: Run): Resumption => {
  const again = (call: Call): Effect.Effect<Reply, Refusal | Fault> => {
    const worded = ear.put(call)
    if ("fault" in worded) return Effect.fail(worded.fault)
    const own = new Try(attempt.exchange, attempt.request)
    own.preferred = attempt.member?.id
    return put(own, line, ear, call, worded.put)
  }
  const unavailable = { answer: failed(fault("Unavailable")) }
  return {
    run,
    subscribe: (id) => {
      const call: Call = { operation: "SubscribeToTask", params: { id } }
      return Effect.catch(
        Effect.flatMap(
          again(call),
          (reply): ReturnType<Resumption["subscribe"]> | Effect.Effect<Unsubscribed, Refusal> => {
            const { body, headers } = reply
            if (!ear.isStream(headers)) {
              return Effect.map(hear(ear, "SubscribeToTask", reply), ({ answer }) => ({ answer }))
            }
            reply.body = Body.empty
            return Effect.succeed({ flow: Body.flowing(body), events: ear.events("SubscribeToTask", headers) })
          },
        ),
        () => Effect.succeed(unavailable),
      )
    },
    get: (id) => {
      const call: Call = { operation: "GetTask", params: { id } }
      return Effect.catch(
        Effect.flatMap(again(call), (reply) => Effect.map(hear(ear, "GetTask", reply), ({ answer }) => answer)),
        () => Effect.succeed(unavailable.answer),
      )
    },
  }
}

interface Unsubscribed {
  readonly answer: Answer
}
