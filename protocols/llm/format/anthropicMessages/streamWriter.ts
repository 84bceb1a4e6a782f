/** Deltas as events of Anthropic's Messages. */
import type { Delta, Finish, Opening } from "../../Conversation.ts"
import { writeAnthropicError } from "../../errors/anthropic.ts"
import type { JsonObject } from "../../Json.ts"
import { compact } from "../../Json.ts"
import { markSignature, signedId } from "../../signature.ts"
import type { WireEvent } from "../../Translation.ts"
import { writeAnthropicUsage } from "../../usage/anthropic.ts"
import type { Usage } from "../../Usage.ts"
import type { Context, StreamWriter } from "../Format.ts"
import { type PartDelta, PartsInTurn } from "../PartsInTurn.ts"
import { stopReason } from "./finish.ts"
import { citationsOf, messageId } from "./writeReply.ts"

interface Block {
  readonly opening: Opening
  index: number
  any: boolean
  signed: boolean
  text: string
}

/** Clients of this format take one block at a time. */
export const streamWriter = (context: Context, emit: (event: WireEvent) => void): StreamWriter => {
  let started = false
  let next = 0
  let block: Block | undefined
  const skipped = new Set<string>()
  let finish: Finish = "stop"
  let refused = false
  let stopSequence: string | undefined
  let usage: Usage = { inputTokens: 0, outputTokens: 0 }

  const send = (type: string, fields: JsonObject): void =>
    emit({ event: type, data: JSON.stringify({ type, ...fields }) })
  const start = (id?: string, model?: string): void => {
    if (started) return
    started = true
    send("message_start", {
      message: {
        id: messageId(id, context),
        type: "message",
        role: "assistant",
        model: model ?? context.call.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: writeAnthropicUsage(usage),
      },
    })
  }
  const delta = (index: number, fields: JsonObject): void => send("content_block_delta", { index, delta: fields })
  const contentOf = (opening: Opening): JsonObject | undefined => {
    switch (opening.kind) {
      case "text":
      case "refusal":
        return { type: "text", text: "", citations: null }
      case "reasoning":
        return { type: "thinking", thinking: "", signature: "" }
      case "toolCall":
        return {
          type: "tool_use",
          id: signedId(opening.id, opening.signature),
          name: context.names.back(opening.name),
          input: {},
        }
      default:
        return undefined
    }
  }
  const close = (): void => {
    if (block === undefined) return
    const { opening, index } = block
    if (index >= 0) {
      if (opening.kind === "toolCall" && opening.custom === true)
        delta(index, { type: "input_json_delta", partial_json: JSON.stringify({ input: block.text }) })
      else if (opening.kind === "toolCall" && !block.any) delta(index, { type: "input_json_delta", partial_json: "{}" })
      send("content_block_stop", { index })
    }
    block = undefined
  }
  /** A thought is announced with its first words: one that is hidden has another type. */
  const announce = (content: JsonObject): void => {
    if (block === undefined || block.index >= 0) return
    block.index = next++
    send("content_block_start", { index: block.index, content_block: content })
  }
  const grow = (one: Extract<Delta, { kind: "grow" }>): void => {
    if (block === undefined) return
    const { opening } = block
    if (one.text === "") return
    if (opening.kind === "toolCall" && opening.custom === true) {
      block.text += one.text
      return
    }
    announce(contentOf(opening) ?? {})
    block.any = true
    if (opening.kind === "toolCall") delta(block.index, { type: "input_json_delta", partial_json: one.text })
    else if (opening.kind === "reasoning") delta(block.index, { type: "thinking_delta", thinking: one.text })
    else delta(block.index, { type: "text_delta", text: one.text })
  }
  const apply = (one: PartDelta): void => {
    switch (one.kind) {
      case "open":
        start()
        if (one.opening.kind === "refusal") refused = true
        block = { opening: one.opening, index: -1, any: false, signed: false, text: "" }
        if (one.opening.kind === "toolCall") announce(contentOf(one.opening) ?? {})
        break
      case "grow":
        grow(one)
        break
      case "sign":
        if (block?.opening.kind !== "reasoning") break
        announce(contentOf(block.opening) ?? {})
        block.signed = true
        delta(block.index, { type: "signature_delta", signature: markSignature(one.signature, "anthropic") })
        break
      case "hide": {
        if (block?.opening.kind !== "reasoning") break
        const data = markSignature(one.hidden, "anthropic")
        if (block.index < 0) announce({ type: "redacted_thinking", data })
        else if (!block.signed) delta(block.index, { type: "signature_delta", signature: data })
        break
      }
      case "cite": {
        if (block?.opening.kind !== "text" || block.index < 0) break
        for (const citation of citationsOf({ kind: "text", text: "", citations: [one.citation] }))
          delta(block.index, { type: "citations_delta", citation })
        break
      }
      case "close":
        close()
        break
      default:
    }
  }
  const parts = new PartsInTurn(apply)

  return {
    write: (one) => {
      switch (one.kind) {
        case "start":
          start(one.id, one.model)
          break
        case "open":
          // This format answers once: other choices are not passed on.
          if (one.choice !== 0 || contentOf(one.opening) === undefined) skipped.add(one.key)
          else parts.take(one)
          break
        case "grow":
        case "sign":
        case "hide":
        case "cite":
        case "close":
          if (!skipped.has(one.key)) parts.take(one)
          break
        case "finish":
          if (one.choice !== 0) break
          finish = one.finish
          stopSequence = one.stopSequence
          break
        case "usage":
          usage = one.usage
          break
        default:
      }
    },
    end: () => {
      start()
      parts.finish()
      send("message_delta", {
        delta: {
          stop_reason: stopReason(finish === "stop" && refused ? "refusal" : finish),
          stop_sequence: stopSequence ?? null,
        },
        usage: compact(writeAnthropicUsage(usage)),
      })
      send("message_stop", {})
    },
    fail: (error) => emit({ event: "error", data: JSON.stringify(writeAnthropicError(error)) }),
  }
}
