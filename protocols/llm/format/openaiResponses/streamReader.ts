/** The events of a response as deltas. */
import type { Delta, Opening } from "../../Conversation.ts"
import { readOpenAiError } from "../../errors/openai.ts"
import { at, isObject, type JsonObject, numberOf, objectOf, objectsOf, parseJson, textOf } from "../../Json.ts"
import { readResponsesUsage } from "../../usage/openaiResponses.ts"
import type { Context, StreamReader } from "../Format.ts"
import { citationOf } from "../openaiChat/readReply.ts"
import { finishOf, thoughtOf } from "./readReply.ts"

export const streamReader = (context: Context, emit: (delta: Delta) => void): StreamReader => {
  /** What is open, by item and place in it, and what was ever opened. */
  const open = new Set<string>()
  const grown = new Set<string>()
  const closed = new Set<string>()
  let started = false
  let called = false

  const ensure = (key: string, opening: Opening): void => {
    if (open.has(key) || closed.has(key)) return
    open.add(key)
    if (opening.kind === "toolCall") called = true
    emit({ kind: "open", key, choice: 0, opening })
  }
  const grow = (key: string, text: string, logprobs?: unknown): void => {
    if (!open.has(key) || text === "") return
    grown.add(key)
    emit({
      kind: "grow",
      key,
      text,
      ...(Array.isArray(logprobs) && logprobs.length > 0 ? { logprobs } : {}),
    })
  }
  const close = (key: string): void => {
    if (!open.delete(key)) return
    closed.add(key)
    emit({ kind: "close", key })
  }
  const start = (response: JsonObject): void => {
    if (started) return
    started = true
    emit({
      kind: "start",
      id: textOf(response["id"]),
      model: textOf(response["model"]),
      createdSeconds: numberOf(response["created_at"]),
      serviceTier: textOf(response["service_tier"]),
    })
  }
  const toolOpening = (item: JsonObject, output: number): Opening => ({
    kind: "toolCall",
    id: textOf(item["call_id"]) || textOf(item["id"]) || `call_${context.call.id}_${output}`,
    name: textOf(item["name"]) ?? "",
    custom: item["type"] === "custom_tool_call" ? true : undefined,
  })
  const isTool = (item: JsonObject): boolean => item["type"] === "function_call" || item["type"] === "custom_tool_call"
  const added = (item: JsonObject, output: number): void => {
    if (isTool(item)) ensure(`${output}`, toolOpening(item, output))
  }
  /** Providers that send no pieces still say the whole at the end. */
  const done = (item: JsonObject, output: number): void => {
    const key = `${output}`
    if (isTool(item)) {
      ensure(key, toolOpening(item, output))
      if (!grown.has(key)) grow(key, textOf(item["arguments"]) ?? textOf(item["input"]) ?? "")
      close(key)
    } else if (item["type"] === "reasoning") {
      const thought = thoughtOf(item)
      if (thought.kind !== "reasoning" || (thought.text === "" && thought.hidden === undefined)) return close(key)
      ensure(key, { kind: "reasoning", id: thought.id })
      if (!grown.has(key)) grow(key, thought.text)
      if (thought.hidden !== undefined && open.has(key)) emit({ kind: "hide", key, hidden: thought.hidden })
      close(key)
    } else if (item["type"] === "message") {
      for (const [i, content] of objectsOf(item["content"]).entries()) {
        const part = `${output}.${i}`
        const refusal = content["type"] === "refusal"
        ensure(part, { kind: refusal ? "refusal" : "text" })
        if (!grown.has(part)) grow(part, textOf(content[refusal ? "refusal" : "text"]) ?? "")
        close(part)
      }
    } else if (item["type"] === "image_generation_call") {
      const data = textOf(item["result"])
      if (data === undefined) return
      ensure(key, {
        kind: "media",
        part: { kind: "image", source: { kind: "base64", mediaType: "image/png", data } },
      })
      close(key)
    }
  }
  const finish = (response: JsonObject): void => {
    start(response)
    for (const [output, item] of objectsOf(response["output"]).entries()) done(item, output)
    for (const key of open) close(key)
    const usage = readResponsesUsage(response["usage"])
    if (usage !== undefined) emit({ kind: "usage", usage })
    const reason = finishOf(response)
    emit({ kind: "finish", choice: 0, finish: reason === "stop" && called ? "toolCalls" : reason })
    emit({ kind: "end" })
  }
  const fail = (said: JsonObject): void => {
    const response = objectOf(said["response"])
    const usage = readResponsesUsage(at(response, "usage"))
    if (usage !== undefined) emit({ kind: "usage", usage })
    const error = readOpenAiError(response ?? said)
    emit({
      kind: "error",
      error: error ?? { kind: "internal", status: 500, message: "the model reported an error" },
    })
  }

  return {
    feed: ({ data, event }) => {
      const said = parseJson(data)
      if (!isObject(said)) return
      const output = numberOf(said["output_index"]) ?? 0
      const content = numberOf(said["content_index"]) ?? 0
      const key = `${output}`
      const part = `${output}.${content}`
      const delta = textOf(said["delta"]) ?? ""
      switch (said["type"] ?? event) {
        case "response.created":
        case "response.in_progress":
          return start(objectOf(said["response"]) ?? {})
        case "response.output_item.added":
          return added(objectOf(said["item"]) ?? {}, output)
        case "response.output_text.delta":
          ensure(part, { kind: "text" })
          return grow(part, delta, said["logprobs"])
        case "response.refusal.delta":
          ensure(part, { kind: "refusal" })
          return grow(part, delta)
        case "response.output_text.annotation.added": {
          const annotation = objectOf(said["annotation"])
          if (annotation !== undefined && open.has(part))
            emit({ kind: "cite", key: part, citation: citationOf(annotation) })
          return
        }
        case "response.content_part.done":
          return close(part)
        case "response.reasoning_summary_part.added":
          return (numberOf(said["summary_index"]) ?? 0) > 0 && grown.has(key) ? grow(key, "\n\n") : undefined
        case "response.reasoning_summary_text.delta":
        case "response.reasoning_text.delta":
          ensure(key, { kind: "reasoning", id: textOf(said["item_id"]) })
          return grow(key, delta)
        case "response.function_call_arguments.delta":
        case "response.custom_tool_call_input.delta":
          return grow(key, delta)
        case "response.output_item.done":
          return done(objectOf(said["item"]) ?? {}, output)
        case "response.completed":
        case "response.incomplete":
          return finish(objectOf(said["response"]) ?? {})
        case "response.failed":
        case "response.cancelled":
        case "error":
          return fail(said)
        default:
      }
    },
  }
}
