/** Deltas as Chat Completion chunks. */
import type { Opening } from "../../Conversation.ts"
import { writeOpenAiError } from "../../errors/openai.ts"
import { compact, type JsonObject } from "../../Json.ts"
import { markSignature } from "../../signature.ts"
import type { WireEvent } from "../../Translation.ts"
import type { Usage } from "../../Usage.ts"
import type { Context, StreamWriter } from "../Format.ts"
import { annotationOf, finishReason, replyId, toolCallId, writeUsage } from "./writeReply.ts"

interface Open {
  readonly choice: number
  readonly opening: Opening
  /** Among the tool calls of its choice. */
  readonly index: number
  grown: boolean
}

export const streamWriter = (context: Context, emit: (event: WireEvent) => void): StreamWriter => {
  let id = ""
  let created = 0
  let model = ""
  let tier: string | undefined
  let fingerprint: string | undefined
  let usage: Usage | undefined
  const open = new Map<string, Open>()
  const greeted = new Set<number>()
  const calls = new Map<number, number>()
  const wantsUsage = context.request.streamUsage === true

  const start = (): void => {
    if (id !== "") return
    id = replyId(undefined, context)
    created = Math.floor(context.call.nowMillis / 1000)
    model = context.call.model
  }
  const send = (choices: ReadonlyArray<JsonObject>, more: JsonObject = {}): void => {
    start()
    emit({
      data: JSON.stringify(
        compact({
          id,
          object: "chat.completion.chunk",
          created,
          model,
          service_tier: tier,
          system_fingerprint: fingerprint,
          choices,
          ...more,
        }),
      ),
    })
  }
  const delta = (choice: number, fields: JsonObject, logprobs?: ReadonlyArray<unknown>): void => {
    const first = !greeted.has(choice)
    if (first) greeted.add(choice)
    send([
      {
        index: choice,
        delta: first ? { role: "assistant", ...("content" in fields ? {} : { content: null }), ...fields } : fields,
        logprobs: logprobs === undefined ? null : { content: logprobs, refusal: null },
        finish_reason: null,
      },
    ])
  }
  const opened = (key: string, choice: number, opening: Opening): void => {
    let index = 0
    if (opening.kind === "toolCall") {
      index = calls.get(choice) ?? 0
      calls.set(choice, index + 1)
      const name = context.names.back(opening.name)
      const call = toolCallId(opening)
      delta(choice, {
        tool_calls: [
          opening.custom === true
            ? { index, id: call, type: "custom", custom: { name, input: "" } }
            : { index, id: call, type: "function", function: { name, arguments: "" } },
        ],
      })
    } else if (opening.kind === "media" && opening.part.source.kind === "base64") {
      const { mediaType, data } = opening.part.source
      if (opening.part.kind === "image")
        delta(choice, { images: [{ type: "image_url", image_url: { url: `data:${mediaType};base64,${data}` } }] })
      else delta(choice, { audio: { id: `audio_${context.call.id}`, data, transcript: opening.part.transcript ?? "" } })
    }
    open.set(key, { choice, opening, index, grown: false })
  }

  return {
    write: (one) => {
      switch (one.kind) {
        case "start":
          id = replyId(one.id, context)
          created = one.createdSeconds ?? Math.floor(context.call.nowMillis / 1000)
          model = one.model ?? context.call.model
          tier = one.serviceTier
          fingerprint = one.fingerprint
          break
        case "open":
          opened(one.key, one.choice, one.opening)
          break
        case "grow": {
          const part = open.get(one.key)
          if (part === undefined || (one.text === "" && one.logprobs === undefined)) break
          part.grown = true
          if (part.opening.kind === "text") delta(part.choice, { content: one.text }, one.logprobs)
          else if (part.opening.kind === "refusal") delta(part.choice, { refusal: one.text })
          else if (part.opening.kind === "reasoning") delta(part.choice, { reasoning_content: one.text })
          else if (part.opening.kind === "toolCall")
            delta(part.choice, {
              tool_calls: [
                {
                  index: part.index,
                  ...(part.opening.custom === true
                    ? { custom: { input: one.text } }
                    : { function: { arguments: one.text } }),
                },
              ],
            })
          break
        }
        case "sign": {
          const part = open.get(one.key)
          if (part?.opening.kind === "reasoning")
            delta(part.choice, { reasoning_signature: markSignature(one.signature, "anthropic") })
          break
        }
        case "hide": {
          const part = open.get(one.key)
          const mark = markSignature(one.hidden, "anthropic")
          if (part?.grown === true) delta(part.choice, { reasoning_signature: mark })
          else if (part !== undefined)
            delta(part.choice, { thinking_blocks: [{ type: "redacted_thinking", data: mark }] })
          break
        }
        case "cite": {
          const part = open.get(one.key)
          const annotation = annotationOf(one.citation)
          if (part !== undefined && annotation !== undefined) delta(part.choice, { annotations: [annotation] })
          break
        }
        case "close":
          open.delete(one.key)
          break
        case "finish":
          if (!greeted.has(one.choice)) delta(one.choice, { content: "" })
          send([{ index: one.choice, delta: {}, logprobs: null, finish_reason: finishReason(one.finish) }])
          break
        case "usage":
          usage = one.usage
          break
        default:
      }
    },
    end: () => {
      if (wantsUsage && usage !== undefined) send([], { usage: writeUsage(usage) })
      emit({ data: "[DONE]" })
    },
    fail: (error) => {
      if (wantsUsage && usage !== undefined) send([], { usage: writeUsage(usage) })
      emit({ data: JSON.stringify(writeOpenAiError(error)) })
    },
  }
}
