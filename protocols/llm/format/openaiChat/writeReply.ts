/** A reply as a Chat Completion. */
import type { ChatReply, Choice, Citation, Finish, ReasoningPart, ToolCallPart } from "../../Conversation.ts"
import { compact, type JsonObject } from "../../Json.ts"
import { markSignature, signedId } from "../../signature.ts"
import { totalOf, type Usage } from "../../Usage.ts"
import type { Context } from "../Format.ts"

export const finishReason = (finish: Finish): string => {
  switch (finish) {
    case "length":
    case "contextWindow":
      return "length"
    case "toolCalls":
      return "tool_calls"
    case "contentFilter":
    case "refusal":
      return "content_filter"
    default:
      return "stop"
  }
}

export const writeUsage = (usage: Usage): JsonObject => ({
  prompt_tokens: usage.inputTokens,
  completion_tokens: usage.outputTokens,
  total_tokens: totalOf(usage),
  prompt_tokens_details: compact({
    cached_tokens: usage.cacheReadTokens ?? 0,
    audio_tokens: usage.inputAudioTokens,
    cache_write_tokens: usage.cacheWriteTokens,
  }),
  completion_tokens_details: compact({
    reasoning_tokens: usage.reasoningTokens ?? 0,
    audio_tokens: usage.outputAudioTokens,
    accepted_prediction_tokens: usage.acceptedPredictionTokens,
    rejected_prediction_tokens: usage.rejectedPredictionTokens,
  }),
})

export const annotationOf = (citation: Citation): JsonObject | undefined =>
  citation.url === undefined
    ? undefined
    : {
        type: "url_citation",
        url_citation: {
          url: citation.url,
          title: citation.title ?? "",
          start_index: citation.start ?? 0,
          end_index: citation.end ?? 0,
        },
      }

export const toolCallId = (part: { readonly id: string; readonly signature?: ToolCallPart["signature"] }): string =>
  signedId(part.id, part.signature)

const writeToolCall = (part: ToolCallPart, name: string): JsonObject =>
  part.custom === true
    ? { id: toolCallId(part), type: "custom", custom: { name, input: part.input } }
    : { id: toolCallId(part), type: "function", function: { name, arguments: part.input } }

/** What stands behind a thought that can be read: its signature, or all of it, readable by its vendor. */
const proofOf = (thought: ReasoningPart): string | undefined => {
  const proof = thought.signature ?? thought.hidden
  return proof === undefined ? undefined : markSignature(proof, "anthropic")
}

/** Several thoughts, or one that cannot be read, do not fit into one text and one signature. */
const thinkingBlocks = (thoughts: ReadonlyArray<ReasoningPart>): ReadonlyArray<JsonObject> | undefined =>
  thoughts.length > 1 || thoughts.some((thought) => thought.hidden !== undefined && thought.text === "")
    ? thoughts.map((thought) =>
        thought.hidden === undefined || thought.text !== ""
          ? { type: "thinking", thinking: thought.text, signature: proofOf(thought) ?? "" }
          : { type: "redacted_thinking", data: markSignature(thought.hidden, "anthropic") },
      )
    : undefined

const writeThoughts = (thoughts: ReadonlyArray<ReasoningPart>): JsonObject => {
  if (thoughts.length === 0) return {}
  const signed = thoughts.findLast((thought) => thought.text !== "" && proofOf(thought) !== undefined)
  return compact({
    reasoning_content: thoughts.map((thought) => thought.text).join(""),
    reasoning_signature: signed === undefined ? undefined : proofOf(signed),
    thinking_blocks: thinkingBlocks(thoughts),
  })
}

const writeChoice = (choice: Choice, index: number, context: Context): JsonObject => {
  const texts: Array<string> = []
  const refusals: Array<string> = []
  const thoughts: Array<ReasoningPart> = []
  const calls: Array<JsonObject> = []
  const annotations: Array<JsonObject> = []
  const images: Array<JsonObject> = []
  let logprobs: ReadonlyArray<unknown> | undefined
  let audio: JsonObject | undefined
  for (const part of choice.parts)
    switch (part.kind) {
      case "text":
        texts.push(part.text)
        for (const citation of part.citations ?? []) {
          const annotation = annotationOf(citation)
          if (annotation !== undefined) annotations.push(annotation)
        }
        if (part.logprobs !== undefined) logprobs = [...(logprobs ?? []), ...part.logprobs]
        break
      case "refusal":
        refusals.push(part.text)
        break
      case "reasoning":
        thoughts.push(part)
        break
      case "toolCall":
        if (part.hosted !== true) calls.push(writeToolCall(part, context.names.back(part.name)))
        break
      case "image":
        if (part.source.kind === "base64")
          images.push({
            type: "image_url",
            image_url: { url: `data:${part.source.mediaType};base64,${part.source.data}` },
          })
        break
      case "media":
        if (part.source.kind === "base64")
          audio = {
            id: `audio_${context.call.id}`,
            data: part.source.data,
            transcript: part.transcript ?? "",
            expires_at: Math.floor(context.call.nowMillis / 1000) + 3600,
          }
        break
      default:
    }
  const content =
    texts.length > 0 ? texts.join("") : calls.length > 0 || refusals.length > 0 || thoughts.length > 0 ? null : ""
  return {
    index,
    message: compact({
      role: "assistant",
      content,
      refusal: refusals.length === 0 ? null : refusals.join(""),
      ...writeThoughts(thoughts),
      annotations: annotations.length === 0 ? undefined : annotations,
      images: images.length === 0 ? undefined : images,
      audio,
      tool_calls: calls.length === 0 ? undefined : calls,
    }),
    logprobs: logprobs === undefined ? null : { content: logprobs, refusal: null },
    finish_reason: finishReason(choice.finish),
  }
}

export const replyId = (id: string | undefined, context: Context): string => id ?? `chatcmpl-${context.call.id}`

export const writeReply = (reply: ChatReply, context: Context): JsonObject =>
  compact({
    id: replyId(reply.id, context),
    object: "chat.completion",
    created: reply.createdSeconds ?? Math.floor(context.call.nowMillis / 1000),
    model: reply.model ?? context.call.model,
    choices: reply.choices.map((choice, index) => writeChoice(choice, index, context)),
    usage: reply.usage === undefined ? undefined : writeUsage(reply.usage),
    service_tier: reply.serviceTier,
    system_fingerprint: reply.fingerprint,
  })
