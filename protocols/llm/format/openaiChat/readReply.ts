/** A Chat Completion as a reply. */
import type { ChatReply, Choice, Citation, Finish, Part } from "../../Conversation.ts"
import { sourceOfUrl } from "../../dataUrl.ts"
import { at, isObject, type JsonObject, listOf, numberOf, objectOf, objectsOf, textOf } from "../../Json.ts"
import { readOpenAiError } from "../../errors/openai.ts"
import type { Untranslatable } from "../../Translation.ts"
import { readOpenAiUsage } from "../../usage/openaiChat.ts"
import type { Context } from "../Format.ts"
import { reasoningOf } from "./readRequest.ts"

/** What a block of content thinks, as Mistral writes it. */
export const thoughtIn = (block: JsonObject): string =>
  objectsOf(block["thinking"])
    .map((one) => textOf(one["text"]) ?? "")
    .join("")

/** A provider that says `stop` after calling a tool means that it called a tool. */
export const finishOf = (reason: unknown, calledTools: boolean): Finish => {
  switch (reason) {
    case "length":
    case "max_tokens":
      return "length"
    case "tool_calls":
    case "function_call":
      return "toolCalls"
    case "content_filter":
      return "contentFilter"
    default:
      return calledTools ? "toolCalls" : "stop"
  }
}

export const citationOf = (annotation: JsonObject): Citation => {
  const cited = objectOf(annotation["url_citation"]) ?? annotation
  return {
    url: textOf(cited["url"]),
    title: textOf(cited["title"]),
    start: numberOf(cited["start_index"]),
    end: numberOf(cited["end_index"]),
    vendor: "openai",
    original: annotation,
  }
}

const choiceOf = (choice: JsonObject, context: Context): Choice => {
  const message = objectOf(choice["message"]) ?? {}
  const parts: Array<Part> = [...reasoningOf(message)]
  const logprobs = at(choice, "logprobs", "content")
  const citations = objectsOf(message["annotations"]).map(citationOf)
  const content = message["content"]
  if (typeof content === "string") {
    if (content !== "")
      parts.push({
        kind: "text",
        text: content,
        citations: citations.length === 0 ? undefined : citations,
        logprobs: Array.isArray(logprobs) ? logprobs : undefined,
      })
  } else
    for (const block of objectsOf(content))
      if (block["type"] === "thinking")
        parts.push({
          kind: "reasoning",
          text: thoughtIn(block),
        })
      else if (typeof block["text"] === "string") parts.push({ kind: "text", text: block["text"] })
  const refusal = textOf(message["refusal"])
  if (refusal !== undefined && refusal !== "") parts.push({ kind: "refusal", text: refusal })
  for (const image of objectsOf(message["images"])) {
    const url = textOf(at(image, "image_url", "url"))
    if (url !== undefined) parts.push({ kind: "image", source: sourceOfUrl(url) })
  }
  const audio = textOf(at(message, "audio", "data"))
  if (audio !== undefined)
    parts.push({
      kind: "media",
      source: { kind: "base64", mediaType: "audio/wav", data: audio },
      transcript: textOf(at(message, "audio", "transcript")),
    })
  const calls = objectsOf(message["tool_calls"])
  for (const [i, call] of calls.entries()) {
    const custom = call["type"] === "custom"
    const body = custom ? call["custom"] : call["function"]
    const google = textOf(at(call, "extra_content", "google", "thought_signature"))
    parts.push({
      kind: "toolCall",
      id: textOf(call["id"]) || `call_${context.call.id}_${i}`,
      name: textOf(at(body, "name")) ?? "",
      input: textOf(at(body, custom ? "input" : "arguments")) ?? "",
      custom: custom ? true : undefined,
      signature: google === undefined ? undefined : { vendor: "google", value: google },
    })
  }
  const called = objectOf(message["function_call"])
  if (called !== undefined)
    parts.push({
      kind: "toolCall",
      id: `call_${context.call.id}`,
      name: textOf(called["name"]) ?? "",
      input: textOf(called["arguments"]) ?? "",
    })
  return { parts, finish: finishOf(choice["finish_reason"], calls.length > 0 || called !== undefined) }
}

export const readReply = (body: JsonObject, context: Context): ChatReply | Untranslatable => {
  if (!Array.isArray(body["choices"])) {
    const error = readOpenAiError(body)
    return { path: "choices", reason: error === undefined ? "the reply has no choices" : error.message }
  }
  return {
    id: textOf(body["id"]),
    model: textOf(body["model"]),
    createdSeconds: numberOf(body["created"]),
    choices: listOf(body["choices"])
      .filter(isObject)
      .map((choice) => choiceOf(choice, context)),
    usage: readOpenAiUsage(body["usage"]),
    serviceTier: textOf(body["service_tier"]),
    fingerprint: textOf(body["system_fingerprint"]),
  }
}
