/** Events of ConverseStream as deltas. */
import type { Delta, Opening } from "../../Conversation.ts"
import { readBedrockError } from "../../errors/bedrock.ts"
import { at, isObject, type JsonObject, numberOf, objectOf, parseJson, textOf } from "../../Json.ts"
import { readBedrockUsage } from "../../usage/bedrock.ts"
import type { Context, StreamReader } from "../Format.ts"
import { finishOf } from "./finish.ts"
import { citationOf } from "./readReply.ts"

export const streamReader = (context: Context, emit: (delta: Delta) => void): StreamReader => {
  /** Only tools announce their block; everything else begins with its first piece. */
  const open = new Map<number, { readonly key: string; readonly kind: Opening["kind"]; grown: boolean }>()
  let parts = 0
  let started = false
  let skipped = -1

  const start = (): void => {
    if (started) return
    started = true
    emit({ kind: "start", model: context.call.model })
  }
  const ensure = (index: number, opening: Opening): string => {
    const known = open.get(index)
    if (known !== undefined && known.kind === opening.kind) return known.key
    if (known !== undefined) emit({ kind: "close", key: known.key })
    const key = `${parts++}`
    open.set(index, { key, kind: opening.kind, grown: false })
    emit({ kind: "open", key, choice: 0, opening })
    return key
  }
  const grow = (index: number, delta: JsonObject): void => {
    const text = textOf(delta["text"])
    if (text !== undefined) return emit({ kind: "grow", key: ensure(index, { kind: "text" }), text })
    const input = textOf(at(delta, "toolUse", "input"))
    if (input !== undefined) {
      const tool = open.get(index)
      if (tool === undefined || index === skipped || input === "") return
      tool.grown = true
      return emit({ kind: "grow", key: tool.key, text: input })
    }
    const citation = objectOf(delta["citation"])
    if (citation !== undefined)
      return emit({ kind: "cite", key: ensure(index, { kind: "text" }), citation: citationOf(citation) })
    const thought = objectOf(delta["reasoningContent"])
    if (thought === undefined) return
    const key = ensure(index, { kind: "reasoning" })
    const words = textOf(thought["text"])
    if (words !== undefined) emit({ kind: "grow", key, text: words })
    const signature = textOf(thought["signature"])
    if (signature !== undefined && signature !== "")
      emit({ kind: "sign", key, signature: { vendor: "anthropic", value: signature } })
    const redacted = textOf(thought["redactedContent"])
    if (redacted !== undefined) emit({ kind: "hide", key, hidden: { vendor: "anthropic", value: redacted } })
  }
  const close = (index: number): void => {
    const block = open.get(index)
    if (block === undefined) return
    open.delete(index)
    // A tool that takes nothing is called with nothing said, and clients parse what was said.
    if (block.kind === "toolCall" && !block.grown) emit({ kind: "grow", key: block.key, text: "{}" })
    emit({ kind: "close", key: block.key })
  }

  return {
    feed: ({ data, event = "" }) => {
      const said = parseJson(data)
      if (event.startsWith("exception:"))
        return emit({ kind: "error", error: readBedrockError(said, event.slice("exception:".length)) })
      if (!isObject(said)) return
      const index = numberOf(said["contentBlockIndex"]) ?? 0
      switch (event) {
        case "messageStart":
          return start()
        case "contentBlockStart": {
          start()
          const use = objectOf(at(said, "start", "toolUse"))
          if (use === undefined) return
          if (use["type"] === "server_tool_use") {
            skipped = index
            return
          }
          ensure(index, {
            kind: "toolCall",
            id: textOf(use["toolUseId"]) || `call_${context.call.id}_${index}`,
            name: textOf(use["name"]) ?? "",
          })
          return
        }
        case "contentBlockDelta":
          start()
          return grow(index, objectOf(said["delta"]) ?? {})
        case "contentBlockStop":
          return close(index)
        case "messageStop":
          for (const one of open.keys()) close(one)
          return emit({ kind: "finish", choice: 0, finish: finishOf(said["stopReason"]) })
        case "metadata": {
          const usage = readBedrockUsage(said["usage"])
          if (usage !== undefined) emit({ kind: "usage", usage })
          return emit({ kind: "end" })
        }
        default:
      }
    },
  }
}
