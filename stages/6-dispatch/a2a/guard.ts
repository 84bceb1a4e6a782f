/** Guards around what is said to an agent and by it: the same that stand around models, in every binding and version. */
import * as Effect from "effect/Effect"
import type { PromptGuard } from "../../../ir/policy/PromptGuard.ts"
import { type Answer, result } from "../../../protocols/a2a/Answer.ts"
import * as jsonRpc from "../../../protocols/a2a/binding/jsonRpc.ts"
import { type Fault, fault } from "../../../protocols/a2a/Fault.ts"
import { fieldsOf } from "../../../protocols/a2a/Fields.ts"
import type { Call, Operation } from "../../../protocols/a2a/operation.ts"
import { closed, eventReader, opened, type Said, saidIn, withSaid } from "../../../protocols/a2a/texts.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import { HeldStream } from "../../../protocols/llm/guard/HeldStream.ts"
import { MaskedText } from "../../../protocols/llm/guard/MaskedText.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { declined, editRejection, guardOf, heldLimits, messageOf, statusOf, tellOpen } from "../llm/guardrails.ts"
import type { Checked, Guard, Side } from "../llm/guard/Guard.ts"
import { guardFlow } from "../llm/guard/guardFlow.ts"
import { ask, type Asked, type Refused, type Words } from "../llm/guard/judge.ts"
import type { Try } from "../Target.ts"
import type { Conversation } from "./Conversation.ts"
import { jsonRpcEar } from "./ears.ts"
import type { Events, Voice } from "./Speech.ts"
import { jsonRpcVoice } from "./voices.ts"

export interface Stopped {
  readonly refused: Refused
  readonly fault: Fault
}

export interface MessageGuard {
  readonly request: (attempt: Try, conversation: Conversation, call: Call) => Effect.Effect<Call | Stopped>
  readonly guardsReplies: boolean
  readonly answer: (
    attempt: Try,
    conversation: Conversation,
    answer: Answer,
    headers: Headers,
  ) => Effect.Effect<Answer | Stopped>
  /** Of a stream in the words of `inside`. */
  readonly stream: (
    attempt: Try,
    conversation: Conversation,
    flow: Body.Flow,
    headers: Headers,
  ) => Effect.Effect<Body.Flow>
}

export const isStopped = (one: object): one is Stopped => "refused" in one

/** What a refusal says beyond the words of the protocol; gRPC has no place for it. */
export const dressed = (reply: Reply, { refused }: Stopped, isGrpc: boolean): Reply => {
  if (isGrpc) return reply
  reply.status = statusOf(refused.guard.rejection, refused)
  editRejection(reply, refused)
  return reply
}

/** A guard that did not run is seen by whoever reads the reply. */
export const tellReply = (reply: Reply, conversation: Conversation): Reply => {
  tellOpen(reply, conversation.guarded)
  return reply
}

/** How a stream speaks between the agent and its guards: with the words of files where they can be seen. */
export const inside: Voice = (() => {
  const plain = jsonRpcVoice("1.0", 0)
  return {
    ...plain,
    event: (operation, answer) =>
      plain.event(operation, answer._tag === "Result" ? result(opened(answer.result)) : answer),
  }
})()

/** Takes what comes from the guards. */
export const insideEvents = (operation: Operation, headers: Headers): Events => {
  const events = jsonRpcEar("1.0", { base: "", tenant: undefined }).events(operation, headers)
  const taking = (take: (answer: Answer) => void) => (answer: Answer) =>
    take(answer._tag === "Result" ? result(closed(answer.result)) : answer)
  return {
    push: (chunk, take) => events.push(chunk, taking(take)),
    end: (trailers, take) => events.end(trailers, taking(take)),
  }
}

const wordsOf = (said: ReadonlyArray<Said>): ReadonlyMap<Said, Words> =>
  new Map(
    said.map((one) => [
      one,
      { masked: new MaskedText(one.text), scope: "messages" as const, role: one.role, group: one.group },
    ]),
  )

/** Undefined: nothing was replaced. */
const masked = (value: unknown, words: ReadonlyMap<Said, Words>): unknown => {
  const changed = [...words].flatMap(([said, { masked }]) => (masked.isMasked ? [[said, masked.text] as const] : []))
  return changed.length === 0 ? undefined : closed(withSaid(value, changed))
}

const faultOf = (refused: Refused): Fault =>
  refused.judgement.kind === "unclear"
    ? fault("Unavailable", `a guard of this agent could not be asked (${refused.guard.name})`)
    : fault("PermissionDenied", messageOf(refused))

export const compile = (policy: PromptGuard, ports: PolicyPorts): MessageGuard => {
  const requests = policy.request.map((one) => guardOf(one, ports))
  const responses = policy.response.map((one) => guardOf(one, ports))

  const askedOf = (attempt: Try, conversation: Conversation, side: Side, replyHeaders?: Headers): Asked => ({
    attempt,
    side,
    replyHeaders,
    tell: (checked: Checked) => conversation.checked(checked),
    clock: ports.clock,
  })

  const stopped = (attempt: Try, side: Side, refused: Refused): Stopped => {
    attempt.exchange.trail.declined = declined(side, refused)
    return { refused, fault: faultOf(refused) }
  }

  /** The value with what was replaced in it; undefined: as it was. */
  const judged = (
    guards: ReadonlyArray<Guard>,
    value: unknown,
    asked: Asked,
  ): Effect.Effect<{ readonly value: unknown } | Stopped | undefined> => {
    if (guards.length === 0) return Effect.succeed(undefined)
    const open = opened(value)
    const words = wordsOf(saidIn(open))
    return Effect.map(ask(guards, [...words.values()], asked), (refused) => {
      if (refused !== undefined) return stopped(asked.attempt, asked.side, refused)
      const changed = masked(open, words)
      return changed === undefined ? undefined : { value: changed }
    })
  }

  return {
    guardsReplies: responses.length > 0,
    request: (attempt, conversation, call) =>
      Effect.map(judged(requests, call.params, askedOf(attempt, conversation, "request")), (verdict) =>
        verdict === undefined
          ? call
          : isStopped(verdict)
            ? verdict
            : { operation: call.operation, params: fieldsOf(verdict.value) },
      ),
    answer: (attempt, conversation, answer, headers) =>
      answer._tag === "Fault"
        ? Effect.succeed(answer)
        : Effect.map(
            judged(responses, answer.result, askedOf(attempt, conversation, "response", headers)),
            (verdict): Answer | Stopped =>
              verdict === undefined ? answer : isStopped(verdict) ? verdict : result(verdict.value),
          ),
    stream: (attempt, conversation, flow, headers) => {
      const ending = (one: Fault) => ({ data: JSON.stringify(jsonRpc.writeFault(one, "1.0", 0)) })
      return guardFlow(flow, "sse", new HeldStream(eventReader(), heldLimits(responses)), {
        guards: responses,
        asked: askedOf(attempt, conversation, "response", headers),
        refusal: (refused) => ending(stopped(attempt, "response", refused).fault),
        broken: ending(fault("Unavailable", "a guard of this agent failed")),
      })
    },
  }
}
