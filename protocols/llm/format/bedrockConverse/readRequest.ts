/** A request to Bedrock's Converse as a conversation. */
import type {
  CacheMark,
  ChatRequest,
  DocumentPart,
  Effort,
  ImagePart,
  OutputShape,
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
  parseJson,
  textOf,
  without,
} from "../../Json.ts"
import type { Notes } from "../../Notes.ts"
import { readSignature, unsignedId } from "../../signature.ts"
import { reasoningOf } from "../anthropicMessages/readRequest.ts"
import { effortOf, stopOf } from "../openaiChat/readRequest.ts"
import { audioType, documentType, videoType } from "./media.ts"
import { readRedacted } from "./redacted.ts"
import { PLACEHOLDER } from "./writeRequest.ts"

const known = new Set([
  "modelId",
  "model",
  "stream",
  "messages",
  "system",
  "inferenceConfig",
  "toolConfig",
  "outputConfig",
  "additionalModelRequestFields",
  "requestMetadata",
  "serviceTier",
])
const knownFields = new Set(["thinking", "output_config", "reasoningConfig", "top_k", "topK", "inferenceConfig"])

/** What lies in S3 is read by Bedrock only, and a request that is read here goes to somebody else. */
const bytesOf = (source: unknown, mediaType: string): Source | undefined => {
  const bytes = textOf(at(source, "bytes"))
  return bytes === undefined ? undefined : { kind: "base64", mediaType, data: bytes }
}

const image = (block: JsonObject, path: string, notes: Notes): ImagePart | undefined => {
  const source = bytesOf(block["source"], `image/${textOf(block["format"]) ?? "png"}`)
  return source === undefined
    ? void notes.refuse(`${path}.source`, "an image needs its bytes")
    : { kind: "image", source }
}

const document = (block: JsonObject, path: string, notes: Notes): DocumentPart | undefined => {
  const { source } = block
  const text = textOf(at(source, "text"))
  const pieces = at(source, "content")
  const found: Source | undefined =
    text !== undefined
      ? { kind: "text", text }
      : Array.isArray(pieces)
        ? {
            kind: "text",
            text: objectsOf(pieces)
              .map((one) => textOf(one["text"]) ?? "")
              .join("\n"),
          }
        : bytesOf(source, documentType(textOf(block["format"])))
  if (found === undefined) return void notes.refuse(`${path}.source`, "a document needs its bytes or its text")
  return {
    kind: "document",
    source: found,
    name: textOf(block["name"]),
    context: textOf(block["context"]),
    citable: at(block, "citations", "enabled") === true ? true : undefined,
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
})

const resultOf = (block: JsonObject, path: string, notes: Notes): Part => {
  const content = objectsOf(block["content"])
  const only = content.length === 1 ? objectOf(content[0]?.["json"]) : undefined
  return {
    kind: "toolResult",
    id: unsignedId(textOf(block["toolUseId"]) ?? "").id,
    content: content.flatMap((one, i): ReadonlyArray<TextPart | ImagePart | DocumentPart> => {
      if (only !== undefined) return []
      const json = one["json"]
      const part =
        json === undefined
          ? blockOf(one, `${path}.content[${i}]`, notes)
          : ({ kind: "text", text: JSON.stringify(json) } as const)
      return part?.kind === "text" || part?.kind === "image" || part?.kind === "document" ? [part] : []
    }),
    object: only,
    failed: block["status"] === "error" ? true : undefined,
  }
}

const blockOf = (block: JsonObject, path: string, notes: Notes): Part | undefined => {
  const text = textOf(block["text"])
  if (text !== undefined) return { kind: "text", text }
  for (const [name, inner] of Object.entries(block)) {
    if (!isObject(inner)) continue
    const here = `${path}.${name}`
    switch (name) {
      case "image":
        return image(inner, here, notes)
      case "document":
        return document(inner, here, notes)
      case "video":
      case "audio": {
        const format = textOf(inner["format"])
        const source = bytesOf(inner["source"], name === "video" ? videoType(format) : audioType(format))
        return source === undefined
          ? void notes.refuse(`${here}.source`, "a clip needs its bytes")
          : { kind: "media", source }
      }
      case "toolUse": {
        const { id, signature } = unsignedId(textOf(inner["toolUseId"]) ?? "")
        return {
          kind: "toolCall",
          id,
          name: textOf(inner["name"]) ?? "",
          input: JSON.stringify(inner["input"] ?? {}),
          signature,
          hosted: inner["type"] === "server_tool_use" ? true : undefined,
        }
      }
      case "toolResult":
        return resultOf(inner, here, notes)
      case "reasoningContent": {
        const signature = textOf(at(inner, "reasoningText", "signature"))
        const redacted = textOf(inner["redactedContent"])
        return {
          kind: "reasoning",
          text: textOf(at(inner, "reasoningText", "text")) ?? "",
          signature: signature === undefined || signature === "" ? undefined : readSignature(signature, "anthropic"),
          hidden: redacted === undefined ? undefined : readRedacted(redacted),
        }
      }
      case "guardContent": {
        const guarded = objectOf(inner["image"])
        return guarded === undefined
          ? { kind: "text", text: textOf(at(inner, "text", "text")) ?? "" }
          : image(guarded, `${here}.image`, notes)
      }
      case "citationsContent":
        if (objectsOf(inner["citations"]).length > 0) notes.drop(`${here}.citations`)
        return {
          kind: "text",
          text: objectsOf(inner["content"])
            .map((one) => textOf(one["text"]) ?? "")
            .join(""),
        }
      case "searchResult":
        return searchResult(inner)
      default:
    }
  }
  notes.drop(`${path} (${Object.keys(block)[0] ?? "a block without content"})`)
  return undefined
}

