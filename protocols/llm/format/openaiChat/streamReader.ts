/** Chat Completion chunks as deltas. */
import type { Delta } from "../../Conversation.ts"
import { sourceOfUrl } from "../../dataUrl.ts"
import { readOpenAiError } from "../../errors/openai.ts"
import { at, isObject, type JsonObject, numberOf, objectOf, objectsOf, parseJson, textOf } from "../../Json.ts"
import { readSignature } from "../../signature.ts"
import { readOpenAiUsage } from "../../usage/openaiChat.ts"
import type { Context, StreamReader } from "../Format.ts"
import { citationOf, finishOf, thoughtIn } from "./readReply.ts"

interface Call {
  readonly key: string
  readonly id: string
  readonly custom: boolean
  input: string
}

/** What is open in one choice. */
interface Progress {
  /** Text, refusal or thought: one at a time. */
  said: { readonly kind: "text" | "refusal" | "reasoning"; readonly key: string } | undefined
  readonly calls: Map<number, Call>
  calledTools: boolean
  finished: boolean
}

/** No provider calls that many tools in parallel. */
const CALLS_MAX = 1024

export const streamReader = (context: Context, emit: (delta: Delta) => void): StreamReader => {
  let started = false
  let parts = 0
  const choices = new Map<number, Progress>()

  const progressOf = (choice: number): Progress => {
    let progress = choices.get(choice)
    if (progress === undefined) {
      progress = { said: undefined, calls: new Map(), calledTools: false, finished: false }
      choices.set(choice, progress)
    }
    return progress
  }
  const hush = (progress: Progress): void => {
    if (progress.said !== undefined) emit({ kind: "close", key: progress.said.key })
    progress.said = undefined
  }
  const speak = (choice: number, progress: Progress, kind: "text" | "refusal" | "reasoning"): string => {
    if (progress.said?.kind === kind) return progress.said.key
    hush(progress)
    closeWhole(progress)
    const key = `${parts++}`
    progress.said = { kind, key }
    emit({ kind: "open", key, choice, opening: { kind } })
    return key
  }
  /** Arguments that are whole JSON will not grow: the call can be closed before the next begins. */
  const closeWhole = (progress: Progress): void => {
    for (const [index, call] of progress.calls)
      if (!call.custom && /\}\s*$/.test(call.input) && isObject(parseJson(call.input))) {
        emit({ kind: "close", key: call.key })
        progress.calls.delete(index)
      }
  }
  const callTool = (choice: number, progress: Progress, one: JsonObject): void => {
    const custom = isObject(one["custom"])
    const body = objectOf(custom ? one["custom"] : one["function"]) ?? {}
    const id = textOf(one["id"])
    const name = textOf(body["name"])
    const index =
      numberOf(one["index"]) ?? (id === undefined ? Math.max(0, progress.calls.size - 1) : progress.calls.size)
    let call = progress.calls.get(index)
    // Some providers number every call 0: another id under the same number is another call.
    const another = call !== undefined && id !== undefined && id !== "" && id !== call.id && name !== undefined
    if (another && call !== undefined) {
      emit({ kind: "close", key: call.key })
      progress.calls.delete(index)
      call = undefined
    }
    if (call === undefined) {
      // A late rest of a call that was closed as whole can only be white space.
      if ((name === undefined || name === "") && (id === undefined || id === "") && progress.calledTools) return
      if (parts >= CALLS_MAX) return
      hush(progress)
      closeWhole(progress)
      progress.calledTools = true
      const key = `${parts++}`
      const google = textOf(at(one, "extra_content", "google", "thought_signature"))
      call = { key, id: id === undefined || id === "" ? `call_${context.call.id}_${key}` : id, custom, input: "" }
      progress.calls.set(index, call)
      emit({
        kind: "open",
        key,
        choice,
        opening: {
          kind: "toolCall",
          id: call.id,
          name: name ?? "",
          custom: custom ? true : undefined,
          signature: google === undefined ? undefined : { vendor: "google", value: google },
        },
      })
    }
    const input = textOf(body[custom ? "input" : "arguments"]) ?? ""
    if (input === "") return
    call.input += input
    emit({ kind: "grow", key: call.key, text: input })
  }
  const readChoice = (one: JsonObject): void => {
    const choice = numberOf(one["index"]) ?? 0
    const progress = progressOf(choice)
    if (progress.finished) return
    const delta = objectOf(one["delta"]) ?? objectOf(one["message"]) ?? {}
    const thought = textOf(delta["reasoning_content"]) ?? textOf(delta["reasoning"])
    if (thought !== undefined && thought !== "")
      emit({ kind: "grow", key: speak(choice, progress, "reasoning"), text: thought })
    const signature = textOf(delta["reasoning_signature"])
    if (signature !== undefined && signature !== "")
      emit({
        kind: "sign",
        key: speak(choice, progress, "reasoning"),
        signature: readSignature(signature, "anthropic"),
      })
    const logprobs = at(one, "logprobs", "content")
    const content = delta["content"]
    const texts: Array<string> = typeof content === "string" ? [content] : []
    for (const block of objectsOf(content))
      if (block["type"] !== "thinking") texts.push(textOf(block["text"]) ?? "")
      else emit({ kind: "grow", key: speak(choice, progress, "reasoning"), text: thoughtIn(block) })
    for (const text of texts)
      if (text !== "" || Array.isArray(logprobs))
        emit({
          kind: "grow",
          key: speak(choice, progress, "text"),
          text,
          ...(Array.isArray(logprobs) ? { logprobs } : {}),
        })
    const refusal = textOf(delta["refusal"])
    if (refusal !== undefined && refusal !== "")
      emit({ kind: "grow", key: speak(choice, progress, "refusal"), text: refusal })
    for (const annotation of objectsOf(delta["annotations"]))
      if (progress.said?.kind === "text")
        emit({ kind: "cite", key: progress.said.key, citation: citationOf(annotation) })
    for (const image of objectsOf(delta["images"])) {
      const url = textOf(at(image, "image_url", "url"))
      if (url === undefined) continue
      hush(progress)
      const key = `${parts++}`
      emit({ kind: "open", key, choice, opening: { kind: "media", part: { kind: "image", source: sourceOfUrl(url) } } })
      emit({ kind: "close", key })
    }
    for (const call of objectsOf(delta["tool_calls"])) callTool(choice, progress, call)
    const legacy = objectOf(delta["function_call"])
    if (legacy !== undefined) callTool(choice, progress, { index: 0, function: legacy })
    const reason = one["finish_reason"]
    if (typeof reason === "string") {
      hush(progress)
      for (const call of progress.calls.values()) emit({ kind: "close", key: call.key })
      progress.calls.clear()
      progress.finished = true
      emit({ kind: "finish", choice, finish: finishOf(reason, progress.calledTools) })
    }
  }

  return {
    feed: ({ data, event }) => {
      if (data === "[DONE]") return emit({ kind: "end" })
      const chunk = parseJson(data)
      if (!isObject(chunk)) return
      if ((chunk["error"] !== undefined && chunk["error"] !== null) || event === "error") {
        const error = readOpenAiError(chunk)
        return emit({
          kind: "error",
          error: error ?? { kind: "internal", status: 500, message: "the model reported an error" },
        })
      }
      if (!started) {
        started = true
        emit({
          kind: "start",
          id: textOf(chunk["id"]) || undefined,
          model: textOf(chunk["model"]) || undefined,
          createdSeconds: numberOf(chunk["created"]),
          serviceTier: textOf(chunk["service_tier"]),
          fingerprint: textOf(chunk["system_fingerprint"]),
        })
      }
      for (const one of objectsOf(chunk["choices"])) readChoice(one)
      const usage = readOpenAiUsage(chunk["usage"])
      if (usage !== undefined) emit({ kind: "usage", usage })
    },
  }
}
