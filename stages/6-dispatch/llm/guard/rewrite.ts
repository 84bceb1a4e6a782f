/**
 * Services that get the messages of a request as they are and give them back, shorter for instance: unlike a guard that
 * sees words only, they see pictures, calls of tools and marks of caches too.
 */
import * as Effect from "effect/Effect"
import type { GuardKind } from "../../../../ir/policy/PromptGuard.ts"
import { isObject, type JsonObject } from "../../../../protocols/llm/Json.ts"
import { keepsCalls, spokenOf, withSpoken } from "../../../../protocols/llm/guard/spoken.ts"
import type { ChatFormat } from "../../../../protocols/llm/Translation.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { Try } from "../../Target.ts"
import { posting } from "./remote.ts"

/** A text says why there is no use in what was answered. */
export type Rewrite = (
  attempt: Try,
  format: ChatFormat,
  json: JsonObject,
  model: string | undefined,
) => Effect.Effect<JsonObject, string>

const encoder = new TextEncoder()

export const compile = (kind: Extract<GuardKind, { readonly _tag: "Webhook" }>, ports: PolicyPorts): Rewrite => {
  const post = posting(kind, ports)
  return (attempt, format, json, model) => {
    const messages = spokenOf(format, json)
    if (messages === undefined) return Effect.succeed(json)
    if (kind.bytesMin > 0 && encoder.encode(JSON.stringify(messages)).byteLength < kind.bytesMin) {
      return Effect.succeed(json)
    }
    const asked: JsonObject = { messages: [...messages], ...(model === undefined ? {} : { model }) }
    return Effect.flatMap(post(attempt, "request", asked, undefined), (answer) => {
      const changed = isObject(answer) ? answer["messages"] : undefined
      if (!Array.isArray(changed) || !changed.every(isObject))
        return Effect.fail("its answer has no list of `messages`")
      if (changed.length === 0 && messages.length > 0) return Effect.fail("it left nothing of the messages")
      if (!keepsCalls(messages, changed)) return Effect.fail("it tore calls of tools from their results")
      return Effect.succeed(withSpoken(format, json, changed))
    })
  }
}
