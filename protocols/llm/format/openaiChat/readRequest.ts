/** A Chat Completions request as a conversation. */
import {
  type CacheMark,
  type ChatRequest,
  type Effort,
  efforts,
  type OutputShape,
  type Part,
  type Reasoning,
  type Role,
  type Tool,
  type ToolCallPart,
  type ToolChoice,
  type Turn,
} from "../../Conversation.ts"
import { sourceOfUrl } from "../../dataUrl.ts"
import {
  at,
  flagOf,
  isObject,
  type JsonObject,
  listOf,
  numberOf,
  objectOf,
  objectsOf,
  textOf,
  without,
} from "../../Json.ts"
import type { Notes } from "../../Notes.ts"
import { readSignature, unsignedId } from "../../signature.ts"

/** Everything that is read below; the rest is carried as it is. */
const known = new Set([
  "model",
  "messages",
  "max_completion_tokens",
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop",
  "seed",
  "presence_penalty",
  "frequency_penalty",
  "n",
  "logprobs",
  "top_logprobs",
  "reasoning_effort",
  "thinking",
  "response_format",
  "json_schema",
  "verbosity",
  "stream",
  "stream_options",
  "user",
  "metadata",
  "service_tier",
  "modalities",
  "tools",
  "tool_choice",
  "functions",
  "function_call",
  "parallel_tool_calls",
])

export const effortOf = (value: unknown): Effort | undefined => efforts.find((one) => one === value)

/** `cache_control` is what gateways and routers agreed on, `prompt_cache_breakpoint` is OpenAI's own. */
export const cacheMarkOf = (part: JsonObject): CacheMark | undefined => {
  const mark = objectOf(part["cache_control"]) ?? objectOf(part["prompt_cache_breakpoint"])
  return mark === undefined ? undefined : { ttl: textOf(mark["ttl"]) }
}

const mediaTypes: Readonly<Record<string, string>> = {
  wav: "audio/wav",
  mp3: "audio/mpeg",
  flac: "audio/flac",
  opus: "audio/opus",
  aac: "audio/aac",
  ogg: "audio/ogg",
  m4a: "audio/mp4",
}

const contentPart = (part: JsonObject, path: string, notes: Notes): Part | undefined => {
  const cache = cacheMarkOf(part)
  switch (part["type"]) {
    case "text":
      return { kind: "text", text: textOf(part["text"]) ?? "", cache }
    case "refusal":
      return { kind: "refusal", text: textOf(part["refusal"]) ?? "" }
    case "image_url": {
      const image = part["image_url"]
      const url = textOf(image) ?? textOf(at(image, "url"))
      if (url === undefined) return void notes.refuse(`${path}.image_url.url`, "an image needs an address")
      const mediaType =
        textOf(at(image, "format")) ?? textOf(at(image, "mime_type")) ?? textOf(at(image, "content_type"))
      return { kind: "image", source: sourceOfUrl(url, mediaType), detail: textOf(at(image, "detail")), cache }
    }
    case "input_audio": {
      const format = textOf(at(part, "input_audio", "format")) ?? "wav"
      const data = textOf(at(part, "input_audio", "data"))
      if (data === undefined) return void notes.refuse(`${path}.input_audio.data`, "a sound needs its data")
      return { kind: "media", source: { kind: "base64", mediaType: mediaTypes[format] ?? `audio/${format}`, data } }
    }
    case "video_url": {
      const url = textOf(part["video_url"]) ?? textOf(at(part, "video_url", "url"))
      if (url === undefined) return void notes.refuse(`${path}.video_url.url`, "a video needs an address")
      return { kind: "media", source: sourceOfUrl(url) }
    }
    case "file": {
      const name = textOf(at(part, "file", "filename"))
      const id = textOf(at(part, "file", "file_id"))
      if (id !== undefined) return { kind: "document", source: { kind: "file", id }, name, cache }
      const data = textOf(at(part, "file", "file_data"))
      if (data === undefined) return void notes.refuse(`${path}.file`, "a file needs file_data or file_id")
      const source = data.startsWith("data:")
        ? sourceOfUrl(data)
        : ({ kind: "base64", mediaType: "application/pdf", data } as const)
      return { kind: "document", source, name, cache }
    }
    default:
      notes.drop(`${path} (${textOf(part["type"]) ?? "a part without a type"})`)
      return undefined
  }
}

const contentOf = (content: unknown, path: string, notes: Notes): Array<Part> => {
  if (typeof content === "string") return [{ kind: "text", text: content }]
  if (content === null || content === undefined) return []
  if (!Array.isArray(content)) {
    notes.refuse(path, "content is a string or a list of parts")
    return []
  }
  const parts: Array<Part> = []
  for (const [i, one] of content.entries()) {
    const part =
      typeof one === "string"
        ? ({ kind: "text", text: one } as const)
        : isObject(one)
          ? contentPart(one, `${path}[${i}]`, notes)
          : undefined
    if (part !== undefined) parts.push(part)
  }
  return parts
}

