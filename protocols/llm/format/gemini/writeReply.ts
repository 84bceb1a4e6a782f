/** A reply as a GenerateContentResponse. */
import type { ChatReply, Choice, Part, Signature } from "../../Conversation.ts"
import { compact, isObject, type JsonObject, parseJson } from "../../Json.ts"
import { writeGeminiUsage } from "../../usage/gemini.ts"
import type { Context } from "../Format.ts"
import { finishReason, logprobsResult, writeSignature } from "./fields.ts"

export const callPart = (
  part: { readonly id: string; readonly signature?: Signature | undefined; readonly custom?: boolean | undefined },
  name: string,
  input: string,
): JsonObject => {
  const args = part.custom === true ? { input } : input.trim() === "" ? {} : parseJson(input)
  return compact({
    functionCall: { id: part.id, name, args: isObject(args) ? args : { input: args ?? input } },
    thoughtSignature: part.signature === undefined ? undefined : writeSignature(part.signature),
  })
}

export const writePart = (part: Part, context: Context): JsonObject | undefined => {
  switch (part.kind) {
    case "text":
    case "refusal":
      return part.text === "" ? undefined : { text: part.text }
    case "reasoning": {
      const signature = part.signature ?? part.hidden
      return compact({
        text: part.text,
        thought: true,
        thoughtSignature: signature === undefined ? undefined : writeSignature(signature),
      })
    }
    case "toolCall":
      return part.hosted === true ? undefined : callPart(part, context.names.back(part.name), part.input)
    case "image":
    case "media":
      return part.source.kind === "base64"
        ? { inlineData: { mimeType: part.source.mediaType, data: part.source.data } }
        : undefined
    default:
      return undefined
  }
}

const candidateOf = (choice: Choice, index: number, context: Context): JsonObject => {
  const parts = choice.parts.flatMap((part) => writePart(part, context) ?? [])
  const logprobs = choice.parts.flatMap((part) => (part.kind === "text" ? (part.logprobs ?? []) : []))
  const cited = choice.parts.flatMap((part) => (part.kind === "text" ? (part.citations ?? []) : []))
  const sources = cited.filter((citation) => citation.url !== undefined)
  return compact({
    content: { role: "model", parts: parts.length === 0 ? [{ text: "" }] : parts },
    finishReason: finishReason(choice.finish),
    index,
    logprobsResult: logprobs.length === 0 ? undefined : logprobsResult(logprobs),
    citationMetadata:
      sources.length === 0
        ? undefined
        : {
            citationSources: sources.map((citation) =>
              compact({
                uri: citation.url,
                title: citation.title,
                startIndex: citation.start,
                endIndex: citation.end,
              }),
            ),
          },
  })
}

export const writeReply = (reply: ChatReply, context: Context): JsonObject =>
  compact({
    candidates: reply.choices.map((choice, index) => candidateOf(choice, index, context)),
    usageMetadata: reply.usage === undefined ? undefined : writeGeminiUsage(reply.usage),
    modelVersion: reply.model ?? context.call.model,
    responseId: reply.id ?? context.call.id,
  })
