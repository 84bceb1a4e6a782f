/** The messages of a request as its own format has them, for services that give them back changed. */
import { isObject, type JsonObject } from "../Json.ts"
import type { ChatFormat } from "../Translation.ts"

const fields: Readonly<Record<ChatFormat, string>> = {
  openaiChat: "messages",
  openaiResponses: "input",
  anthropicMessages: "messages",
  gemini: "contents",
  bedrockConverse: "messages",
}

/** Undefined: there is no list of them, only a text. */
export const spokenOf = (format: ChatFormat, body: JsonObject): ReadonlyArray<unknown> | undefined => {
  const list = body[fields[format]]
  return Array.isArray(list) ? list : undefined
}

export const withSpoken = (format: ChatFormat, body: JsonObject, messages: ReadonlyArray<unknown>): JsonObject => ({
  ...body,
  [fields[format]]: [...messages],
})

interface Calls {
  readonly called: Set<string>
  readonly answered: Set<string>
  /** Whether an answer came before its call. */
  isOrdered: boolean
}

const say = (calls: Calls, kind: "called" | "answered", id: unknown): void => {
  if (typeof id !== "string") return
  if (kind === "answered" && !calls.called.has(id)) calls.isOrdered = false
  calls[kind].add(id)
}

/** Calls of tools and their results, wherever the formats put them; Gemini goes by names. */
const gather = (value: unknown, calls: Calls): void => {
  if (Array.isArray(value)) {
    for (const one of value) gather(one, calls)
    return
  }
  if (!isObject(value)) return
  const { type } = value
  for (const call of Array.isArray(value["tool_calls"]) ? value["tool_calls"] : []) {
    if (isObject(call)) say(calls, "called", call["id"])
  }
  if (value["role"] === "tool") say(calls, "answered", value["tool_call_id"])
  if (type === "tool_use") say(calls, "called", value["id"])
  if (type === "tool_result") say(calls, "answered", value["tool_use_id"])
  if (type === "function_call" || type === "custom_tool_call") say(calls, "called", value["call_id"])
  if (type === "function_call_output" || type === "custom_tool_call_output") say(calls, "answered", value["call_id"])
  const { functionCall, functionResponse, toolResult, toolUse } = value
  if (isObject(functionCall)) say(calls, "called", functionCall["name"])
  if (isObject(functionResponse)) say(calls, "answered", functionResponse["name"])
  if (isObject(toolUse)) say(calls, "called", toolUse["toolUseId"])
  if (isObject(toolResult)) say(calls, "answered", toolResult["toolUseId"])
  for (const inner of ["content", "parts"]) gather(value[inner], calls)
}

const callsOf = (messages: ReadonlyArray<unknown>): Calls => {
  const calls: Calls = { called: new Set(), answered: new Set(), isOrdered: true }
  for (const message of messages) gather(message, calls)
  return calls
}

/** Whether every result still follows its call, and no call lost its result: a provider refuses anything else. */
export const keepsCalls = (before: ReadonlyArray<unknown>, after: ReadonlyArray<unknown>): boolean => {
  const old = callsOf(before)
  const now = callsOf(after)
  if (old.isOrdered && !now.isOrdered) return false
  for (const id of now.called) {
    if (!now.answered.has(id) && (old.answered.has(id) || !old.called.has(id))) return false
  }
  return true
}
