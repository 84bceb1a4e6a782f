/** An answer of Converse as a reply. */
import type { ChatReply, Citation, Part } from "../../Conversation.ts"
import { at, isObject, type JsonObject, objectOf, objectsOf, textOf } from "../../Json.ts"
import type { Untranslatable } from "../../Translation.ts"
import { readBedrockUsage } from "../../usage/bedrock.ts"
import type { Context } from "../Format.ts"
import { finishOf } from "./finish.ts"

export const citationOf = (citation: JsonObject): Citation => ({
  url: textOf(at(citation, "location", "web", "url")),
  title: textOf(citation["title"]),
  vendor: "amazon",
  original: citation,
})

const partsOf = (block: JsonObject): ReadonlyArray<Part> => {
  const text = textOf(block["text"])
  if (text !== undefined) return text === "" ? [] : [{ kind: "text", text }]
  const thought = objectOf(at(block, "reasoningContent", "reasoningText"))
  if (thought !== undefined) {
    const signature = textOf(thought["signature"])
    return [
      {
        kind: "reasoning",
        text: textOf(thought["text"]) ?? "",
        signature: signature === undefined || signature === "" ? undefined : { vendor: "anthropic", value: signature },
      },
    ]
  }
  const redacted = textOf(at(block, "reasoningContent", "redactedContent"))
  if (redacted !== undefined) return [{ kind: "reasoning", text: "", hidden: { vendor: "anthropic", value: redacted } }]
  const use = objectOf(block["toolUse"])
  if (use !== undefined)
    return [
      {
        kind: "toolCall",
        id: textOf(use["toolUseId"]) ?? "",
        name: textOf(use["name"]) ?? "",
        input: JSON.stringify(use["input"] ?? {}),
        hosted: use["type"] === "server_tool_use" ? true : undefined,
      },
    ]
  const bytes = textOf(at(block, "image", "source", "bytes"))
  if (bytes !== undefined)
    return [
      {
        kind: "image",
        source: { kind: "base64", mediaType: `image/${textOf(at(block, "image", "format")) ?? "png"}`, data: bytes },
      },
    ]
  const cited = objectOf(block["citationsContent"])
  if (cited === undefined) return []
  const said = objectsOf(cited["content"])
    .map((one) => textOf(one["text"]) ?? "")
    .join("")
  const citations = objectsOf(cited["citations"]).map(citationOf)
  return said === "" ? [] : [{ kind: "text", text: said, citations: citations.length === 0 ? undefined : citations }]
}

export const readReply = (body: JsonObject, context: Context): ChatReply | Untranslatable => {
  const message = at(body, "output", "message")
  if (!isObject(message))
    return { path: "output.message", reason: textOf(body["message"]) ?? "the reply has no message" }
  return {
    id: context.headers["x-amzn-requestid"],
    model: context.call.model,
    choices: [{ parts: objectsOf(message["content"]).flatMap(partsOf), finish: finishOf(body["stopReason"]) }],
    usage: readBedrockUsage(body["usage"]),
    serviceTier: textOf(at(body, "serviceTier", "type")),
  }
}
