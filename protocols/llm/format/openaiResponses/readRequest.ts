/** A request to OpenAI's Responses as a conversation. */
import type {
  CacheMark,
  ChatRequest,
  OutputShape,
  Part,
  Role,
  Signature,
  ToolChoice,
  Turn,
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
import { citationOf } from "../openaiChat/readReply.ts"
import { cacheMarkOf, effortOf } from "../openaiChat/readRequest.ts"
import { brought, builtInInput, builtInOutput, calledName, isBuiltIn, toolsOf } from "./clientTools.ts"

const known = new Set([
  "model",
  "input",
  "instructions",
  "max_output_tokens",
  "temperature",
  "top_p",
  "top_logprobs",
  "reasoning",
  "text",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "stream",
  "stream_options",
  "user",
  "metadata",
  "service_tier",
  "include",
  "previous_response_id",
  "conversation",
  "prompt",
  "background",
  "truncation",
])

/**
 * A thought that only its vendor can read, with the id it was given: both are needed to give it back. The id has no
 * dot in it.
 */
export const hiddenThought = (id: string, encrypted: string): Signature => ({
  vendor: "openai",
  value: `${id}.${encrypted}`,
})

const contentPart = (part: JsonObject, path: string, notes: Notes): Part | undefined => {
  const cache: CacheMark | undefined = cacheMarkOf(part)
  switch (part["type"]) {
    case "input_text":
    case "text":
      return { kind: "text", text: textOf(part["text"]) ?? "", cache }
    case "output_text": {
      const citations = objectsOf(part["annotations"]).map(citationOf)
      // Nobody else can be told what a model cited before.
      if (citations.length > 0) notes.drop(`${path}.annotations`)
      return {
        kind: "text",
        text: textOf(part["text"]) ?? "",
        cache,
        citations: citations.length === 0 ? undefined : citations,
      }
    }
    case "refusal":
      return { kind: "refusal", text: textOf(part["refusal"]) ?? "" }
    case "input_image": {
      const url = textOf(part["image_url"]) ?? textOf(at(part, "image_url", "url"))
      const detail = textOf(part["detail"])
      if (url !== undefined) return { kind: "image", source: sourceOfUrl(url), detail, cache }
      const id = textOf(part["file_id"])
      if (id !== undefined) return { kind: "image", source: { kind: "file", id }, detail, cache }
      return void notes.refuse(`${path}.image_url`, "an image needs an address or a file")
    }
    case "input_file": {
      const name = textOf(part["filename"])
      const data = textOf(part["file_data"])
      if (data !== undefined)
        return {
          kind: "document",
          source: data.startsWith("data:") ? sourceOfUrl(data) : { kind: "base64", mediaType: "application/pdf", data },
          name,
          cache,
        }
      const url = textOf(part["file_url"])
      if (url !== undefined) return { kind: "document", source: sourceOfUrl(url), name, cache }
      const id = textOf(part["file_id"])
      if (id !== undefined) return { kind: "document", source: { kind: "file", id }, name, cache }
      return void notes.refuse(path, "a file needs file_data, file_url or file_id")
    }
    case "input_audio": {
      const data = textOf(at(part, "input_audio", "data"))
      if (data === undefined) return void notes.refuse(`${path}.input_audio.data`, "a sound needs its data")
      const format = textOf(at(part, "input_audio", "format")) ?? "wav"
      return {
        kind: "media",
        source: { kind: "base64", mediaType: format === "mp3" ? "audio/mpeg" : `audio/${format}`, data },
      }
    }
    default:
      notes.drop(`${path} (${textOf(part["type"]) ?? "a part without a type"})`)
      return undefined
  }
}

const contentOf = (content: unknown, path: string, notes: Notes): ReadonlyArray<Part> => {
  if (typeof content === "string") return [{ kind: "text", text: content }]
  const parts: Array<Part> = []
  for (const [i, one] of listOf(content).entries()) {
    const part = isObject(one) ? contentPart(one, `${path}[${i}]`, notes) : undefined
    if (part !== undefined) parts.push(part)
  }
  return parts
}

const thought = (item: JsonObject): Part => {
  const texts = [...objectsOf(item["summary"]), ...objectsOf(item["content"])].map((one) => textOf(one["text"]) ?? "")
  const text = texts.join("\n\n")
  const id = textOf(item["id"]) ?? ""
  const encrypted = textOf(item["encrypted_content"])
  if (encrypted === undefined) return { kind: "reasoning", text, id }
  const signature = readSignature(encrypted, "openai")
  if (signature.vendor === "openai") return { kind: "reasoning", text, id, hidden: hiddenThought(id, encrypted) }
  return text === "" ? { kind: "reasoning", text, id, hidden: signature } : { kind: "reasoning", text, id, signature }
}

const result = (item: JsonObject, path: string, notes: Notes, custom: boolean): Part => {
  const output = item["output"]
  return {
    kind: "toolResult",
    id: unsignedId(textOf(item["call_id"]) ?? "").id,
    content: contentOf(typeof output === "string" || Array.isArray(output) ? output : "", path, notes).filter(
      (part) => part.kind === "text" || part.kind === "image" || part.kind === "document",
    ),
    failed: item["status"] === "incomplete" ? true : undefined,
    custom: custom ? true : undefined,
  }
}

/** Gathers items into turns: what the model said in a row is one turn, and so are the results it gets in a row. */
class Turns {
  readonly all: Array<{ role: Role; parts: Array<Part>; open: boolean }> = []

  add(role: Role, parts: ReadonlyArray<Part>, open: boolean): void {
    const last = this.all.at(-1)
    if (open && last?.open === true && last.role === role) last.parts.push(...parts)
    else this.all.push({ role, parts: [...parts], open })
  }
}

const message = (item: JsonObject, path: string, turns: Turns, notes: Notes): void => {
  const role = item["role"]
  const parts = contentOf(item["content"], `${path}.content`, notes)
  if (role === "assistant") turns.add("assistant", parts, true)
  else if (role === "user" || role === "system" || role === "developer") turns.add(role, parts, false)
  else notes.refuse(`${path}.role`, "a role is one of user, assistant, system, developer")
}

const readItem = (
  item: JsonObject,
  path: string,
  tools: ReadonlyArray<JsonObject>,
  turns: Turns,
  notes: Notes,
): void => {
  if (at(item, "caller", "type") === "program") notes.drop(`${path}.caller`)
  if (item["environment"] !== undefined && item["environment"] !== null) notes.drop(`${path}.environment`)
  switch (item["type"]) {
    case undefined:
    case "message":
      return message(item, path, turns, notes)
    case "function_call":
    case "custom_tool_call": {
      const custom = item["type"] === "custom_tool_call"
      const { id, signature } = unsignedId(textOf(item["call_id"]) ?? textOf(item["id"]) ?? "")
      return turns.add(
        "assistant",
        [
          {
            kind: "toolCall",
            id,
            name: calledName(item, tools) ?? "",
            input: textOf(item[custom ? "input" : "arguments"]) ?? "",
            custom: custom ? true : undefined,
            signature,
          },
        ],
        true,
      )
    }
    case "function_call_output":
    case "custom_tool_call_output":
      return turns.add("user", [result(item, `${path}.output`, notes, item["type"] !== "function_call_output")], true)
    case "local_shell_call":
    case "shell_call":
    case "apply_patch_call": {
      const { id, signature } = unsignedId(textOf(item["call_id"]) ?? textOf(item["id"]) ?? "")
      const name = calledName(item, tools) ?? ""
      return turns.add("assistant", [{ kind: "toolCall", id, name, input: builtInInput(item), signature }], true)
    }
    case "local_shell_call_output":
    case "shell_call_output":
    case "apply_patch_call_output":
      return turns.add(
        "user",
        [
          {
            kind: "toolResult",
            id: unsignedId(textOf(item["call_id"]) ?? textOf(item["id"]) ?? "").id,
            content: [{ kind: "text", text: builtInOutput(item) }],
            failed: item["status"] === "failed" || item["status"] === "incomplete" ? true : undefined,
          },
        ],
        true,
      )
    case "additional_tools":
      return
    case "reasoning":
      return turns.add("assistant", [thought(item)], true)
    case "item_reference":
      // Thoughts may be left out; anything else that is only referred to would be missing from the conversation.
      if (textOf(item["id"])?.startsWith("rs_") === true) return notes.drop(`${path} (a stored thought)`)
      return notes.refuse(path, "this model cannot see items that another provider stored: send them in full")
    default:
      return notes.drop(`${path} (${textOf(item["type"]) ?? "an item of no type"})`)
  }
}

const toolChoiceOf = (choice: unknown, tools: ReadonlyArray<JsonObject>, notes: Notes): ToolChoice | undefined => {
  if (choice === "auto" || choice === "none" || choice === "required") return { kind: choice }
  if (!isObject(choice)) return undefined
  const name = calledName(choice, tools)
  if (choice["type"] === "function" && name !== undefined) return { kind: "tool", name }
  if (choice["type"] === "custom" && name !== undefined) return { kind: "tool", name, custom: true }
  if (name !== undefined && isBuiltIn(choice["type"])) return { kind: "tool", name }
  if (choice["type"] === "allowed_tools")
    return {
      kind: "among",
      names: objectsOf(choice["tools"]).flatMap((tool) => calledName(tool, tools) ?? []),
      required: choice["mode"] === "required",
    }
  notes.drop("tool_choice")
  return undefined
}

const outputOf = (format: unknown): OutputShape | undefined => {
  if (at(format, "type") === "json_object") return { kind: "json" }
  if (at(format, "type") !== "json_schema") return undefined
  return {
    kind: "schema",
    schema: objectOf(at(format, "schema")) ?? {},
    name: textOf(at(format, "name")),
    description: textOf(at(format, "description")),
    strict: flagOf(at(format, "strict")),
  }
}

/** What only the one who stored the conversation can do. */
const refuseStored = (body: JsonObject, notes: Notes): void => {
  for (const name of ["previous_response_id", "conversation", "prompt"])
    if (body[name] !== undefined && body[name] !== null)
      notes.refuse(name, "this model cannot see what another provider stored: send the whole conversation as input")
  if (body["background"] === true) notes.refuse("background", "this model answers at once or not at all")
}

export const readRequest = (body: JsonObject, notes: Notes): ChatRequest => {
  refuseStored(body, notes)
  const turns = new Turns()
  const tools = brought(body)
  const instructions = textOf(body["instructions"])
  if (instructions !== undefined && instructions !== "")
    turns.add("developer", [{ kind: "text", text: instructions }], false)
  const input = body["input"]
  if (typeof input === "string") turns.add("user", [{ kind: "text", text: input }], false)
  else if (Array.isArray(input))
    for (const [i, item] of input.entries())
      if (isObject(item)) readItem(item, `input[${i}]`, tools, turns, notes)
      else notes.refuse(`input[${i}]`, "an item is an object")
  else notes.refuse("input", "a request needs an input: a string or a list of items")
  const include = listOf(body["include"])
  const effort = effortOf(at(body, "reasoning", "effort"))
  const summary = textOf(at(body, "reasoning", "summary"))
  const logprobs = include.includes("message.output_text.logprobs")
  return {
    model: textOf(body["model"]),
    turns: turns.all.map(({ role, parts }): Turn => ({ role, parts })),
    tools: toolsOf(tools, notes),
    toolChoice: toolChoiceOf(body["tool_choice"], tools, notes),
    parallelTools: flagOf(body["parallel_tool_calls"]),
    maxTokens: numberOf(body["max_output_tokens"]),
    temperature: numberOf(body["temperature"]),
    topP: numberOf(body["top_p"]),
    logprobs: logprobs ? true : undefined,
    topLogprobs: numberOf(body["top_logprobs"]),
    reasoning: effort === undefined && summary === undefined ? undefined : { effort, summary },
    output: outputOf(at(body, "text", "format")),
    verbosity: textOf(at(body, "text", "verbosity")),
    stream: body["stream"] === true,
    streamUsage: true,
    user: textOf(body["user"]),
    metadata: objectOf(body["metadata"]),
    serviceTier: textOf(body["service_tier"]),
    extras: { vendor: "openai", fields: without(body, known) },
  }
}
