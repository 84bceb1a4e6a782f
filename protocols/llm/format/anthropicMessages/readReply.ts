/** An answer of Anthropic's Messages as a reply. */
import type { ChatReply, Part } from "../../Conversation.ts"
import { type JsonObject, objectsOf, textOf } from "../../Json.ts"
import type { Untranslatable } from "../../Translation.ts"
import { readAnthropicUsage } from "../../usage/anthropic.ts"
import { finishOf } from "./finish.ts"
import { citationOf } from "./readRequest.ts"

const partOf = (block: JsonObject): Part | undefined => {
  switch (block["type"]) {
    case "text": {
      const citations = objectsOf(block["citations"]).map(citationOf)
      return {
        kind: "text",
        text: textOf(block["text"]) ?? "",
        citations: citations.length === 0 ? undefined : citations,
      }
    }
    case "thinking": {
      const signature = textOf(block["signature"])
      return {
        kind: "reasoning",
        text: textOf(block["thinking"]) ?? "",
        signature: signature === undefined || signature === "" ? undefined : { vendor: "anthropic", value: signature },
      }
    }
    case "redacted_thinking":
      return { kind: "reasoning", text: "", hidden: { vendor: "anthropic", value: textOf(block["data"]) ?? "" } }
    case "tool_use":
      return {
        kind: "toolCall",
        id: textOf(block["id"]) ?? "",
        name: textOf(block["name"]) ?? "",
        input: JSON.stringify(block["input"] ?? {}),
      }
    default:
      // Tools that the provider ran itself are over; their results are in the text.
      return undefined
  }
}

export const readReply = (body: JsonObject): ChatReply | Untranslatable => {
  if (!Array.isArray(body["content"])) return { path: "content", reason: "the reply has no content" }
  const usage = readAnthropicUsage(body["usage"])
  return {
    id: textOf(body["id"]),
    model: textOf(body["model"]),
    choices: [
      {
        parts: objectsOf(body["content"]).flatMap((block) => partOf(block) ?? []),
        finish: finishOf(body["stop_reason"]),
        stopSequence: textOf(body["stop_sequence"]),
      },
    ],
    usage,
  }
}
