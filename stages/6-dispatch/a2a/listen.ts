/** Finds out what a request asks of an agent, before rules are asked about it. */
import * as Effect from "effect/Effect"
import type { BackendPolicies } from "../../../ir/effective.ts"
import { detect } from "../../../protocols/a2a/detect.ts"
import { Deframer } from "../../../protocols/grpc/framing.ts"
import { isGrpc } from "../../../protocols/http/grpc.ts"
import type { Request } from "../../Exchange.ts"
import { captureRequest } from "../../5-policy/expression/capture.ts"
import { slot } from "../../5-policy/order.ts"
import { pass, promise, type Step, type Verdict } from "../../5-policy/Step.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Try } from "../Target.ts"
import { Conversation } from "./Conversation.ts"
import type { Owners } from "./Owners.ts"
import { grpcCodec } from "./question.ts"
import { shaped } from "./shape.ts"

const isJson = (contentType: string | undefined): boolean => contentType !== undefined && /\bjson\b/i.test(contentType)

const conversationOf = (request: Request): Conversation => {
  const type = request.headers.get("content-type")
  const seen = detect({ method: request.method, path: request.path, contentType: type })
  return new Conversation(seen, isJson(type) ? request.captured?.bytes : undefined)
}

/** Only bodies that say something of the call are looked into, and only where a request of this kind has one. */
const hasWords = ({ body, headers, method }: Request): boolean => {
  const type = headers.get("content-type")
  return method === "POST" && body._tag !== "Empty" && (isJson(type) || isGrpc(type))
}

const tooLarge: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "RequestBodyTooLarge" })

/** What a gRPC request says, for rules and for finding the task; a message that cannot be read is the agent's to judge. */
const decoded = (conversation: Conversation, bytes: Uint8Array): Effect.Effect<Verdict> => {
  const { operation, version } = conversation
  if (operation === undefined || version === undefined) return pass
  return Effect.flatMap(grpcCodec, (codec) => {
    let message: Uint8Array | undefined
    new Deframer().push(bytes, (one) => (message ??= one))
    const call = message === undefined ? undefined : codec.readCall(operation, version, message)
    if (call?._tag === "Read") conversation.asked = call.value.params
    return pass
  })
}

/** Whether something hangs on what is asked: then nothing passes that was not looked into. */
export const isRuled = ({ A2a: spoken, Authorization: rules }: BackendPolicies): boolean =>
  rules !== undefined || spoken?.limit !== undefined || spoken?.budgets !== undefined || spoken?.guard !== undefined

/**
 * `agent` is the name of the agent where there are several. Where rules look at what is asked, a body that is too long to
 * be looked into is refused: nobody may get past a rule by saying more than it reads.
 */
export const listen = (ports: PolicyPorts, isRuled: boolean, agent?: string, owners?: Owners): Step<Try> => {
  const capture = captureRequest(ports)
  const own = slot("A2a", "backend")
  const note = (attempt: Try): Effect.Effect<Verdict, Refusal> => {
    const { exchange, request } = attempt
    const notes = (exchange.notes ??= {})
    const before = notes.a2a
    const conversation = (notes.a2a = conversationOf(request))
    conversation.agent = agent
    if (before !== undefined) conversation.succeed(before)
    if (!conversation.isCall) return pass
    promise(exchange, own, shaped(exchange, conversation))
    const { captured } = request
    const looked = (): Effect.Effect<Verdict> => owners?.look(attempt, conversation) ?? pass
    if (captured === undefined) return looked()
    if (captured.bytes === undefined) return isRuled ? tooLarge : looked()
    return conversation.binding === "GRPC" ? Effect.flatMap(decoded(conversation, captured.bytes), looked) : looked()
  }
  return {
    kind: "A2a",
    run: (attempt) => {
      const captured = hasWords(attempt.request) ? capture.run(attempt) : pass
      return captured === pass ? note(attempt) : Effect.flatMap(captured, () => note(attempt))
    },
  }
}
