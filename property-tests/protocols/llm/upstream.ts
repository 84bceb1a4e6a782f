/** What an upstream of each format would send: replies and streams, written from what a generator made. */
import type { ChatReply, Delta } from "../../../protocols/llm/Conversation.ts"
import { anthropicMessages } from "../../../protocols/llm/format/anthropicMessages.ts"
import { bedrockConverse } from "../../../protocols/llm/format/bedrockConverse.ts"
import type { ClientHalf, Context, UpstreamHalf } from "../../../protocols/llm/format/Format.ts"
import { gemini } from "../../../protocols/llm/format/gemini.ts"
import { openaiChat } from "../../../protocols/llm/format/openaiChat.ts"
import { openaiResponses } from "../../../protocols/llm/format/openaiResponses.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import type { Call, ChatFormat, WireEvent } from "../../../protocols/llm/Translation.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"

export const call: Call = {
  model: "claude-sonnet-4-5",
  nowMillis: 1_790_000_000_000,
  id: "0123456789abcdef0123456789abcdef",
}

export const clients: Readonly<Record<ChatFormat, ClientHalf & UpstreamHalf>> = {
  openaiChat,
  openaiResponses,
  anthropicMessages,
  gemini,
  bedrockConverse,
}
export const upstreams: Readonly<Record<ChatFormat, UpstreamHalf>> = clients

/** A context in which nothing is renamed. */
export const plainContext = (format: ChatFormat, over: Partial<Context> = {}): Context => ({
  call,
  request: { turns: [], tools: [], stream: true, streamUsage: true, extras: { vendor: "openai", fields: {} } },
  body: {},
  names: { out: (name) => name, back: (name) => name },
  from: format,
  to: format,
  headers: {},
  ...over,
})

const bedrockUsage = (usage: Usage): JsonObject => ({
  inputTokens: usage.inputTokens - (usage.cacheReadTokens ?? 0) - (usage.cacheWriteTokens ?? 0),
  outputTokens: usage.outputTokens,
  totalTokens: usage.inputTokens + usage.outputTokens,
  cacheReadInputTokens: usage.cacheReadTokens,
  cacheWriteInputTokens: usage.cacheWriteTokens,
})

const bedrockReason = (finish: string | undefined): string =>
  finish === "length" ? "max_tokens" : finish === "toolCalls" ? "tool_use" : "end_turn"

const bedrockReply = (reply: ChatReply): JsonObject => ({
  output: {
    message: {
      role: "assistant",
      content: (reply.choices[0]?.parts ?? []).flatMap((part): ReadonlyArray<JsonObject> =>
        part.kind === "text"
          ? [{ text: part.text }]
          : part.kind === "reasoning"
            ? [{ reasoningContent: { reasoningText: { text: part.text, signature: part.signature?.value } } }]
            : part.kind === "toolCall"
              ? [{ toolUse: { toolUseId: part.id, name: part.name, input: JSON.parse(part.input) } }]
              : [],
      ),
    },
  },
  stopReason: bedrockReason(reply.choices[0]?.finish),
  usage: reply.usage === undefined ? undefined : bedrockUsage(reply.usage),
})

const bedrockEvents = (deltas: ReadonlyArray<Delta>): ReadonlyArray<WireEvent> => {
  const kinds = new Map<string, string>()
  return deltas.flatMap((delta): ReadonlyArray<WireEvent> => {
    const event = (event: string, body: JsonObject): ReadonlyArray<WireEvent> => [{ event, data: JSON.stringify(body) }]
    const block = (key: string, body: JsonObject): JsonObject => ({ contentBlockIndex: Number(key), ...body })
    switch (delta.kind) {
      case "start":
        return event("messageStart", { role: "assistant" })
      case "open": {
        kinds.set(delta.key, delta.opening.kind)
        return delta.opening.kind === "toolCall"
          ? event(
              "contentBlockStart",
              block(delta.key, { start: { toolUse: { toolUseId: delta.opening.id, name: delta.opening.name } } }),
            )
          : []
      }
      case "grow": {
        const kind = kinds.get(delta.key)
        const body =
          kind === "toolCall"
            ? { toolUse: { input: delta.text } }
            : kind === "reasoning"
              ? { reasoningContent: { text: delta.text } }
              : { text: delta.text }
        return event("contentBlockDelta", block(delta.key, { delta: body }))
      }
      case "sign":
        return event(
          "contentBlockDelta",
          block(delta.key, { delta: { reasoningContent: { signature: delta.signature.value } } }),
        )
      case "close":
        return event("contentBlockStop", block(delta.key, {}))
      case "finish":
        return event("messageStop", { stopReason: bedrockReason(delta.finish) })
      case "usage":
        return event("metadata", { usage: bedrockUsage(delta.usage), metrics: { latencyMs: 1 } })
      default:
        return []
    }
  })
}

export const upstreamReply = (format: ChatFormat, reply: ChatReply): JsonObject =>
  format === "bedrockConverse" ? bedrockReply(reply) : clients[format].writeReply(reply, plainContext(format))

export const upstreamEvents = (format: ChatFormat, deltas: ReadonlyArray<Delta>): ReadonlyArray<WireEvent> => {
  if (format === "bedrockConverse") return bedrockEvents(deltas)
  const events: Array<WireEvent> = []
  const writer = clients[format].streamWriter(plainContext(format), (event) => void events.push(event))
  for (const delta of deltas) writer.write(delta)
  writer.end()
  return events
}
