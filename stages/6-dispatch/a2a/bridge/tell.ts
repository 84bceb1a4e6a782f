/** How a client is told what came of its question. */
import { type Answer, failed } from "../../../../protocols/a2a/Answer.ts"
import { type Fault, faults } from "../../../../protocols/a2a/Fault.ts"
import { type Operation, operations } from "../../../../protocols/a2a/operation.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { whole } from "../../../5-policy/buffer.ts"
import type { Reply } from "../../../Exchange.ts"
import type { Conversation } from "../Conversation.ts"
import { dressed, type Stopped } from "../guard.ts"
import type { Piece, Voice } from "../Speech.ts"
import type { Heard, Turn } from "./Turn.ts"
import { headersFor } from "./wording.ts"

export const answered = ({ call: { operation }, conversation, voice }: Turn, { answer, headers }: Heard): Reply => {
  told(conversation)(answer)
  if (answer._tag === "Result" && operations[operation].streams) {
    const event = voice.event(operation, answer)
    const piece: Piece = { status: 200, headers: voice.streamHeaders, bytes: event ?? new Uint8Array(0) }
    const trailers = voice.trailers(undefined)
    return replyOf(voice, trailers === undefined ? piece : { ...piece, trailers }, headers)
  }
  return replyOf(voice, voice.whole(operation, answer), headers)
}

export const refused = (
  conversation: Conversation,
  voice: Voice,
  operation: Operation | undefined,
  one: Fault,
): Reply => {
  told(conversation)(failed(one))
  return replyOf(voice, voice.whole(operation ?? "SendMessage", failed(one)), undefined)
}

export const stop = ({ call, conversation, voice }: Turn, stopped: Stopped): Reply =>
  dressed(refused(conversation, voice, call.operation, stopped.fault), stopped, voice.dialed.binding === "GRPC")

/** What records and expressions see of an answer. */
export const told =
  (conversation: Conversation) =>
  (answer: Answer): void => {
    conversation.known =
      answer._tag === "Result"
        ? { result: answer.result }
        : { errorCode: answer.fault.code ?? faults[answer.fault.name].code }
    conversation.heard()
  }

export const replyOf = (
  voice: Voice,
  { bytes, headers, status, trailers }: Piece,
  from: Headers | undefined,
): Reply => ({
  status,
  headers: headersFor(voice, headers, from),
  body: whole({
    _tag: "Whole",
    bytes,
    trailers: trailers === undefined ? undefined : new Headers([...trailers]),
  }),
  origin: from === undefined ? "gateway" : "upstream",
})
