/**
 * Reads along with a stream that is passed on as it is: its usage, its model and why it ended. Most events carry
 * nothing of that, and those are told apart without parsing them.
 */
import { at, isObject, parseJson, textOf } from "./Json.ts"
import type { Finish } from "./Conversation.ts"
import { readAnthropicError } from "./errors/anthropic.ts"
import { readBedrockError } from "./errors/bedrock.ts"
import { readGoogleError } from "./errors/google.ts"
import { readOpenAiError } from "./errors/openai.ts"
import { finishOf as anthropicFinish } from "./format/anthropicMessages/finish.ts"
import { finishOf as bedrockFinish } from "./format/bedrockConverse/finish.ts"
import { field, finishOf as geminiFinish } from "./format/gemini/fields.ts"
import { finishOf as chatFinish } from "./format/openaiChat/readReply.ts"
import { finishOf as responseFinish } from "./format/openaiResponses/readReply.ts"
import type { LlmError } from "./LlmError.ts"
import type { ChatFormat, Seen, WireEvent } from "./Translation.ts"
import { readAnthropicUsage } from "./usage/anthropic.ts"
import { readBedrockUsage } from "./usage/bedrock.ts"
import { readGeminiUsage } from "./usage/gemini.ts"
import { readOpenAiUsage } from "./usage/openaiChat.ts"
import { readResponsesUsage } from "./usage/openaiResponses.ts"
import { later, type Usage } from "./Usage.ts"

export interface StreamObserver {
  readonly feed: (event: WireEvent) => void
  readonly seen: () => Seen
}

const chatContent = /"(?:content|reasoning_content|reasoning|refusal|arguments)":\s*"[^"]/
const chatNews = /"usage":\s*\{|"finish_reason":\s*"|"error":\s*[{"]/

export const streamObserver = (format: ChatFormat): StreamObserver => {
  let usage: Usage | undefined
  let model: string | undefined
  let finish: Finish | undefined
  let content = false
  let error: LlmError | undefined
  let over = false
  let calls = false

  const account = (found: Usage | undefined): void => {
    if (found !== undefined) usage = later(usage, found)
  }
  const chat = ({ data }: WireEvent): void => {
    if (data === "[DONE]") {
      over = true
      return
    }
    content ||= chatContent.test(data)
    calls ||= data.includes('"tool_calls":[')
    if (model !== undefined && !chatNews.test(data)) return
    const chunk = parseJson(data)
    if (!isObject(chunk)) return
    model ??= textOf(chunk["model"]) ?? ""
    const choices = chunk["choices"]
    const reason = textOf(at(Array.isArray(choices) ? choices[0] : undefined, "finish_reason"))
    if (reason !== undefined) finish = chatFinish(reason, calls)
    account(readOpenAiUsage(chunk["usage"]))
    if (chunk["error"] !== undefined && chunk["error"] !== null) error = readOpenAiError(chunk)
  }
  const anthropic = ({ event, data }: WireEvent): void => {
    switch (event) {
      case "content_block_delta":
        content = true
        return
      case "message_start":
      case "message_delta":
      case "error": {
        const said = parseJson(data)
        model ??= textOf(at(said, "message", "model"))
        const found = readAnthropicUsage(at(said, "message", "usage") ?? at(said, "usage"))
        // The last event repeats the output and may leave out the input.
        if (
          found !== undefined &&
          event === "message_delta" &&
          usage !== undefined &&
          at(said, "usage", "input_tokens") === undefined
        )
          usage = {
            ...usage,
            outputTokens: found.outputTokens,
            reasoningTokens: found.reasoningTokens ?? usage.reasoningTokens,
          }
        else account(found)
        const reason = at(said, "delta", "stop_reason")
        if (typeof reason === "string") finish = anthropicFinish(reason)
        if (event === "error") error = readAnthropicError(said)
        return
      }
      case "message_stop":
        over = true
        return
      default:
    }
  }
  const responses = ({ event = "", data }: WireEvent): void => {
    if (event.endsWith(".delta")) {
      content = true
      return
    }
    const ends = event === "response.completed" || event === "response.incomplete" || event === "response.failed"
    if (!ends && event !== "response.created" && event !== "error") return
    const said = parseJson(data)
    const response = at(said, "response")
    model ??= textOf(at(response, "model"))
    if (event === "error" || event === "response.failed")
      error ??= readOpenAiError(isObject(response) ? response : said)
    if (!ends || !isObject(response)) return
    account(readResponsesUsage(response["usage"]))
    if (event !== "response.failed") finish = responseFinish(response)
    over = true
  }
  const gemini = ({ data }: WireEvent): void => {
    const chunk = parseJson(data)
    if (!isObject(chunk)) return
    if (chunk["error"] !== undefined) {
      error = readGoogleError(chunk)
      return
    }
    model ??= textOf(field(chunk, "modelVersion"))
    account(readGeminiUsage(field(chunk, "usageMetadata")))
    const candidates = chunk["candidates"]
    const candidate: unknown = Array.isArray(candidates) ? candidates[0] : undefined
    const parts = field(field(candidate, "content"), "parts")
    for (const part of Array.isArray(parts) ? parts : []) {
      calls ||= field(part, "functionCall") !== undefined
      content ||= calls || (textOf(at(part, "text")) ?? "") !== "" || field(part, "inlineData") !== undefined
    }
    const reason = textOf(field(candidate, "finishReason"))
    if (reason !== undefined) finish = geminiFinish(reason, calls)
    if (candidate === undefined && textOf(at(field(chunk, "promptFeedback"), "blockReason")) !== undefined)
      finish = "contentFilter"
  }
  const bedrock = ({ event = "", data }: WireEvent): void => {
    if (event === "contentBlockDelta") content = true
    else if (event === "messageStop") finish = bedrockFinish(at(parseJson(data), "stopReason"))
    else if (event === "metadata") {
      account(readBedrockUsage(at(parseJson(data), "usage")))
      over = true
    } else if (event.startsWith("exception:"))
      error = readBedrockError(parseJson(data), event.slice("exception:".length))
  }

  const readers: Readonly<Record<ChatFormat, (event: WireEvent) => void>> = {
    openaiChat: chat,
    anthropicMessages: anthropic,
    openaiResponses: responses,
    gemini,
    bedrockConverse: bedrock,
  }
  return {
    feed: readers[format],
    seen: () => ({ usage, model: model === "" ? undefined : model, finish, content, error, over }),
  }
}
