/** A request to Anthropic's Messages as a conversation. */
import type {
  CacheMark,
  ChatRequest,
  Citation,
  Effort,
  Part,
  Reasoning,
  Source,
  TextPart,
  Tool,
  ToolChoice,
  Turn,
} from "../../Conversation.ts"
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
import { effortOf, stopOf } from "../openaiChat/readRequest.ts"

const known = new Set([
  "model",
  "messages",
  "system",
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "stream",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "output_format",
  "metadata",
  "service_tier",
])

const cacheOf = (block: JsonObject): CacheMark | undefined => {
  const mark = objectOf(block["cache_control"])
  return mark === undefined ? undefined : { ttl: textOf(mark["ttl"]) }
}

const sourceOf = (source: unknown): Source | undefined => {
  if (!isObject(source)) return undefined
  const mediaType = textOf(source["media_type"])
  const data = textOf(source["data"])
  switch (source["type"]) {
    case "base64":
      return data === undefined
        ? undefined
        : { kind: "base64", mediaType: mediaType ?? "application/octet-stream", data }
    case "text":
      return data === undefined ? undefined : { kind: "text", text: data }
    case "url": {
      const url = textOf(source["url"])
      return url === undefined ? undefined : { kind: "url", url, mediaType }
    }
    case "file": {
      const id = textOf(source["file_id"])
      return id === undefined ? undefined : { kind: "file", id }
    }
    case "content": {
      const texts =
        typeof source["content"] === "string"
          ? [source["content"]]
          : objectsOf(source["content"]).map((one) => textOf(one["text"]) ?? "")
      return { kind: "text", text: texts.join("\n") }
    }
    default:
      return undefined
  }
}

export const citationOf = (citation: JsonObject): Citation => ({
  url: textOf(citation["url"]),
  title: textOf(citation["title"]) ?? textOf(citation["document_title"]) ?? undefined,
  start: numberOf(citation["start_char_index"]),
  end: numberOf(citation["end_char_index"]),
  vendor: "anthropic",
  original: citation,
})

const textBlock = (block: JsonObject, path: string, notes: Notes): TextPart => {
  const citations = objectsOf(block["citations"]).map(citationOf)
  // Nobody else can be told what a model cited before.
  if (citations.length > 0) notes.drop(`${path}.citations`)
  return {
    kind: "text",
    text: textOf(block["text"]) ?? "",
    cache: cacheOf(block),
    citations: citations.length === 0 ? undefined : citations,
  }
}

const searchResult = (block: JsonObject): TextPart => ({
  kind: "text",
  text: [
    textOf(block["title"]),
    textOf(block["source"]),
    ...objectsOf(block["content"]).map((one) => textOf(one["text"])),
  ]
    .filter((one) => one !== undefined && one !== "")
    .join("\n"),
  cache: cacheOf(block),
})

const resultContent = (content: unknown, path: string, notes: Notes) => {
  if (typeof content === "string") return content === "" ? [] : [{ kind: "text", text: content } as const]
  return listOf(content).flatMap((one, i) => {
    const part =
      typeof one === "string"
        ? ({ kind: "text", text: one } as const)
        : isObject(one)
          ? blockOf(one, `${path}[${i}]`, notes)
          : undefined
    return part?.kind === "text" || part?.kind === "image" || part?.kind === "document" ? [part] : []
  })
}

const blockOf = (block: JsonObject, path: string, notes: Notes): Part | undefined => {
  switch (block["type"]) {
    case "text":
      return textBlock(block, path, notes)
    case "image": {
      const source = sourceOf(block["source"])
      if (source === undefined) return void notes.refuse(`${path}.source`, "an image needs a source")
      return { kind: "image", source, cache: cacheOf(block) }
    }
    case "document": {
      const source = sourceOf(block["source"])
      if (source === undefined) return void notes.refuse(`${path}.source`, "a document needs a source")
      return {
        kind: "document",
        source,
        name: textOf(block["title"]),
        context: textOf(block["context"]),
        citable: at(block, "citations", "enabled") === true ? true : undefined,
        cache: cacheOf(block),
      }
    }
    case "search_result":
      if (objectsOf(block["content"]).some((one) => objectsOf(one["citations"]).length > 0))
        notes.drop(`${path}.citations`)
      return searchResult(block)
    case "thinking": {
      const signature = textOf(block["signature"])
      return {
        kind: "reasoning",
        text: textOf(block["thinking"]) ?? "",
        signature: signature === undefined || signature === "" ? undefined : readSignature(signature, "anthropic"),
      }
    }
    case "redacted_thinking": {
      const data = textOf(block["data"])
      return { kind: "reasoning", text: "", hidden: data === undefined ? undefined : readSignature(data, "anthropic") }
    }
    case "tool_use": {
      const { id, signature } = unsignedId(textOf(block["id"]) ?? "")
      const input = block["input"]
      const caller = textOf(at(block, "caller", "type"))
      if (caller !== undefined && caller !== "direct") notes.drop(`${path}.caller`)
      if (block["toolset_name"] !== undefined) notes.drop(`${path}.toolset_name`)
      return {
        kind: "toolCall",
        id,
        name: textOf(block["name"]) ?? "",
        input: typeof input === "string" ? input : JSON.stringify(input ?? {}),
        signature,
        cache: cacheOf(block),
      }
    }
    case "tool_result":
      if (block["toolset_name"] !== undefined) notes.drop(`${path}.toolset_name`)
      return {
        kind: "toolResult",
        id: unsignedId(textOf(block["tool_use_id"]) ?? "").id,
        content: resultContent(block["content"], `${path}.content`, notes),
        failed: block["is_error"] === true ? true : undefined,
        cache: cacheOf(block),
      }
    default:
      notes.drop(`${path} (${textOf(block["type"]) ?? "a block without a type"})`)
      return undefined
  }
}

