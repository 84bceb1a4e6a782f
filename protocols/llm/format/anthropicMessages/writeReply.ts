/** A reply as an answer of Anthropic's Messages. */
import type { ChatReply, Choice, Part, TextPart } from "../../Conversation.ts"
import { compact, isObject, type JsonObject, parseJson } from "../../Json.ts"
import { markSignature, signedId } from "../../signature.ts"
import { writeAnthropicUsage } from "../../usage/anthropic.ts"
import type { Context } from "../Format.ts"
import { stopReason } from "./finish.ts"

/** Ids of this format have a prefix that clients may look for; one that is there already stays. */
export const messageId = (id: string | undefined, context: Context): string =>
  id === undefined ? `msg_${context.call.id}` : id.startsWith("msg_") ? id : `msg_${id}`

export const citationsOf = (part: TextPart): ReadonlyArray<JsonObject> =>
  (part.citations ?? []).flatMap((citation) =>
    citation.vendor === "anthropic"
      ? [citation.original]
      : citation.url === undefined
        ? []
        : [
            {
              type: "web_search_result_location",
              url: citation.url,
              title: citation.title ?? null,
              cited_text: "",
              encrypted_index: "",
            },
          ],
  )

const blockOf = (part: Part, context: Context): JsonObject | undefined => {
  switch (part.kind) {
    case "text": {
      const citations = citationsOf(part)
      return part.text === ""
        ? undefined
        : { type: "text", text: part.text, citations: citations.length === 0 ? null : citations }
    }
    case "refusal":
      return part.text === "" ? undefined : { type: "text", text: part.text, citations: null }
    case "reasoning":
      if (part.hidden !== undefined && part.text === "")
        return { type: "redacted_thinking", data: markSignature(part.hidden, "anthropic") }
      return {
        type: "thinking",
        thinking: part.text,
        signature:
          part.signature !== undefined
            ? markSignature(part.signature, "anthropic")
            : part.hidden !== undefined
              ? markSignature(part.hidden, "anthropic")
              : "",
      }
    case "toolCall": {
      if (part.hosted === true) return undefined
      const input = part.custom === true ? { input: part.input } : part.input.trim() === "" ? {} : parseJson(part.input)
      return {
        type: "tool_use",
        id: signedId(part.id, part.signature),
        name: context.names.back(part.name),
        input: isObject(input) ? input : { input: input ?? part.input },
      }
    }
    default:
      return undefined
  }
}

/** A refusal is a reason to stop here, even where the other format stops for no particular reason. */
const choiceReason = (choice: Choice): string =>
  stopReason(
    choice.finish === "stop" && choice.parts.some((part) => part.kind === "refusal") ? "refusal" : choice.finish,
  )

export const writeReply = (reply: ChatReply, context: Context): JsonObject => {
  const choice = reply.choices[0] ?? { parts: [], finish: "stop" }
  return compact({
    id: messageId(reply.id, context),
    type: "message",
    role: "assistant",
    model: reply.model ?? context.call.model,
    content: choice.parts.flatMap((part) => blockOf(part, context) ?? []),
    stop_reason: choiceReason(choice),
    stop_sequence: choice.stopSequence ?? null,
    usage: writeAnthropicUsage(reply.usage ?? { inputTokens: 0, outputTokens: 0 }),
  })
}
