/** Events of Anthropic's Messages as deltas. */
import type { Delta } from "../../Conversation.ts"
import { readAnthropicError } from "../../errors/anthropic.ts"
import { at, isObject, type JsonObject, numberOf, objectOf, parseJson, textOf } from "../../Json.ts"
import { readAnthropicUsage } from "../../usage/anthropic.ts"
import type { Usage } from "../../Usage.ts"
import type { Context, StreamReader } from "../Format.ts"
import { finishOf } from "./finish.ts"
import { citationOf } from "./readRequest.ts"

interface Block {
  readonly key: string
  readonly type: string
  /** What the block held when it was announced, for providers that send no pieces. */
  readonly whole: unknown
  grown: boolean
}

export const streamReader = (context: Context, emit: (delta: Delta) => void): StreamReader => {
  const blocks = new Map<number, Block>()
  let parts = 0
  let before: Usage | undefined

  /** The last event repeats the output and may leave the input out; what was said stays. */
  const account = (raw: unknown): void => {
    const usage = readAnthropicUsage(raw)
    if (usage === undefined) return
    const repeats = at(raw, "input_tokens") !== undefined
    before =
      before === undefined || repeats
        ? {
            ...usage,
            cacheReadTokens: usage.cacheReadTokens ?? before?.cacheReadTokens,
            cacheWriteTokens: usage.cacheWriteTokens ?? before?.cacheWriteTokens,
          }
        : {
            ...before,
            outputTokens: usage.outputTokens,
            reasoningTokens: usage.reasoningTokens ?? before.reasoningTokens,
          }
    emit({ kind: "usage", usage: before })
  }
  const begin = (index: number, block: JsonObject): void => {
    const type = textOf(block["type"]) ?? ""
    const key = `${parts++}`
    const opening =
      type === "text"
        ? ({ kind: "text" } as const)
        : type === "thinking" || type === "redacted_thinking"
          ? ({ kind: "reasoning" } as const)
          : type === "tool_use"
            ? ({
                kind: "toolCall",
                id: textOf(block["id"]) || `call_${context.call.id}_${key}`,
                name: textOf(block["name"]) ?? "",
              } as const)
            : undefined
    if (opening === undefined) return
    blocks.set(index, { key, type, whole: block["input"], grown: false })
    emit({ kind: "open", key, choice: 0, opening })
    const text = textOf(block["text"]) ?? textOf(block["thinking"]) ?? ""
    if (text !== "") emit({ kind: "grow", key, text })
    const data = textOf(block["data"])
    if (type === "redacted_thinking" && data !== undefined)
      emit({ kind: "hide", key, hidden: { vendor: "anthropic", value: data } })
    const signature = textOf(block["signature"])
    if (signature !== undefined && signature !== "")
      emit({ kind: "sign", key, signature: { vendor: "anthropic", value: signature } })
  }
  const grow = (block: Block, delta: JsonObject): void => {
    const { key } = block
    switch (delta["type"]) {
      case "text_delta":
        return emit({ kind: "grow", key, text: textOf(delta["text"]) ?? "" })
      case "thinking_delta":
        return emit({ kind: "grow", key, text: textOf(delta["thinking"]) ?? "" })
      case "input_json_delta": {
        const text = textOf(delta["partial_json"]) ?? ""
        if (text === "") return
        block.grown = true
        return emit({ kind: "grow", key, text })
      }
      case "signature_delta":
        return emit({ kind: "sign", key, signature: { vendor: "anthropic", value: textOf(delta["signature"]) ?? "" } })
      case "citations_delta": {
        const citation = objectOf(delta["citation"])
        if (citation !== undefined) emit({ kind: "cite", key, citation: citationOf(citation) })
        return
      }
      default:
    }
  }
  const finish = (index: number, block: Block): void => {
    if (block.type === "tool_use" && !block.grown)
      emit({ kind: "grow", key: block.key, text: isObject(block.whole) ? JSON.stringify(block.whole) : "{}" })
    emit({ kind: "close", key: block.key })
    blocks.delete(index)
  }

  return {
    feed: ({ data, event }) => {
      const said = parseJson(data)
      if (!isObject(said)) return
      const index = numberOf(said["index"]) ?? 0
      switch (said["type"] ?? event) {
        case "message_start": {
          const message = objectOf(said["message"]) ?? {}
          emit({ kind: "start", id: textOf(message["id"]), model: textOf(message["model"]) })
          return account(message["usage"])
        }
        case "content_block_start":
          return begin(index, objectOf(said["content_block"]) ?? {})
        case "content_block_delta": {
          const block = blocks.get(index)
          return block === undefined ? undefined : grow(block, objectOf(said["delta"]) ?? {})
        }
        case "content_block_stop": {
          const block = blocks.get(index)
          return block === undefined ? undefined : finish(index, block)
        }
        case "message_delta": {
          for (const [open, block] of blocks) finish(open, block)
          account(said["usage"])
          const reason = textOf(at(said, "delta", "stop_reason"))
          if (reason !== undefined)
            emit({
              kind: "finish",
              choice: 0,
              finish: finishOf(reason),
              stopSequence: textOf(at(said, "delta", "stop_sequence")),
            })
          return
        }
        case "message_stop":
          return emit({ kind: "end" })
        case "error":
          return emit({
            kind: "error",
            error: readAnthropicError(said) ?? {
              kind: "internal",
              status: 500,
              message: "the model reported an error",
            },
          })
        default:
      }
    },
  }
}