const markOf = (block: JsonObject): CacheMark | undefined => {
  const point = objectOf(block["cachePoint"])
  return point === undefined ? undefined : { ttl: textOf(point["ttl"]) }
}

/** A cache point stands behind what it marks. */
const marked = <A extends object>(
  blocks: ReadonlyArray<JsonObject>,
  read: (block: JsonObject, i: number) => A | undefined,
): ReadonlyArray<A> => {
  const parts: Array<A> = []
  for (const [i, block] of blocks.entries()) {
    const cache = markOf(block)
    const last = parts.at(-1)
    if (cache === undefined) {
      const part = read(block, i)
      if (part !== undefined) parts.push(part)
    } else if (last !== undefined) parts[parts.length - 1] = { ...last, cache }
  }
  return parts
}

const turnOf = (message: unknown, i: number, notes: Notes): ReadonlyArray<Turn> => {
  const path = `messages[${i}]`
  const role = at(message, "role")
  if (role !== "user" && role !== "assistant") {
    notes.refuse(`${path}.role`, "a role is user or assistant")
    return []
  }
  const content = objectsOf(at(message, "content"))
  return [{ role, parts: marked(content, (block, j) => blockOf(block, `${path}.content[${j}]`, notes)) }]
}

const systemOf = (system: unknown, notes: Notes): ReadonlyArray<Turn> => {
  const parts = marked(objectsOf(system), (block, i) => {
    const part = blockOf(block, `system[${i}]`, notes)
    return part?.kind === "text" ? part : undefined
  })
  return parts.length === 0 ? [] : [{ role: "system", parts }]
}

const toolsOf = (tools: unknown, notes: Notes): ReadonlyArray<Tool> =>
  marked(objectsOf(tools), (tool, i): Tool | undefined => {
    const spec = objectOf(tool["toolSpec"])
    if (spec === undefined) return void notes.drop(`toolConfig.tools[${i}] (${Object.keys(tool)[0] ?? "empty"})`)
    // Another gateway put it there, since nothing was offered.
    if (spec["name"] === PLACEHOLDER) return undefined
    return {
      name: textOf(spec["name"]) ?? "",
      description: textOf(spec["description"]),
      schema: objectOf(at(spec, "inputSchema", "json")),
      strict: flagOf(spec["strict"]),
    }
  })

const toolChoiceOf = (choice: unknown): ToolChoice | undefined => {
  if (at(choice, "auto") !== undefined) return { kind: "auto" }
  if (at(choice, "any") !== undefined) return { kind: "required" }
  const name = textOf(at(choice, "tool", "name"))
  return name === undefined ? undefined : { kind: "tool", name }
}

const outputOf = (config: unknown): OutputShape | undefined => {
  const shape = objectOf(at(config, "textFormat", "structure", "jsonSchema"))
  const schema = parseJson(textOf(shape?.["schema"]) ?? "")
  return isObject(schema)
    ? { kind: "schema", schema, name: textOf(shape?.["name"]), description: textOf(shape?.["description"]) }
    : undefined
}

/** Each family of models has words of its own for it. */
const thinkingOf = (fields: JsonObject, said: Effort | undefined): Reasoning | undefined => {
  const config = objectOf(fields["reasoningConfig"])
  if (config === undefined) {
    const reasoning = reasoningOf(fields)
    return said === undefined || reasoning?.effort !== undefined ? reasoning : { ...reasoning, effort: said }
  }
  return config["type"] === "disabled" ? { off: true } : { effort: effortOf(config["maxReasoningEffort"]) ?? "medium" }
}

export const readRequest = (body: JsonObject, notes: Notes): ChatRequest => {
  if (!Array.isArray(body["messages"])) notes.refuse("messages", "a request needs a list of messages")
  const config = objectOf(body["inferenceConfig"]) ?? {}
  const fields = objectOf(body["additionalModelRequestFields"]) ?? {}
  const tools = objectOf(body["toolConfig"])
  const metadata = objectOf(body["requestMetadata"])
  for (const name of Object.keys(without(fields, knownFields))) notes.drop(`additionalModelRequestFields.${name}`)
  return {
    model: textOf(body["model"]),
    turns: [
      ...systemOf(body["system"], notes),
      ...listOf(body["messages"]).flatMap((message, i) => turnOf(message, i, notes)),
    ],
    tools: toolsOf(tools?.["tools"], notes),
    toolChoice: toolChoiceOf(tools?.["toolChoice"]),
    maxTokens: numberOf(config["maxTokens"]),
    temperature: numberOf(config["temperature"]),
    topP: numberOf(config["topP"]),
    topK: numberOf(fields["top_k"]) ?? numberOf(fields["topK"]) ?? numberOf(at(fields, "inferenceConfig", "topK")),
    stop: stopOf(config["stopSequences"]),
    reasoning: thinkingOf(fields, effortOf(at(body, "outputConfig", "effort"))),
    output: outputOf(body["outputConfig"]),
    stream: body["stream"] === true,
    streamUsage: true,
    metadata,
    serviceTier: textOf(at(body, "serviceTier", "type")),
    extras: { vendor: "anthropic", fields: without(body, known) },
  }
}
