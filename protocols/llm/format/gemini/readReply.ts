/** A GenerateContentResponse as a reply. */
import type { ChatReply, Choice, Citation, Part } from "../../Conversation.ts"
import { isObject, type JsonObject, numberOf, objectOf, objectsOf, textOf } from "../../Json.ts"
import type { Untranslatable } from "../../Translation.ts"
import { readGeminiUsage } from "../../usage/gemini.ts"
import type { Context } from "../Format.ts"
import { field, finishOf, logprobsOf } from "./fields.ts"

/** Ids are optional here and demanded everywhere else. */
export const callId = (context: Context, choice: number, n: number): string =>
  choice === 0 ? `call_${context.call.id}_${n}` : `call_${context.call.id}_${choice}_${n}`

export const citationsOf = (candidate: JsonObject): ReadonlyArray<Citation> => {
  const grounding = field(candidate, "groundingMetadata")
  const chunks = objectsOf(field(grounding, "groundingChunks"))
  return objectsOf(field(grounding, "groundingSupports")).flatMap((support) => {
    const segment = field(support, "segment")
    const indices = field(support, "groundingChunkIndices")
    return (Array.isArray(indices) ? indices : []).flatMap((index): ReadonlyArray<Citation> => {
      const web = field(typeof index === "number" ? chunks[index] : undefined, "web")
      const url = textOf(field(web, "uri"))
      return url === undefined
        ? []
        : [
            {
              url,
              title: textOf(field(web, "title")),
              start: numberOf(field(segment, "startIndex")) ?? 0,
              end: numberOf(field(segment, "endIndex")),
              vendor: "google",
              original: support,
            },
          ]
    })
  })
}

const choiceOf = (candidate: JsonObject, index: number, context: Context): Choice => {
  const parts: Array<Part> = []
  let calls = 0
  const citations = citationsOf(candidate)
  const logprobs = logprobsOf(field(candidate, "logprobsResult"))
  let first = true
  for (const part of objectsOf(field(candidate["content"], "parts"))) {
    const signed = textOf(field(part, "thoughtSignature"))
    const signature = signed === undefined ? undefined : ({ vendor: "google", value: signed } as const)
    const call = objectOf(field(part, "functionCall"))
    const inline = objectOf(field(part, "inlineData"))
    const text = textOf(part["text"])
    if (call !== undefined) {
      parts.push({
        kind: "toolCall",
        id: textOf(call["id"]) || callId(context, index, calls),
        name: textOf(call["name"]) ?? "",
        input: JSON.stringify(objectOf(call["args"]) ?? {}),
        signature,
      })
      calls++
    } else if (inline !== undefined) {
      const mediaType = textOf(field(inline, "mimeType")) ?? "application/octet-stream"
      const source = { kind: "base64", mediaType, data: textOf(inline["data"]) ?? "" } as const
      parts.push(mediaType.startsWith("image/") ? { kind: "image", source } : { kind: "media", source })
    } else if (text !== undefined && part["thought"] === true) parts.push({ kind: "reasoning", text, signature })
    else if (text === "" && signature !== undefined) {
      const last = parts.at(-1)
      if (last?.kind === "text") parts[parts.length - 1] = { ...last, signature }
    } else if (text !== undefined && text !== "") {
      const last = parts.at(-1)
      if (last?.kind === "text")
        parts[parts.length - 1] = { ...last, text: last.text + text, signature: signature ?? last.signature }
      else {
        parts.push({
          kind: "text",
          text,
          signature,
          citations: first && citations.length > 0 ? citations : undefined,
          logprobs: first ? logprobs : undefined,
        })
        first = false
      }
    }
  }
  return { parts, finish: finishOf(field(candidate, "finishReason"), calls > 0) }
}

export const readReply = (body: JsonObject, context: Context): ChatReply | Untranslatable => {
  const candidates = objectsOf(body["candidates"])
  const feedback = field(body, "promptFeedback")
  if (candidates.length === 0 && feedback === undefined && field(body, "usageMetadata") === undefined)
    return {
      path: "candidates",
      reason: textOf(field(body["error"], "message")) ?? "the reply has no candidates",
    }
  const blocked = isObject(feedback) && textOf(field(feedback, "blockReason")) !== undefined
  return {
    id: textOf(field(body, "responseId")),
    model: textOf(field(body, "modelVersion")),
    choices:
      candidates.length === 0
        ? [{ parts: [], finish: blocked ? "contentFilter" : "stop" }]
        : candidates.map((candidate, i) => choiceOf(candidate, i, context)),
    usage: readGeminiUsage(field(body, "usageMetadata")),
  }
}
