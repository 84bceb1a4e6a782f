/** Deltas as chunks of streamGenerateContent. */
import type { Finish, Opening, Signature } from "../../Conversation.ts"
import { writeGoogleError } from "../../errors/google.ts"
import { compact, type JsonObject } from "../../Json.ts"
import type { WireEvent } from "../../Translation.ts"
import { writeGeminiUsage } from "../../usage/gemini.ts"
import type { Usage } from "../../Usage.ts"
import type { Context, StreamWriter } from "../Format.ts"
import { finishReason, logprobsResult, writeSignature } from "./fields.ts"
import { callPart, writePart } from "./writeReply.ts"

interface Open {
  readonly choice: number
  readonly opening: Opening
  /** Calls are given whole, so their arguments are gathered. */
  text: string
}

export const streamWriter = (context: Context, emit: (event: WireEvent) => void): StreamWriter => {
  let id = context.call.id
  let model = context.call.model
  let usage: Usage | undefined
  const open = new Map<string, Open>()
  const finishes = new Map<number, Finish>()

  const send = (candidates: ReadonlyArray<JsonObject>, more: JsonObject = {}): void =>
    emit({ data: JSON.stringify(compact({ candidates, ...more, modelVersion: model, responseId: id })) })
  const say = (choice: number, part: JsonObject, more: JsonObject = {}): void =>
    send([{ content: { role: "model", parts: [part] }, index: choice, ...more }])
  const sign = (part: Open, signature: Signature): void => {
    if (part.opening.kind === "reasoning")
      say(part.choice, { text: "", thought: true, thoughtSignature: writeSignature(signature) })
  }
  const close = (part: Open): void => {
    if (part.opening.kind === "toolCall")
      say(part.choice, callPart(part.opening, context.names.back(part.opening.name), part.text))
  }

  return {
    write: (one) => {
      switch (one.kind) {
        case "start":
          id = one.id ?? id
          model = one.model ?? model
          return
        case "open": {
          open.set(one.key, { choice: one.choice, opening: one.opening, text: "" })
          const media = one.opening.kind === "media" ? writePart(one.opening.part, context) : undefined
          if (media !== undefined) say(one.choice, media)
          return
        }
        case "grow": {
          const part = open.get(one.key)
          if (part === undefined || one.text === "") return
          if (part.opening.kind === "toolCall") part.text += one.text
          else if (part.opening.kind === "reasoning") say(part.choice, { text: one.text, thought: true })
          else
            say(
              part.choice,
              { text: one.text },
              one.logprobs === undefined ? {} : { logprobsResult: logprobsResult(one.logprobs) },
            )
          return
        }
        case "sign":
        case "hide": {
          const part = open.get(one.key)
          if (part !== undefined) sign(part, one.kind === "sign" ? one.signature : one.hidden)
          return
        }
        case "close": {
          const part = open.get(one.key)
          if (part !== undefined) close(part)
          open.delete(one.key)
          return
        }
        case "finish":
          finishes.set(one.choice, one.finish)
          return
        case "usage":
          usage = one.usage
          return
        default:
      }
    },
    end: () => {
      for (const part of open.values()) close(part)
      const ended = finishes.size === 0 ? [[0, "stop"] as const] : [...finishes]
      send(
        ended.map(([index, finish]) => ({
          content: { role: "model", parts: [{ text: "" }] },
          finishReason: finishReason(finish),
          index,
        })),
        usage === undefined ? {} : { usageMetadata: writeGeminiUsage(usage) },
      )
    },
    fail: (error) => emit({ data: JSON.stringify(writeGoogleError(error)) }),
  }
}
