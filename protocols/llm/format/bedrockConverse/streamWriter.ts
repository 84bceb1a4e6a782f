/** Deltas as events of ConverseStream. */
import type { Delta, Finish, Opening } from "../../Conversation.ts"
import { bedrockException } from "../../errors/bedrock.ts"
import type { JsonObject } from "../../Json.ts"
import { markSignature, signedId } from "../../signature.ts"
import type { WireEvent } from "../../Translation.ts"
import type { Usage } from "../../Usage.ts"
import { writeBedrockUsage } from "../../usage/bedrock.ts"
import type { Context, StreamWriter } from "../Format.ts"
import { type PartDelta, PartsInTurn } from "../PartsInTurn.ts"
import { stopReason } from "./finish.ts"
import { writeRedacted } from "./redacted.ts"
import { citationsOf } from "./writeReply.ts"

interface Block {
  readonly opening: Opening
  readonly index: number
  /** Only tools announce themselves; what says nothing is not there. */
  isSaid: boolean
  hasInput: boolean
  /** Of a tool that takes a text: all of it, since it is sent as JSON. */
  text: string
}

export const streamWriter = (context: Context, emit: (event: WireEvent) => void): StreamWriter => {
  let started = false
  let next = 0
  let block: Block | undefined
  const skipped = new Set<string>()
  let finish: Finish = "stop"
  let usage: Usage = { inputTokens: 0, outputTokens: 0 }

  const send = (event: string, body: JsonObject): void => emit({ event, data: JSON.stringify(body) })
  const start = (): void => {
    if (started) return
    started = true
    send("messageStart", { role: "assistant" })
  }
  const say = (delta: JsonObject): void => {
    if (block === undefined) return
    if (!block.isSaid) next++
    block.isSaid = true
    send("contentBlockDelta", { contentBlockIndex: block.index, delta })
  }
  const apply = (one: PartDelta): void => {
    switch (one.kind) {
      case "open": {
        start()
        const { opening } = one
        block = { opening, index: next, isSaid: false, hasInput: false, text: "" }
        if (opening.kind !== "toolCall") break
        block.isSaid = true
        next++
        send("contentBlockStart", {
          contentBlockIndex: block.index,
          start: {
            toolUse: { toolUseId: signedId(opening.id, opening.signature), name: context.names.back(opening.name) },
          },
        })
        break
      }
      case "grow":
        if (block === undefined || one.text === "") break
        if (block.opening.kind === "reasoning") say({ reasoningContent: { text: one.text } })
        else if (block.opening.kind !== "toolCall") say({ text: one.text })
        else if (block.opening.custom === true) block.text += one.text
        else {
          block.hasInput = true
          say({ toolUse: { input: one.text } })
        }
        break
      case "sign":
        if (block?.opening.kind === "reasoning")
          say({ reasoningContent: { signature: markSignature(one.signature, "anthropic") } })
        break
      case "hide":
        if (block?.opening.kind !== "reasoning") break
        // A thought that was also told keeps what is hidden as its signature, as its only other field.
        if (block.isSaid) say({ reasoningContent: { signature: markSignature(one.hidden, "anthropic") } })
        else say({ reasoningContent: { redactedContent: writeRedacted(one.hidden) } })
        break
      case "cite":
        if (block?.opening.kind !== "text") break
        for (const citation of citationsOf({ kind: "text", text: "", citations: [one.citation] })) say({ citation })
        break
      case "close": {
        if (block === undefined) break
        if (block.opening.kind === "toolCall") {
          if (block.opening.custom === true) say({ toolUse: { input: JSON.stringify({ input: block.text }) } })
          else if (!block.hasInput) say({ toolUse: { input: "{}" } })
        }
        if (block.isSaid) send("contentBlockStop", { contentBlockIndex: block.index })
        block = undefined
        break
      }
    }
  }
  const parts = new PartsInTurn(apply)

  return {
    write: (one: Delta) => {
      switch (one.kind) {
        case "start":
          start()
          break
        case "open":
          // This format answers once, and its streams carry no pictures.
          if (one.choice !== 0 || one.opening.kind === "media") skipped.add(one.key)
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
          if (one.choice === 0) finish = one.finish
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
      send("messageStop", { stopReason: stopReason(finish) })
      send("metadata", { usage: writeBedrockUsage(usage), metrics: { latencyMs: 0 } })
    },
    fail: (error) =>
      emit({ event: `exception:${bedrockException(error)}`, data: JSON.stringify({ message: error.message }) }),
  }
}
