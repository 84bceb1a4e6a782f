/** A reply as an answer of Converse. */
import type { ChatReply, Part, TextPart } from "../../Conversation.ts"
import { compact, isObject, type JsonObject, parseJson } from "../../Json.ts"
import { markSignature, signedId } from "../../signature.ts"
import { writeBedrockUsage } from "../../usage/bedrock.ts"
import type { Context } from "../Format.ts"
import { stopReason } from "./finish.ts"
import { writeRedacted } from "./redacted.ts"

/** The client's format knows what is cited by its address or by the document it is in. */
export const citationsOf = (part: TextPart): ReadonlyArray<JsonObject> =>
  (part.citations ?? []).flatMap((citation) =>
    citation.url === undefined && citation.title === undefined
      ? []
      : [
          compact({
            title: citation.title,
            location: citation.url === undefined ? undefined : { web: { url: citation.url } },
          }),
        ],
  )

const blocksOf = (part: Part, context: Context): ReadonlyArray<JsonObject> => {
  switch (part.kind) {
    case "text": {
      if (part.text === "") return []
      const citations = citationsOf(part)
      return citations.length === 0
        ? [{ text: part.text }]
        : [{ citationsContent: { content: [{ text: part.text }], citations } }]
    }
    case "refusal":
      return part.text === "" ? [] : [{ text: part.text }]
    case "reasoning": {
      if (part.hidden !== undefined && part.text === "")
        return [{ reasoningContent: { redactedContent: writeRedacted(part.hidden) } }]
      const signature = part.signature ?? part.hidden
      return [
        {
          reasoningContent: {
            reasoningText: compact({
              text: part.text,
              signature: signature === undefined ? undefined : markSignature(signature, "anthropic"),
            }),
          },
        },
      ]
    }
    case "toolCall": {
      if (part.hosted === true) return []
      const input = part.custom === true ? { input: part.input } : part.input.trim() === "" ? {} : parseJson(part.input)
      return [
        {
          toolUse: {
            toolUseId: signedId(part.id, part.signature),
            name: context.names.back(part.name),
            input: isObject(input) ? input : { input: input ?? part.input },
          },
        },
      ]
    }
    case "image": {
      const { source } = part
      const format = source.kind === "base64" ? /^image\/(png|jpeg|gif|webp)$/.exec(source.mediaType)?.[1] : undefined
      return source.kind === "base64" && format !== undefined
        ? [{ image: { format, source: { bytes: source.data } } }]
        : []
    }
    default:
      return []
  }
}

export const writeReply = (reply: ChatReply, context: Context): JsonObject => {
  const choice = reply.choices[0] ?? { parts: [], finish: "stop" as const }
  return compact({
    output: { message: { role: "assistant", content: choice.parts.flatMap((part) => blocksOf(part, context)) } },
    stopReason: stopReason(choice.finish),
    usage: writeBedrockUsage(reply.usage ?? { inputTokens: 0, outputTokens: 0 }),
    // The library demands a number, and the time is not known where formats are translated.
    metrics: { latencyMs: 0 },
    serviceTier: reply.serviceTier === undefined ? undefined : { type: reply.serviceTier },
  })
}