/** Thoughts as gateways hand them to clients of this format, which has no words of its own for them. */
export const reasoningOf = (message: JsonObject): ReadonlyArray<Part> => {
  const blocks = objectsOf(message["thinking_blocks"])
  if (blocks.length > 0)
    return blocks.map((block): Part => {
      const data = textOf(block["data"])
      const signature = textOf(block["signature"])
      return {
        kind: "reasoning",
        text: textOf(block["thinking"]) ?? "",
        signature: signature === undefined || signature === "" ? undefined : readSignature(signature, "anthropic"),
        hidden: data === undefined ? undefined : readSignature(data, "anthropic"),
      }
    })
  const text = textOf(message["reasoning_content"]) ?? textOf(message["reasoning"]) ?? ""
  const signature = textOf(message["reasoning_signature"])
  if (text === "" && (signature === undefined || signature === "")) return []
  return [
    {
      kind: "reasoning",
      text,
      signature: signature === undefined || signature === "" ? undefined : readSignature(signature, "anthropic"),
    },
  ]
}

const toolCallOf = (call: JsonObject, position: string): ToolCallPart => {
  const { id, signature } = unsignedId(textOf(call["id"]) ?? position)
  const google = textOf(at(call, "extra_content", "google", "thought_signature"))
  const custom = call["type"] === "custom"
  const body = custom ? call["custom"] : call["function"]
  return {
    kind: "toolCall",
    id,
    name: textOf(at(body, "name")) ?? "",
    input: textOf(at(body, custom ? "input" : "arguments")) ?? "",
    custom: custom ? true : undefined,
    signature: signature ?? (google === undefined ? undefined : { vendor: "google", value: google }),
  }
}

const resultContent = (content: unknown, path: string, notes: Notes) =>
  contentOf(content, path, notes).filter(
    (part) => part.kind === "text" || part.kind === "image" || part.kind === "document",
  )

const turnsOf = (messages: ReadonlyArray<unknown>, notes: Notes): ReadonlyArray<Turn> => {
  const turns: Array<Turn> = []
  /** The deprecated form names no call, so a result belongs to the last call of its name. */
  const legacy = new Map<string, string>()
  const customs = new Set<string>()
  for (const [i, message] of messages.entries()) {
    const path = `messages[${i}]`
    if (!isObject(message)) {
      notes.refuse(path, "a message is an object")
      break
    }
    const content = `${path}.content`
    const name = textOf(message["name"])
    if (name !== undefined && message["role"] !== "tool" && message["role"] !== "function") notes.drop(`${path}.name`)
    switch (message["role"]) {
      case "system":
      case "developer":
      case "user":
        turns.push({ role: message["role"] as Role, parts: contentOf(message["content"], content, notes), name })
        break
      case "assistant": {
        const parts: Array<Part> = [...reasoningOf(message), ...contentOf(message["content"], content, notes)]
        const refusal = textOf(message["refusal"])
        if (refusal !== undefined) parts.push({ kind: "refusal", text: refusal })
        for (const [j, call] of objectsOf(message["tool_calls"]).entries()) {
          const part = toolCallOf(call, `call_${i}_${j}`)
          if (part.custom === true) customs.add(part.id)
          parts.push(part)
        }
        const called = objectOf(message["function_call"])
        if (called !== undefined) {
          const id = `call_${i}`
          const of = textOf(called["name"]) ?? ""
          legacy.set(of, id)
          parts.push({ kind: "toolCall", id, name: of, input: textOf(called["arguments"]) ?? "" })
        }
        if (message["audio"] !== undefined && message["audio"] !== null) notes.drop(`${path}.audio`)
        turns.push({ role: "assistant", parts, name })
        break
      }
      case "tool": {
        const { id } = unsignedId(textOf(message["tool_call_id"]) ?? "")
        if (id === "") notes.refuse(`${path}.tool_call_id`, "the result of a tool names its call")
        const result = resultContent(message["content"], content, notes)
        const custom = customs.has(id) ? true : undefined
        turns.push({
          role: "user",
          parts: [{ kind: "toolResult", id, name, content: result, custom, cache: cacheMarkOf(message) }],
        })
        break
      }
      case "function": {
        const id = legacy.get(name ?? "") ?? `call_${name ?? ""}`
        turns.push({
          role: "user",
          parts: [{ kind: "toolResult", id, name, content: resultContent(message["content"], content, notes) }],
        })
        break
      }
      default:
        notes.refuse(`${path}.role`, "a role is one of system, developer, user, assistant, tool, function")
    }
  }
  return turns
}

const functionTool = (described: JsonObject, cache: CacheMark | undefined): Tool => ({
  name: textOf(described["name"]) ?? "",
  description: textOf(described["description"]),
  schema: objectOf(described["parameters"]),
  strict: flagOf(described["strict"]),
  cache,
})

/** A grammar stands one level deeper here than in Responses. */
const formatOf = (format: JsonObject | undefined): JsonObject | undefined => {
  const grammar = objectOf(format?.["grammar"])
  return grammar === undefined ? format : { type: "grammar", ...grammar }
}

