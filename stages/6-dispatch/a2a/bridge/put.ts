/** How an agent is asked, and what it answers in one piece. */
import * as Effect from "effect/Effect"
import { failed } from "../../../../protocols/a2a/Answer.ts"
import { fault } from "../../../../protocols/a2a/Fault.ts"
import type { Call, Operation } from "../../../../protocols/a2a/operation.ts"
import * as Body from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"
import { brokenOff, type Refusal } from "../../../Refusal.ts"
import type { Try } from "../../Target.ts"
import type { Line } from "../Agent.ts"
import { grpcEar, jsonRpcEar, MESSAGE_BYTES_MAX, restEar } from "../ears.ts"
import { grpcCodec } from "../question.ts"
import type { Ear, Put } from "../Speech.ts"
import type { Heard } from "./Turn.ts"
import { requestFor } from "./wording.ts"

export const earOf = (line: Line): Effect.Effect<Ear> => {
  const { binding, version } = line.dialed
  switch (binding) {
    case "JSONRPC":
      return Effect.succeed(jsonRpcEar(version, line.place))
    case "HTTP+JSON":
      return Effect.succeed(restEar(version, line.place))
    case "GRPC":
      return Effect.map(grpcCodec, (codec) => grpcEar(codec, version, line.place))
  }
}

/** Puts a question, and once more in another way where the first was not understood. */
export const put = (attempt: Try, line: Line, ear: Ear, call: Call, first: Put): Effect.Effect<Reply, Refusal> => {
  const from = attempt.request
  const send = (one: Put): Effect.Effect<Reply, Refusal> =>
    Effect.suspend(() => {
      attempt.request = requestFor(from, ear, one)
      return line.reach(attempt)
    })
  return Effect.flatMap(send(first), (reply) => {
    const second = ear.again(call, reply.status, reply.headers)
    if (second === undefined) return Effect.succeed(reply)
    Body.discard(reply.body)
    return send(second)
  })
}

export const hear = (ear: Ear, operation: Operation, reply: Reply): Effect.Effect<Heard, Refusal> => {
  const { body, headers, status } = reply
  reply.body = Body.empty
  return Effect.matchEffect(Body.collect(body, MESSAGE_BYTES_MAX), {
    onFailure: (failure): Effect.Effect<Heard, Refusal> => Effect.fail(brokenOff(failure)),
    onSuccess: (collected) => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return Effect.succeed({ answer: tooLarge, headers })
      }
      const { bytes, trailers } = collected
      return Effect.succeed({ answer: ear.whole(operation, status, headers, bytes, trailers), headers })
    },
  })
}

const tooLarge = failed(fault("InvalidAgentResponse", `the agent's answer is larger than ${MESSAGE_BYTES_MAX} bytes`))
