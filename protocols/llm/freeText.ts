/**
 * Tools that take free text, at upstreams whose tools take JSON only. They are offered with one argument, `input`, and
 * what the model writes into it is given back to the client as the text it expects.
 */
import type { ChatReply, ChatRequest, Delta, Tool } from "./Conversation.ts"
import { at, compact, type JsonObject, parseJson, textOf } from "./Json.ts"
import type { ToolNames } from "./toolNames.ts"

/** What stands for such a tool; a grammar that the upstream cannot enforce is at least told. */
export const freeTextSchema = (custom: NonNullable<Tool["custom"]>): JsonObject => {
  const grammar = textOf(at(custom, "format", "definition"))
  const syntax = textOf(at(custom, "format", "syntax")) ?? "grammar"
  const description = grammar === undefined ? undefined : `The text follows this ${syntax}:\n${grammar}`
  return { type: "object", properties: { input: compact({ type: "string", description }) }, required: ["input"] }
}

/** The same conversation for an upstream that knows functions only. */
export const freeTextAsFunctions = (request: ChatRequest): ChatRequest =>
  request.tools.every((tool) => tool.custom === undefined)
    ? request
    : {
        ...request,
        tools: request.tools.map((tool) =>
          tool.custom === undefined ? tool : { ...tool, custom: undefined, schema: freeTextSchema(tool.custom) },
        ),
        turns: request.turns.map((turn) => ({
          ...turn,
          parts: turn.parts.map((part) =>
            part.kind === "toolCall" && part.custom === true
              ? { ...part, custom: undefined, input: JSON.stringify({ input: part.input }) }
              : part,
          ),
        })),
      }

/** The text in the one argument; a model that wrote something else is taken at its word. */
const textIn = (input: string): string => textOf(at(parseJson(input), "input")) ?? input

/** Whether the client calls this tool with free text; undefined when it has no such tool. */
export const freeTextTools = (request: ChatRequest, names: ToolNames): ((name: string) => boolean) | undefined => {
  const free = new Set(request.tools.filter((tool) => tool.custom !== undefined).map((tool) => tool.name))
  return free.size === 0 ? undefined : (name) => free.has(names.back(name))
}

export const freeTextReply = (reply: ChatReply, isFree: (name: string) => boolean): ChatReply => ({
  ...reply,
  choices: reply.choices.map((choice) => ({
    ...choice,
    parts: choice.parts.map((part) =>
      part.kind === "toolCall" && part.custom !== true && isFree(part.name)
        ? { ...part, custom: true, input: textIn(part.input) }
        : part,
    ),
  })),
})

/** The text is only known once its JSON is whole, so such a call arrives in one piece. */
export const freeTextDeltas = (
  isFree: (name: string) => boolean,
  emit: (delta: Delta) => void,
): ((delta: Delta) => void) => {
  const held = new Map<string, string>()
  return (delta) => {
    switch (delta.kind) {
      case "open": {
        const { opening } = delta
        if (opening.kind !== "toolCall" || opening.custom === true || !isFree(opening.name)) break
        held.set(delta.key, "")
        return emit({ ...delta, opening: { ...opening, custom: true } })
      }
      case "grow": {
        const soFar = held.get(delta.key)
        if (soFar === undefined) break
        held.set(delta.key, soFar + delta.text)
        return
      }
      case "close": {
        const input = held.get(delta.key)
        if (input === undefined) break
        held.delete(delta.key)
        emit({ kind: "grow", key: delta.key, text: textIn(input) })
        break
      }
      case "finish":
      case "end":
        for (const [key, input] of held) emit({ kind: "grow", key, text: textIn(input) })
        held.clear()
        break
      default:
    }
    emit(delta)
  }
}
