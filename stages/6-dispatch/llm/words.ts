/** The words in requests and replies, for counting them. */
import { at, isObject, type JsonObject, listOf, textOf } from "../../../protocols/llm/Json.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"

/** Beyond, nothing more is looked at. */
const DEPTH_MAX = 16

/** Members that hold no words: names, ids, kinds, and what is not text at all. */
const silent: ReadonlySet<string> = new Set([
  "type",
  "id",
  "role",
  "image_url",
  "source",
  "data",
  "inlineData",
  "inline_data",
  "fileData",
  "cache_control",
  "signature",
  "thoughtSignature",
  "toolUseId",
  "cachePoint",
  "bytes",
])

const collect = (value: unknown, into: Array<string>, depth: number): void => {
  if (typeof value === "string") into.push(value)
  else if (depth >= DEPTH_MAX) return
  else if (Array.isArray(value)) for (const one of value) collect(one, into, depth + 1)
  else if (isObject(value)) {
    for (const [name, inner] of Object.entries(value)) if (!silent.has(name)) collect(inner, into, depth + 1)
  }
}

const textIn = (value: unknown): string => {
  const words: Array<string> = []
  collect(value, words, 0)
  return words.join("\n")
}

/** What a message costs beside its words, and a reply beside its own. */
const PER_MESSAGE = 4
const PER_REPLY = 3

const partsOf = (format: Format | undefined, body: JsonObject): ReadonlyArray<unknown> => {
  switch (format) {
    case "anthropicMessages":
    case "anthropicCountTokens":
      return [...(body["system"] === undefined ? [] : [body["system"]]), ...listOf(body["messages"])]
    case "gemini":
    case "geminiCountTokens":
      return [...listOf(body["systemInstruction"] ?? body["system_instruction"]), ...listOf(body["contents"])]
    case "bedrockConverse":
      return [...(body["system"] === undefined ? [] : [body["system"]]), ...listOf(body["messages"])]
    case "openaiResponses": {
      const { input, instructions } = body
      return [...(instructions === undefined ? [] : [instructions]), ...(Array.isArray(input) ? input : [input])]
    }
    case "openaiEmbeddings":
      return [body["input"]]
    case "cohereRerank":
      return [body["query"], body["documents"]]
    default:
      return listOf(body["messages"])
  }
}

export const promptTokens = (format: Format | undefined, body: JsonObject, count: (text: string) => number): number => {
  let tokens = PER_REPLY
  for (const part of partsOf(format, body)) tokens += PER_MESSAGE + count(textIn(part))
  const tools = body["tools"]
  if (Array.isArray(tools) && tools.length > 0) tokens += count(JSON.stringify(tools))
  return tokens
}

/** The words in events of a stream, whichever format they are in. */
export const wordsIn = (events: ReadonlyArray<JsonObject>): string => {
  let words = ""
  for (const event of events) {
    for (const choice of listOf(event["choices"])) {
      const delta = at(choice, "delta")
      words += textOf(at(delta, "content")) ?? ""
      words += textOf(at(delta, "reasoning_content")) ?? textOf(at(delta, "reasoning")) ?? ""
      for (const call of listOf(at(delta, "tool_calls"))) {
        words += (textOf(at(call, "function", "name")) ?? "") + (textOf(at(call, "function", "arguments")) ?? "")
      }
    }
    const { delta } = event
    if (typeof delta === "string") words += delta
    else if (isObject(delta)) {
      words += textOf(delta["text"]) ?? textOf(delta["thinking"]) ?? textOf(delta["partial_json"]) ?? ""
      words += textOf(at(delta, "toolUse", "input")) ?? textOf(at(delta, "reasoningContent", "text")) ?? ""
    }
    for (const candidate of listOf(event["candidates"])) {
      for (const part of listOf(at(candidate, "content", "parts"))) {
        words += textOf(at(part, "text")) ?? ""
        const call = at(part, "functionCall")
        if (call !== undefined) words += JSON.stringify(call)
      }
    }
  }
  return words
}
