/** Chunks of streamGenerateContent as deltas. */
import type { Delta } from "../../Conversation.ts"
import { readGoogleError } from "../../errors/google.ts"
import { isObject, type JsonObject, numberOf, objectOf, objectsOf, parseJson, textOf } from "../../Json.ts"
import { readGeminiUsage } from "../../usage/gemini.ts"
import type { Context, StreamReader } from "../Format.ts"
import { field, finishOf, logprobsOf } from "./fields.ts"
import { callId, citationsOf } from "./readReply.ts"

interface Progress {
  said: { readonly kind: "text" | "reasoning"; readonly key: string } | undefined
  calls: number
  finished: boolean
}

export const streamReader = (context: Context, emit: (delta: Delta) => void): StreamReader => {
  let started = false
  let parts = 0
  const choices = new Map<number, Progress>()

  const progressOf = (choice: number): Progress => {
    let progress = choices.get(choice)
    if (progress === undefined) choices.set(choice, (progress = { said: undefined, calls: 0, finished: false }))
    return progress
  }
  const hush = (progress: Progress): void => {
    if (progress.said !== undefined) emit({ kind: "close", key: progress.said.key })
    progress.said = undefined
  }
  const speak = (choice: number, progress: Progress, kind: "text" | "reasoning"): string => {
    if (progress.said?.kind === kind) return progress.said.key
    hush(progress)
    const key = `${parts++}`
    progress.said = { kind, key }
    emit({ kind: "open", key, choice, opening: { kind } })
    return key
  }
  const readPart = (
    part: JsonObject,
    choice: number,
    progress: Progress,
    logprobs: ReadonlyArray<unknown> | undefined,
  ): void => {
    const signed = textOf(field(part, "thoughtSignature"))
    const signature = signed === undefined || signed === "" ? undefined : ({ vendor: "google", value: signed } as const)
    const call = objectOf(field(part, "functionCall"))
    const inline = objectOf(field(part, "inlineData"))
    const text = textOf(part["text"])
    if (call !== undefined) {
      hush(progress)
      const key = `${parts++}`
      emit({
        kind: "open",
        key,
        choice,
        opening: {
          kind: "toolCall",
          id: textOf(call["id"]) || callId(context, choice, progress.calls),
          name: textOf(call["name"]) ?? "",
          signature,
        },
      })
      progress.calls++
      emit({ kind: "grow", key, text: JSON.stringify(objectOf(call["args"]) ?? {}) })
      emit({ kind: "close", key })
    } else if (inline !== undefined) {
      hush(progress)
      const mediaType = textOf(field(inline, "mimeType")) ?? "application/octet-stream"
      const source = { kind: "base64", mediaType, data: textOf(inline["data"]) ?? "" } as const
      const key = `${parts++}`
      const kind = mediaType.startsWith("image/") ? "image" : "media"
      emit({ kind: "open", key, choice, opening: { kind: "media", part: { kind, source } } })
      emit({ kind: "close", key })
    } else if (text !== undefined) {
      const kind = part["thought"] === true ? "reasoning" : "text"
      if (text === "" && (signature === undefined || progress.said === undefined)) return
      const key = text === "" && progress.said !== undefined ? progress.said.key : speak(choice, progress, kind)
      if (text !== "") emit({ kind: "grow", key, text, ...(logprobs === undefined ? {} : { logprobs }) })
      if (signature !== undefined) emit({ kind: "sign", key, signature })
    }
  }
  const readCandidate = (candidate: JsonObject): void => {
    const choice = numberOf(candidate["index"]) ?? 0
    const progress = progressOf(choice)
    if (progress.finished) return
    const logprobs = logprobsOf(field(candidate, "logprobsResult"))
    for (const [i, part] of objectsOf(field(candidate["content"], "parts")).entries())
      readPart(part, choice, progress, i === 0 ? logprobs : undefined)
    if (progress.said?.kind === "text")
      for (const citation of citationsOf(candidate)) emit({ kind: "cite", key: progress.said.key, citation })
    const reason = textOf(field(candidate, "finishReason"))
    if (reason !== undefined && reason !== "FINISH_REASON_UNSPECIFIED") {
      hush(progress)
      progress.finished = true
      emit({ kind: "finish", choice, finish: finishOf(reason, progress.calls > 0) })
    }
  }

  return {
    feed: ({ data }) => {
      const parsed = parseJson(data)
      const chunk: unknown = Array.isArray(parsed) ? parsed[0] : parsed
      if (!isObject(chunk)) return
      if (chunk["error"] !== undefined)
        return emit({
          kind: "error",
          error: readGoogleError(chunk) ?? { kind: "internal", status: 500, message: "the model reported an error" },
        })
      if (!started) {
        started = true
        emit({
          kind: "start",
          id: textOf(field(chunk, "responseId")),
          model: textOf(field(chunk, "modelVersion")),
        })
      }
      const candidates = objectsOf(chunk["candidates"])
      for (const candidate of candidates) readCandidate(candidate)
      const blocked = textOf(field(field(chunk, "promptFeedback"), "blockReason"))
      if (blocked !== undefined && candidates.length === 0 && !progressOf(0).finished) {
        progressOf(0).finished = true
        emit({ kind: "finish", choice: 0, finish: "contentFilter" })
      }
      const usage = readGeminiUsage(field(chunk, "usageMetadata"))
      if (usage !== undefined) emit({ kind: "usage", usage })
    },
  }
}