const toolsOf = (body: JsonObject, notes: Notes): ReadonlyArray<Tool> => {
  const tools: Array<Tool> = []
  for (const [i, tool] of objectsOf(body["tools"]).entries()) {
    const described = objectOf(tool["function"])
    const custom = objectOf(tool["custom"])
    if (tool["type"] === "custom" && custom !== undefined)
      tools.push({
        name: textOf(custom["name"]) ?? "",
        description: textOf(custom["description"]),
        custom: { format: formatOf(objectOf(custom["format"])) },
      })
    else if (described !== undefined) tools.push(functionTool(described, cacheMarkOf(tool)))
    else notes.drop(`tools[${i}] (${textOf(tool["type"]) ?? "a tool without a type"})`)
  }
  for (const described of objectsOf(body["functions"])) tools.push(functionTool(described, undefined))
  return tools
}

const toolChoiceOf = (choice: unknown): ToolChoice | undefined => {
  if (choice === "auto" || choice === "none" || choice === "required") return { kind: choice }
  if (!isObject(choice)) return undefined
  if (choice["type"] === "allowed_tools") {
    const names = objectsOf(at(choice, "allowed_tools", "tools")).flatMap((tool) => {
      const name = textOf(at(tool, "function", "name")) ?? textOf(at(tool, "custom", "name"))
      return name === undefined ? [] : [name]
    })
    return { kind: "among", names, required: at(choice, "allowed_tools", "mode") === "required" }
  }
  const custom = textOf(at(choice, "custom", "name"))
  const name = textOf(at(choice, "function", "name")) ?? custom ?? textOf(choice["name"])
  return name === undefined ? undefined : { kind: "tool", name, custom: custom === undefined ? undefined : true }
}

/** Some clients name the schema beside the format, without the format. */
const outputOf = (body: JsonObject): OutputShape | undefined => {
  const format = body["response_format"]
  if (at(format, "type") === "json_object") return { kind: "json" }
  const bare = format === undefined || format === null
  const schema = bare ? body["json_schema"] : at(format, "json_schema")
  if (!isObject(schema) || (!bare && at(format, "type") !== "json_schema")) return undefined
  return {
    kind: "schema",
    schema: objectOf(schema["schema"]) ?? {},
    name: textOf(schema["name"]),
    description: textOf(schema["description"]),
    strict: flagOf(schema["strict"]),
  }
}

const thinkingOf = (body: JsonObject): Reasoning | undefined => {
  const effort = effortOf(body["reasoning_effort"]) ?? effortOf(at(body, "reasoning", "effort"))
  const thinking = objectOf(body["thinking"])
  if (thinking === undefined) return effort === undefined ? undefined : { effort }
  const budgetTokens = numberOf(thinking["budget_tokens"])
  return {
    effort,
    budgetTokens,
    adaptive: thinking["type"] === "adaptive" ? true : undefined,
    off: thinking["type"] === "disabled" ? true : undefined,
  }
}

export const stopOf = (stop: unknown): ReadonlyArray<string> | undefined => {
  if (typeof stop === "string") return [stop]
  const list = listOf(stop).filter((one) => typeof one === "string")
  return list.length === 0 ? undefined : list
}

export const readRequest = (body: JsonObject, notes: Notes): ChatRequest => {
  if (!Array.isArray(body["messages"])) notes.refuse("messages", "a chat request needs a list of messages")
  const extras = without(body, known)
  const modalities = listOf(body["modalities"]).filter((one) => typeof one === "string")
  return {
    model: textOf(body["model"]),
    turns: turnsOf(listOf(body["messages"]), notes),
    tools: toolsOf(body, notes),
    toolChoice: toolChoiceOf(body["tool_choice"]) ?? toolChoiceOf(body["function_call"]),
    parallelTools: flagOf(body["parallel_tool_calls"]),
    maxTokens: numberOf(body["max_completion_tokens"]) ?? numberOf(body["max_tokens"]),
    temperature: numberOf(body["temperature"]),
    topP: numberOf(body["top_p"]),
    topK: numberOf(body["top_k"]),
    stop: stopOf(body["stop"]),
    seed: numberOf(body["seed"]),
    presencePenalty: numberOf(body["presence_penalty"]),
    frequencyPenalty: numberOf(body["frequency_penalty"]),
    choices: numberOf(body["n"]),
    logprobs: flagOf(body["logprobs"]),
    topLogprobs: numberOf(body["top_logprobs"]),
    reasoning: thinkingOf(body),
    output: outputOf(body),
    verbosity: textOf(body["verbosity"]),
    stream: body["stream"] === true,
    streamUsage: at(body, "stream_options", "include_usage") === true,
    user: textOf(body["user"]),
    metadata: objectOf(body["metadata"]),
    serviceTier: textOf(body["service_tier"]),
    modalities: modalities.length === 0 ? undefined : modalities,
    extras: { vendor: "openai", fields: extras },
  }
}
