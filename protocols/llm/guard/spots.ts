/** Every place in a request or a reply where somebody's words are, and the same body with other words in those places. */
import { at, isObject, type JsonObject, listOf, parseJson, textOf } from "../Json.ts"
import type { ChatFormat } from "../Translation.ts"

export const scopes = ["systemPrompt", "messages", "toolOutput", "toolInput"] as const
export type Scope = (typeof scopes)[number]

export type Path = ReadonlyArray<string | number>

export interface Spot {
  readonly path: Path
  /** The place inside of a text that is JSON itself. */
  readonly inner: Path | undefined
  readonly text: string
  readonly scope: Scope
  readonly role: string
  /** Which message, or which choice of a reply, it belongs to. */
  readonly group: number
}

/** Deeper values are looked at as no words of anybody. */
const DEPTH_MAX = 24

class Gathering {
  readonly spots: Array<Spot> = []
  private group = -1

  next(): void {
    this.group++
  }

  add(path: Path, text: unknown, scope: Scope, role: string, inner?: Path): void {
    if (typeof text === "string" && text !== "")
      this.spots.push({ path, inner, text, scope, role, group: Math.max(0, this.group) })
  }

  /** Every text below. */
  leaves(path: Path, value: unknown, scope: Scope, role: string, inner?: Path, depth = 0): void {
    if (depth > DEPTH_MAX) return
    if (typeof value === "string") return this.add(path, value, scope, role, inner)
    const deeper = (name: string | number, one: unknown): void =>
      inner === undefined
        ? this.leaves([...path, name], one, scope, role, undefined, depth + 1)
        : this.leaves(path, one, scope, role, [...inner, name], depth + 1)
    if (Array.isArray(value)) for (const [i, one] of value.entries()) deeper(i, one)
    else if (isObject(value)) for (const [name, one] of Object.entries(value)) deeper(name, one)
  }

  /** Arguments are JSON inside a text: masked as a whole they might be none any more. */
  json(path: Path, text: unknown, scope: Scope, role: string): void {
    const value = typeof text === "string" ? parseJson(text) : undefined
    if (isObject(value) || Array.isArray(value)) this.leaves(path, value, scope, role, [])
    else this.add(path, text, scope, role)
  }
}

const scopeOfRole = (role: string): Scope =>
  role === "system" || role === "developer"
    ? "systemPrompt"
    : role === "tool" || role === "function"
      ? "toolOutput"
      : "messages"

const chatMessage = (to: Gathering, path: Path, message: unknown): void => {
  const role = textOf(at(message, "role")) ?? "assistant"
  const scope = scopeOfRole(role)
  const content = at(message, "content")
  if (typeof content === "string") to.add([...path, "content"], content, scope, role)
  else
    for (const [i, part] of listOf(content).entries()) {
      if (typeof part === "string") to.add([...path, "content", i], part, scope, role)
      to.add([...path, "content", i, "text"], at(part, "text"), scope, role)
      to.add([...path, "content", i, "refusal"], at(part, "refusal"), scope, role)
    }
  to.add([...path, "refusal"], at(message, "refusal"), scope, role)
  for (const [i, call] of listOf(at(message, "tool_calls")).entries()) {
    to.json([...path, "tool_calls", i, "function", "arguments"], at(call, "function", "arguments"), "toolInput", role)
    to.add([...path, "tool_calls", i, "custom", "input"], at(call, "custom", "input"), "toolInput", role)
  }
  to.json([...path, "function_call", "arguments"], at(message, "function_call", "arguments"), "toolInput", role)
}

const anthropicBlock = (to: Gathering, path: Path, block: unknown, role: string, scope: Scope): void => {
  if (typeof block === "string") return to.add(path, block, scope, role)
  const type = textOf(at(block, "type")) ?? ""
  if (type === "text") return to.add([...path, "text"], at(block, "text"), scope, role)
  if (type.endsWith("tool_use")) return to.leaves([...path, "input"], at(block, "input"), "toolInput", role)
  if (type.endsWith("tool_result")) {
    const content = at(block, "content")
    if (typeof content === "string") return to.add([...path, "content"], content, "toolOutput", role)
    for (const [i, one] of listOf(content).entries())
      anthropicBlock(to, [...path, "content", i], one, role, "toolOutput")
    return
  }
  if (type === "document") {
    to.add([...path, "title"], at(block, "title"), scope, role)
    to.add([...path, "context"], at(block, "context"), scope, role)
    const source = at(block, "source")
    if (at(source, "type") === "text") to.add([...path, "source", "data"], at(source, "data"), scope, role)
    if (at(source, "type") === "content")
      to.leaves([...path, "source", "content"], textsOnly(at(source, "content")), scope, role)
    return
  }
  if (type === "search_result") {
    to.add([...path, "title"], at(block, "title"), scope, role)
    for (const [i, one] of listOf(at(block, "content")).entries())
      to.add([...path, "content", i, "text"], at(one, "text"), scope, role)
  }
}

