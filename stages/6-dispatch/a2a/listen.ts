/** Finds out what a request asks of an agent, before rules are asked about it. */
import * as Effect from "effect/Effect"
import { detect } from "../../../protocols/a2a/detect.ts"
import type { Request } from "../../Exchange.ts"
import { captureRequest } from "../../5-policy/expression/capture.ts"
import { slot } from "../../5-policy/order.ts"
import { pass, promise, type Step } from "../../5-policy/Step.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Try } from "../Target.ts"
import { Conversation } from "./Conversation.ts"
import { shaped } from "./shape.ts"

const isJson = (contentType: string | undefined): boolean => contentType !== undefined && /\bjson\b/i.test(contentType)

const conversationOf = (request: Request): Conversation => {
  const seen = detect({ method: request.method, path: request.path, contentType: request.headers.get("content-type") })
  const bytes = isJson(request.headers.get("content-type")) ? request.captured?.bytes : undefined
  return new Conversation(seen, bytes)
}

/** Only bodies in JSON are looked into, and only where a request of this kind has one. */
const hasJson = ({ body, headers, method }: Request): boolean =>
  method === "POST" && body._tag !== "Empty" && isJson(headers.get("content-type"))

/** `agent` is the name of the agent where there are several. */
export const listen = (ports: PolicyPorts, agent?: string): Step<Try> => {
  const capture = captureRequest(ports)
  const own = slot("A2a", "backend")
  const note = (attempt: Try): void => {
    const notes = (attempt.exchange.notes ??= {})
    const before = notes.a2a
    const conversation = (notes.a2a = conversationOf(attempt.request))
    conversation.agent = agent
    if (before !== undefined) conversation.succeed(before)
    if (conversation.isCall) promise(attempt.exchange, own, shaped(attempt.exchange, conversation))
  }
  return {
    kind: "A2a",
    run: (attempt) => {
      const captured = hasJson(attempt.request) ? capture.run(attempt) : pass
      if (captured === pass) {
        note(attempt)
        return pass
      }
      return Effect.map(captured, (verdict) => {
        note(attempt)
        return verdict
      })
    },
  }
}