const partsOf = (content: unknown, path: string, notes: Notes): ReadonlyArray<Part> => {
  if (typeof content === "string") return [{ kind: "text", text: content }]
  if (!Array.isArray(content)) {
    notes.refuse(path, "content is a string or a list of blocks")
    return []
  }
  return content.flatMap((block, i) => {
    const part = isObject(block) ? blockOf(block, `${path}[${i}]`, notes) : undefined
    return part === undefined ? [] : [part]
  })
}

const systemOf = (system: unknown, notes: Notes): ReadonlyArray<Turn> => {
  if (typeof system === "string")
    return system === "" ? [] : [{ role: "system", parts: [{ kind: "text", text: system }] }]
  const parts = objectsOf(system)
    .filter((block) => block["type"] === "text")
    .map((block, i) => textBlock(block, `system[${i}]`, notes))
  return parts.length === 0 ? [] : [{ role: "system", parts }]
}

const turnOf = (message: unknown, i: number, notes: Notes): ReadonlyArray<Turn> => {
  const path = `messages[${i}]`
  if (!isObject(message)) {
    notes.refuse(path, "a message is an object")
    return []
  }
  const role = message["role"]
  if (role !== "user" && role !== "assistant" && role !== "system") {
    notes.refuse(`${path}.role`, "a role is user, assistant or system")
    return []
  }
  return [{ role, parts: partsOf(message["content"], `${path}.content`, notes) }]
}

const toolsOf = (tools: unknown, notes: Notes): ReadonlyArray<Tool> =>
  objectsOf(tools).flatMap((tool, i) => {
    const type = textOf(tool["type"]) ?? "custom"
    if (type !== "custom") {
      notes.drop(`tools[${i}] (${type})`)
      return []
    }
    return [
      {
        name: textOf(tool["name"]) ?? "",
        description: textOf(tool["description"]),
        schema: objectOf(tool["input_schema"]),
        strict: flagOf(tool["strict"]),
        cache: cacheOf(tool),
      },
    ]
  })

const toolChoiceOf = (choice: unknown): ToolChoice | undefined => {
  switch (at(choice, "type")) {
    case "auto":
      return { kind: "auto" }
    case "any":
      return { kind: "required" }
    case "none":
      return { kind: "none" }
    case "tool":
      return { kind: "tool", name: textOf(at(choice, "name")) ?? "" }
    default:
      return undefined
  }
}

export const reasoningOf = (body: JsonObject): Reasoning | undefined => {
  const effort: Effort | undefined = effortOf(at(body, "output_config", "effort"))
  const thinking = objectOf(body["thinking"])
  switch (thinking?.["type"]) {
    case "enabled":
      return { effort, budgetTokens: numberOf(thinking["budget_tokens"]), summary: textOf(thinking["display"]) }
    case "adaptive":
      return { effort, adaptive: true, summary: textOf(thinking["display"]) }
    case "disabled":
      return { effort, off: true }
    default:
      return effort === undefined ? undefined : { effort }
  }
}

export const readRequest = (body: JsonObject, notes: Notes): ChatRequest => {
  if (!Array.isArray(body["messages"])) notes.refuse("messages", "a request needs a list of messages")
  const format = objectOf(at(body, "output_config", "format")) ?? objectOf(body["output_format"])
  const disabled = flagOf(at(body, "tool_choice", "disable_parallel_tool_use"))
  const metadata = objectOf(body["metadata"])
  return {
    model: textOf(body["model"]),
    turns: [
      ...systemOf(body["system"], notes),
      ...listOf(body["messages"]).flatMap((message, i) => turnOf(message, i, notes)),
    ],
    tools: toolsOf(body["tools"], notes),
    toolChoice: toolChoiceOf(body["tool_choice"]),
    parallelTools: disabled === undefined ? undefined : !disabled,
    maxTokens: numberOf(body["max_tokens"]),
    temperature: numberOf(body["temperature"]),
    topP: numberOf(body["top_p"]),
    topK: numberOf(body["top_k"]),
    stop: stopOf(body["stop_sequences"]),
    reasoning: reasoningOf(body),
    output:
      format?.["type"] === "json_schema" && isObject(format["schema"])
        ? { kind: "schema", schema: format["schema"] }
        : undefined,
    stream: body["stream"] === true,
    streamUsage: true,
    user: textOf(metadata?.["user_id"]),
    metadata,
    serviceTier: textOf(body["service_tier"]),
    extras: { vendor: "anthropic", fields: without(body, known) },
  }
}