/** The same shape with nothing but texts in it. */
const textsOnly = (value: unknown): unknown =>
  typeof value === "string" ? value : listOf(value).map((one) => (isObject(one) ? { text: one["text"] } : undefined))

const anthropicContent = (to: Gathering, path: Path, content: unknown, role: string, scope: Scope): void => {
  if (typeof content === "string") to.add(path, content, scope, role)
  else for (const [i, block] of listOf(content).entries()) anthropicBlock(to, [...path, i], block, role, scope)
}

const converseBlock = (to: Gathering, path: Path, block: unknown, role: string, scope: Scope): void => {
  to.add([...path, "text"], at(block, "text"), scope, role)
  to.add([...path, "guardContent", "text", "text"], at(block, "guardContent", "text", "text"), scope, role)
  for (const [i, one] of listOf(at(block, "citationsContent", "content")).entries())
    to.add([...path, "citationsContent", "content", i, "text"], at(one, "text"), scope, role)
  to.leaves([...path, "toolUse", "input"], at(block, "toolUse", "input"), "toolInput", role)
  for (const [i, one] of listOf(at(block, "toolResult", "content")).entries()) {
    const here = [...path, "toolResult", "content", i]
    to.leaves([...here, "json"], at(one, "json"), "toolOutput", role)
    converseBlock(to, here, one, role, "toolOutput")
  }
  const document = at(block, "document")
  if (document !== undefined) {
    to.add([...path, "document", "context"], at(document, "context"), scope, role)
    to.add([...path, "document", "source", "text"], at(document, "source", "text"), scope, role)
    for (const [i, one] of listOf(at(document, "source", "content")).entries())
      to.add([...path, "document", "source", "content", i, "text"], at(one, "text"), scope, role)
  }
  to.add([...path, "searchResult", "title"], at(block, "searchResult", "title"), scope, role)
  for (const [i, one] of listOf(at(block, "searchResult", "content")).entries())
    to.add([...path, "searchResult", "content", i, "text"], at(one, "text"), scope, role)
}

const converseContent = (to: Gathering, path: Path, content: unknown, role: string, scope: Scope): void => {
  for (const [i, block] of listOf(content).entries()) converseBlock(to, [...path, i], block, role, scope)
}

/** Items that a tool was given, and those that it answered with. */
const responsesItem = (to: Gathering, path: Path, item: unknown): void => {
  const type = textOf(at(item, "type")) ?? "message"
  if (type === "message") {
    const role = textOf(at(item, "role")) ?? "assistant"
    const content = at(item, "content")
    if (typeof content === "string") to.add([...path, "content"], content, scopeOfRole(role), role)
    for (const [i, part] of listOf(content).entries()) {
      to.add([...path, "content", i, "text"], at(part, "text"), scopeOfRole(role), role)
      to.add([...path, "content", i, "refusal"], at(part, "refusal"), scopeOfRole(role), role)
    }
    return
  }
  if (type === "reasoning" || type === "compaction" || type === "item_reference") return
  if (type.endsWith("_output")) {
    const output = at(item, "output")
    if (typeof output === "string") return to.add([...path, "output"], output, "toolOutput", "tool")
    for (const [i, part] of listOf(output).entries()) {
      to.add([...path, "output", i, "text"], at(part, "text"), "toolOutput", "tool")
      to.add([...path, "output", i, "stdout"], at(part, "stdout"), "toolOutput", "tool")
      to.add([...path, "output", i, "stderr"], at(part, "stderr"), "toolOutput", "tool")
    }
    return
  }
  to.json([...path, "arguments"], at(item, "arguments"), "toolInput", "assistant")
  to.add([...path, "input"], at(item, "input"), "toolInput", "assistant")
  to.add([...path, "code"], at(item, "code"), "toolInput", "assistant")
  if (type === "mcp_call") to.add([...path, "output"], at(item, "output"), "toolOutput", "tool")
  to.leaves([...path, "action"], at(item, "action"), "toolInput", "assistant")
}

const either = (value: unknown, camel: string, snake: string): readonly [string, unknown] =>
  isObject(value) && value[camel] === undefined && value[snake] !== undefined
    ? [snake, value[snake]]
    : [camel, at(value, camel)]

const geminiParts = (to: Gathering, path: Path, parts: unknown, role: string, scope: Scope): void => {
  for (const [i, part] of listOf(parts).entries()) {
    const here = [...path, i]
    if (at(part, "thought") !== true) to.add([...here, "text"], at(part, "text"), scope, role)
    const [callName, call] = either(part, "functionCall", "function_call")
    to.leaves([...here, callName, "args"], at(call, "args"), "toolInput", role)
    const [answerName, answer] = either(part, "functionResponse", "function_response")
    to.leaves([...here, answerName, "response"], at(answer, "response"), "toolOutput", "tool")
    const [codeName, code] = either(part, "executableCode", "executable_code")
    to.add([...here, codeName, "code"], at(code, "code"), "toolInput", role)
    const [resultName, result] = either(part, "codeExecutionResult", "code_execution_result")
    to.add([...here, resultName, "output"], at(result, "output"), "toolOutput", "tool")
  }
}

