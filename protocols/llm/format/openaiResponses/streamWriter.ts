/** Deltas as the typed events of a response. */
import type { Citation, Delta, Finish, Opening, Signature } from "../../Conversation.ts"
import { writeResponsesError } from "../../errors/openai.ts"
import type { JsonObject } from "../../Json.ts"
import type { WireEvent } from "../../Translation.ts"
import type { Usage } from "../../Usage.ts"
import type { Context, StreamWriter } from "../Format.ts"
import { clientTools } from "./clientTools.ts"
import {
  annotationOf,
  ending,
  imageItem,
  itemId,
  messageItem,
  reasoningItem,
  refusalContent,
  responseId,
  textContent,
  toolCallItem,
  toolCallPrefix,
  writeResponse,
} from "./writeItems.ts"

interface Open {
  readonly opening: Opening
  readonly itemId: string
  readonly outputIndex: number
  readonly contentIndex: number
  text: string
  summarised: boolean
  readonly citations: Array<Citation>
  readonly logprobs: Array<unknown>
  signature: Signature | undefined
  hidden: Signature | undefined
}

export const streamWriter = (context: Context, emit: (event: WireEvent) => void): StreamWriter => {
  let sequence = 0
  let started = false
  let id = ""
  let model = ""
  let createdSeconds = 0
  let finish: Finish | undefined
  let usage: Usage | undefined
  /** Items as they are when finished, by their place. */
  const output: Array<JsonObject> = []
  const open = new Map<string, Open>()
  const tools = clientTools(context.body)
  let message: { readonly id: string; readonly index: number; readonly content: Array<JsonObject> } | undefined

  const send = (type: string, fields: JsonObject): void =>
    emit({ event: type, data: JSON.stringify({ type, sequence_number: sequence++, ...fields }) })
  const response = (
    status: "in_progress" | "completed" | "incomplete" | "failed",
    more: { readonly reason?: string | undefined; readonly error?: JsonObject } = {},
  ): JsonObject => writeResponse({ id, model, createdSeconds, status, ...more, output, usage }, context)
  const start = (delta?: Extract<Delta, { kind: "start" }>): void => {
    if (started) return
    started = true
    id = responseId(delta?.id, context)
    model = delta?.model ?? context.call.model
    createdSeconds = delta?.createdSeconds ?? Math.floor(context.call.nowMillis / 1000)
    const before = writeResponse({ id, model, createdSeconds, status: "in_progress", output: [] }, context)
    send("response.created", { response: before })
    send("response.in_progress", { response: before })
  }
  /** Takes a place in the output; what stands there until the item is done is how it began. */
  const announce = (item: JsonObject): number => {
    const index = output.length
    output.push(item)
    send("response.output_item.added", { output_index: index, item })
    return index
  }
  const done = (index: number, item: JsonObject): void => {
    output[index] = item
    send("response.output_item.done", { output_index: index, item })
  }
  const endMessage = (): void => {
    if (message === undefined) return
    done(message.index, messageItem(message.id, message.content, "completed"))
    message = undefined
  }
  const place = (key: string, opening: Opening, item: string, outputIndex: number, contentIndex: number): void => {
    open.set(key, {
      opening,
      itemId: item,
      outputIndex,
      contentIndex,
      text: "",
      summarised: false,
      citations: [],
      logprobs: [],
      signature: undefined,
      hidden: undefined,
    })
  }
  const begin = (key: string, opening: Opening): void => {
    start()
    if (opening.kind === "text" || opening.kind === "refusal") {
      if (message === undefined) {
        const item = itemId("msg", context, output.length)
        message = { id: item, index: announce(messageItem(item, [], "in_progress")), content: [] }
      }
      const content_index = message.content.length
      const part = opening.kind === "text" ? textContent("", [], []) : refusalContent("")
      message.content.push(part)
      send("response.content_part.added", { item_id: message.id, output_index: message.index, content_index, part })
      return place(key, opening, message.id, message.index, content_index)
    }
    endMessage()
    if (opening.kind === "reasoning") {
      const item = opening.id ?? itemId("rs", context, output.length)
      return place(key, opening, item, announce(reasoningItem(item, { text: "" }, "in_progress")), 0)
    }
    if (opening.kind === "toolCall") {
      const name = context.names.back(opening.name)
      const item = itemId(toolCallPrefix(opening.custom, tools.builtIn(name)), context, output.length)
      return place(key, opening, item, announce(toolCallItem(item, opening, name, "", "in_progress", tools)), 0)
    }
    if (opening.part.kind === "image" && opening.part.source.kind === "base64") {
      const image = imageItem(itemId("ig", context, output.length), opening.part.source.data)
      done(announce({ ...image, status: "in_progress", result: null }), image)
    }
  }
  const where = (part: Open): JsonObject => ({ item_id: part.itemId, output_index: part.outputIndex })
  const grow = (part: Open, text: string, logprobs: ReadonlyArray<unknown> | undefined): void => {
    part.text += text
    if (logprobs !== undefined) part.logprobs.push(...logprobs)
    const inContent = { ...where(part), content_index: part.contentIndex }
    switch (part.opening.kind) {
      case "text":
        return send("response.output_text.delta", { ...inContent, delta: text, logprobs: logprobs ?? [] })
      case "refusal":
        return send("response.refusal.delta", { ...inContent, delta: text })
      case "reasoning":
        if (!part.summarised) {
          part.summarised = true
          send("response.reasoning_summary_part.added", {
            ...where(part),
            summary_index: 0,
            part: { type: "summary_text", text: "" },
          })
        }
        return send("response.reasoning_summary_text.delta", { ...where(part), summary_index: 0, delta: text })
      case "toolCall":
        // What is built in is only said whole.
        if (tools.builtIn(context.names.back(part.opening.name)) !== undefined) return
        return send(
          part.opening.custom === true
            ? "response.custom_tool_call_input.delta"
            : "response.function_call_arguments.delta",
          { ...where(part), delta: text },
        )
      default:
    }
  }
  const close = (part: Open): void => {
    const inContent = { ...where(part), content_index: part.contentIndex }
    switch (part.opening.kind) {
      case "text": {
        const content = textContent(part.text, part.citations, part.logprobs)
        send("response.output_text.done", { ...inContent, text: part.text, logprobs: part.logprobs })
        send("response.content_part.done", { ...inContent, part: content })
        if (message !== undefined) message.content[part.contentIndex] = content
        return
      }
      case "refusal": {
        const content = refusalContent(part.text)
        send("response.refusal.done", { ...inContent, refusal: part.text })
        send("response.content_part.done", { ...inContent, part: content })
        if (message !== undefined) message.content[part.contentIndex] = content
        return
      }
      case "reasoning": {
        const summary = { type: "summary_text", text: part.text }
        if (part.summarised) {
          send("response.reasoning_summary_text.done", { ...where(part), summary_index: 0, text: part.text })
          send("response.reasoning_summary_part.done", { ...where(part), summary_index: 0, part: summary })
        }
        return done(part.outputIndex, {
          ...reasoningItem(part.itemId, part, "completed"),
          id: part.itemId,
        })
      }
      case "toolCall": {
        const { opening } = part
        const name = context.names.back(opening.name)
        const called = (): JsonObject => toolCallItem(part.itemId, opening, name, part.text, "completed", tools)
        if (tools.builtIn(name) !== undefined) return done(part.outputIndex, called())
        if (opening.custom !== true && part.text === "") grow(part, "{}", undefined)
        if (opening.custom === true) send("response.custom_tool_call_input.done", { ...where(part), input: part.text })
        else send("response.function_call_arguments.done", { ...where(part), arguments: part.text })
        return done(part.outputIndex, called())
      }
      default:
    }
  }
  const cite = (part: Open, citation: Citation): void => {
    const annotation = annotationOf(citation)
    if (annotation === undefined || part.opening.kind !== "text") return
    send("response.output_text.annotation.added", {
      ...where(part),
      content_index: part.contentIndex,
      annotation_index: part.citations.length,
      annotation,
    })
    part.citations.push(citation)
  }
  const closeAll = (): void => {
    for (const part of open.values()) close(part)
    open.clear()
    endMessage()
  }

  return {
    write: (one) => {
      switch (one.kind) {
        case "start":
          return start(one)
        case "open":
          // A response has no alternatives.
          return one.choice === 0 ? begin(one.key, one.opening) : undefined
        case "usage":
          usage = one.usage
          return
        case "finish":
          if (one.choice === 0) finish = one.finish
          return
        case "grow":
        case "sign":
        case "hide":
        case "cite":
        case "close": {
          const part = open.get(one.key)
          if (part === undefined) return
          if (one.kind === "grow") return one.text === "" ? undefined : grow(part, one.text, one.logprobs)
          if (one.kind === "cite") return cite(part, one.citation)
          if (one.kind === "sign") part.signature = one.signature
          else if (one.kind === "hide") part.hidden = one.hidden
          else {
            close(part)
            open.delete(one.key)
          }
          return
        }
        default:
      }
    },
    end: () => {
      start()
      closeAll()
      const { status, reason } = ending(finish)
      send(`response.${status}`, { response: response(status, { reason }) })
    },
    fail: (error) => {
      start()
      const written = writeResponsesError(error)
      send("error", { ...written.event })
      send("response.failed", { response: response("failed", { error: written.error }) })
    },
  }
}