export const requestSpots = (format: ChatFormat, body: JsonObject): ReadonlyArray<Spot> => {
  const to = new Gathering()
  switch (format) {
    case "openaiChat":
      for (const [i, message] of listOf(body["messages"]).entries()) {
        to.next()
        chatMessage(to, ["messages", i], message)
      }
      break
    case "anthropicMessages":
      if (body["system"] !== undefined) {
        to.next()
        anthropicContent(to, ["system"], body["system"], "system", "systemPrompt")
      }
      for (const [i, message] of listOf(body["messages"]).entries()) {
        to.next()
        const role = textOf(at(message, "role")) ?? "user"
        anthropicContent(to, ["messages", i, "content"], at(message, "content"), role, scopeOfRole(role))
      }
      break
    case "openaiResponses":
      if (body["instructions"] !== undefined) {
        to.next()
        to.add(["instructions"], body["instructions"], "systemPrompt", "system")
      }
      if (typeof body["input"] === "string") {
        to.next()
        to.add(["input"], body["input"], "messages", "user")
      }
      for (const [i, item] of listOf(body["input"]).entries()) {
        to.next()
        responsesItem(to, ["input", i], item)
      }
      break
    case "gemini": {
      const [name, instruction] = either(body, "systemInstruction", "system_instruction")
      if (instruction !== undefined) {
        to.next()
        to.add([name], instruction, "systemPrompt", "system")
        geminiParts(to, [name, "parts"], at(instruction, "parts"), "system", "systemPrompt")
      }
      for (const [i, content] of listOf(body["contents"]).entries()) {
        to.next()
        const role = textOf(at(content, "role")) ?? "user"
        geminiParts(to, ["contents", i, "parts"], at(content, "parts"), role, "messages")
      }
      break
    }
    case "bedrockConverse":
      if (body["system"] !== undefined) {
        to.next()
        converseContent(to, ["system"], body["system"], "system", "systemPrompt")
      }
      for (const [i, message] of listOf(body["messages"]).entries()) {
        to.next()
        const role = textOf(at(message, "role")) ?? "user"
        converseContent(to, ["messages", i, "content"], at(message, "content"), role, "messages")
      }
      break
  }
  return to.spots
}

/** What the model says; of its calls of tools, what it gives them. */
export const replySpots = (format: ChatFormat, body: JsonObject): ReadonlyArray<Spot> => {
  const to = new Gathering()
  switch (format) {
    case "openaiChat":
      for (const [i, choice] of listOf(body["choices"]).entries()) {
        to.next()
        chatMessage(to, ["choices", i, "message"], at(choice, "message"))
      }
      break
    case "anthropicMessages":
      for (const [i, block] of listOf(body["content"]).entries()) {
        to.next()
        anthropicBlock(to, ["content", i], block, "assistant", "messages")
      }
      break
    case "openaiResponses":
      for (const [i, item] of listOf(body["output"]).entries()) {
        to.next()
        responsesItem(to, ["output", i], item)
      }
      break
    case "gemini":
      for (const [i, candidate] of listOf(body["candidates"]).entries()) {
        to.next()
        geminiParts(to, ["candidates", i, "content", "parts"], at(candidate, "content", "parts"), "model", "messages")
      }
      break
    case "bedrockConverse":
      for (const [i, block] of listOf(at(body, "output", "message", "content")).entries()) {
        to.next()
        converseBlock(to, ["output", "message", "content", i], block, "assistant", "messages")
      }
      break
  }
  return to.spots
}

const put = (value: unknown, path: Path, text: string): unknown => {
  const [name, ...rest] = path
  if (name === undefined) return text
  if (Array.isArray(value)) return value.map((one: unknown, i) => (i === name ? put(one, rest, text) : one))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, key === name ? put(one, rest, text) : one]))
}

const valueAt = (value: unknown, path: Path): unknown => {
  let here = value
  for (const name of path) {
    if (Array.isArray(here) && typeof name === "number") here = here[name]
    else if (isObject(here) && typeof name === "string" && Object.hasOwn(here, name)) here = here[name]
    else return undefined
  }
  return here
}

/** The body with other texts; what is not named stays the same object. */
export const withTexts = (body: JsonObject, texts: ReadonlyMap<Spot, string>): JsonObject => {
  let out: unknown = body
  for (const [spot, text] of texts) {
    if (spot.inner === undefined) out = put(out, spot.path, text)
    else {
      const whole = valueAt(out, spot.path)
      const value = typeof whole === "string" ? parseJson(whole) : undefined
      if (value !== undefined) out = put(out, spot.path, JSON.stringify(put(value, spot.inner, text)))
    }
  }
  return isObject(out) ? out : body
}
