/** A conversation as a request to OpenAI's Responses. */
import type { ChatRequest, Part, Tool, ToolChoice, Turn } from "../../Conversation.ts"
import { writeDataUrl } from "../../dataUrl.ts"
import { effortOfBudget } from "../../effort.ts"
import { compact, type JsonObject, pick, present } from "../../Json.ts"
import { openAiReasons } from "../../models.ts"
import type { Notes } from "../../Notes.ts"
import type { ToolNames } from "../../toolNames.ts"
import type { Context } from "../Format.ts"
import { breakpointsKnown } from "../openaiChat/writeRequest.ts"

const shared = [
  "store",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
  "moderation",
]

/** Limits of the provider for the values of metadata. */
const METADATA_CHARS_MAX = 512

const contentPart = (part: Part, marks: boolean, notes: Notes): JsonObject | undefined => {
  switch (part.kind) {
    case "text":
      if (part.cache !== undefined && !marks) notes.drop("cache marks")
      return part.cache !== undefined && marks
        ? { type: "input_text", text: part.text, prompt_cache_breakpoint: { mode: "explicit" } }
        : { type: "input_text", text: part.text }
    case "image": {
      const { source } = part
      const detail = part.detail ?? "auto"
      if (source.kind === "file") return { type: "input_image", file_id: source.id, detail }
      if (source.kind === "text") return undefined
      const image_url = source.kind === "url" ? source.url : writeDataUrl(source.mediaType, source.data)
      return { type: "input_image", image_url, detail }
    }
    case "document":
      if (part.context !== undefined) notes.drop("what was said about a document")
      switch (part.source.kind) {
        case "base64":
          return {
            type: "input_file",
            filename: part.name ?? "document.pdf",
            file_data: writeDataUrl(part.source.mediaType, part.source.data),
          }
        case "url":
          return { type: "input_file", file_url: part.source.url }
        case "file":
          return { type: "input_file", file_id: part.source.id }
        case "text":
          return {
            type: "input_text",
            text: part.name === undefined ? part.source.text : `${part.name}\n\n${part.source.text}`,
          }
      }
    case "media":
      return void notes.drop("content: sound or video")
    default:
      return undefined
  }
}

const contentOf = (parts: ReadonlyArray<Part>, marks: boolean, notes: Notes): ReadonlyArray<JsonObject> =>
  present(parts.map((part) => contentPart(part, marks, notes)))

const toolItems = (part: Part, names: ToolNames, marks: boolean, notes: Notes): ReadonlyArray<JsonObject> => {
  if (part.kind === "toolCall") {
    if (part.hosted === true) {
      notes.drop("tools that the other provider ran")
      return []
    }
    const name = names.out(part.name)
    return part.custom === true
      ? [{ type: "custom_tool_call", call_id: part.id, name, input: part.input }]
      : [
          {
            type: "function_call",
            call_id: part.id,
            name,
            arguments: part.input === "" ? "{}" : part.input,
            status: "completed",
          },
        ]
  }
  if (part.kind !== "toolResult") return []
  const type = part.custom === true ? "custom_tool_call_output" : "function_call_output"
  const plain = part.content.every((one) => one.kind === "text" && (one.cache === undefined || !marks))
  const output = plain
    ? part.content.length === 0 && part.object !== undefined
      ? JSON.stringify(part.object)
      : part.content.map((one) => (one.kind === "text" ? one.text : "")).join("\n")
    : contentOf(part.content, marks, notes)
  return [
    compact({
      type,
      call_id: part.id,
      output,
      status: part.custom === true ? undefined : part.failed === true ? "incomplete" : "completed",
    }),
  ]
}

const assistantItems = (turn: Turn, context: Context, count: () => number, notes: Notes): ReadonlyArray<JsonObject> => {
  const items: Array<JsonObject> = []
  let content: Array<JsonObject> | undefined
  for (const part of turn.parts) {
    if (part.kind === "text" || part.kind === "refusal") {
      if (content === undefined) {
        content = []
        items.push({
          type: "message",
          id: `msg_${context.call.id}${count().toString(16).padStart(4, "0")}`,
          role: "assistant",
          status: "completed",
          content,
        })
      }
      content.push(
        part.kind === "text"
          ? { type: "output_text", text: part.text, annotations: [] }
          : { type: "refusal", refusal: part.text },
      )
      continue
    }
    content = undefined
    if (part.kind === "reasoning") {
      const hidden = part.hidden ?? part.signature
      const dot = hidden?.vendor === "openai" ? hidden.value.indexOf(".") : -1
      if (hidden === undefined || dot < 0) {
        notes.drop("reasoning of earlier turns")
        continue
      }
      items.push({
        type: "reasoning",
        id: hidden.value.slice(0, dot),
        summary: part.text === "" ? [] : [{ type: "summary_text", text: part.text }],
        encrypted_content: hidden.value.slice(dot + 1),
      })
    } else if (part.kind === "toolCall") items.push(...toolItems(part, context.names, false, notes))
    else notes.drop("content: what is no text in a turn of the model")
  }
  return items
}

const itemsOf = (turns: ReadonlyArray<Turn>, context: Context, notes: Notes): ReadonlyArray<JsonObject> => {
  const marks = breakpointsKnown(context.call.model)
  let messages = 0
  const count = (): number => messages++
  return turns.flatMap((turn): ReadonlyArray<JsonObject> => {
    if (turn.role === "assistant") return assistantItems(turn, context, count, notes)
    const results = turn.parts.filter((part) => part.kind === "toolResult")
    const content = contentOf(turn.parts, marks, notes)
    return [
      ...results.flatMap((part) => toolItems(part, context.names, marks, notes)),
      ...(content.length === 0 ? [] : [{ type: "message", role: turn.role, content }]),
    ]
  })
}

const toolOf = (tool: Tool, names: ToolNames): JsonObject =>
  tool.custom === undefined
    ? compact({
        type: "function",
        name: names.out(tool.name),
        description: tool.description,
        parameters: tool.schema ?? { type: "object", properties: {} },
        strict: tool.strict ?? false,
      })
    : compact({
        type: "custom",
        name: names.out(tool.name),
        description: tool.description,
        format: tool.custom.format,
      })

const toolChoiceOf = (choice: ToolChoice, request: ChatRequest, names: ToolNames): unknown => {
  const named = (name: string): JsonObject => ({
    type: request.tools.some((tool) => tool.name === name && tool.custom !== undefined) ? "custom" : "function",
    name: names.out(name),
  })
  switch (choice.kind) {
    case "tool":
      return named(choice.name)
    case "among":
      return {
        type: "allowed_tools",
        mode: choice.required ? "required" : "auto",
        tools: choice.names.map(named),
      }
    default:
      return choice.kind
  }
}

const reasoningOf = (request: ChatRequest, context: Context, notes: Notes): JsonObject | undefined => {
  const { reasoning } = request
  if (reasoning === undefined) return undefined
  const effort = reasoning.off === true ? undefined : (reasoning.effort ?? effortOfBudget(reasoning))
  if (!openAiReasons(context.call.model) && context.from !== "openaiChat") {
    if (effort !== undefined) notes.drop("reasoning")
    return undefined
  }
  // Whoever shows thoughts to its clients asked for them by thinking at all.
  const shows = context.from === "anthropicMessages" || context.from === "gemini"
  const said = ["auto", "concise", "detailed"].find((one) => one === reasoning.summary)
  const summary = said ?? (shows && effort !== undefined && reasoning.summary !== "omitted" ? "auto" : undefined)
  return effort === undefined && summary === undefined ? undefined : compact({ effort, summary })
}

const outputOf = (request: ChatRequest): JsonObject | undefined => {
  const { output } = request
  if (output === undefined) return undefined
  return output.kind === "json"
    ? { type: "json_object" }
    : compact({
        type: "json_schema",
        name: output.name ?? "structured_output",
        description: output.description,
        schema: output.schema,
        strict: output.strict,
      })
}

const metadataOf = (metadata: JsonObject | undefined, notes: Notes): JsonObject | undefined => {
  if (metadata === undefined) return undefined
  const fits = Object.entries(metadata).filter(
    ([, value]) => typeof value === "string" && value.length <= METADATA_CHARS_MAX,
  )
  if (fits.length < Object.keys(metadata).length) notes.drop("metadata that is no short text")
  return fits.length === 0 ? undefined : Object.fromEntries(fits)
}

export const writeRequest = (request: ChatRequest, context: Context, notes: Notes): JsonObject => {
  const [first, ...others] = request.turns
  /** Formats that keep the system prompt apart find it apart here as well. */
  const apart =
    first?.role === "system" &&
    request.extras.vendor !== "openai" &&
    first.parts.every((part) => part.kind === "text" && part.cache === undefined)
  const instructions = apart ? first.parts.map((part) => (part.kind === "text" ? part.text : "")).join("\n") : undefined
  const fields = request.extras.vendor === "openai" ? pick(request.extras.fields, shared) : {}
  for (const name of Object.keys(request.extras.fields)) if (!Object.hasOwn(fields, name)) notes.drop(name)
  for (const [name, value] of [
    ["stop", request.stop],
    ["seed", request.seed],
    ["n", request.choices === 1 ? undefined : request.choices],
    ["presence_penalty", request.presencePenalty || undefined],
    ["frequency_penalty", request.frequencyPenalty || undefined],
    ["top_k", request.topK],
    ["modalities", request.modalities?.some((one) => one !== "text") === true ? true : undefined],
  ] as const)
    if (value !== undefined) notes.drop(name)
  const reasoning = reasoningOf(request, context, notes)
  const format = outputOf(request)
  const tools = request.tools.map((tool) => toolOf(tool, context.names))
  const include = [
    ...(request.logprobs === true ? ["message.output_text.logprobs"] : []),
    ...(reasoning !== undefined && openAiReasons(context.call.model) ? ["reasoning.encrypted_content"] : []),
  ]
  return compact({
    model: context.call.model,
    instructions,
    input: itemsOf(apart ? others : request.turns, context, notes),
    max_output_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    top_logprobs: request.logprobs === true ? request.topLogprobs : undefined,
    reasoning,
    text:
      format === undefined && request.verbosity === undefined
        ? undefined
        : compact({ format, verbosity: request.verbosity }),
    tools: tools.length === 0 ? undefined : tools,
    tool_choice:
      tools.length === 0 || request.toolChoice === undefined
        ? undefined
        : toolChoiceOf(request.toolChoice, request, context.names),
    parallel_tool_calls: tools.length === 0 ? undefined : request.parallelTools,
    include: include.length === 0 ? undefined : include,
    user: request.extras.vendor === "openai" ? request.user : undefined,
    metadata: metadataOf(request.metadata, notes),
    service_tier: request.extras.vendor === "openai" ? request.serviceTier : undefined,
    // Nobody comes back for what was stored: the conversation lives with the client.
    store: false,
    stream: request.stream ? true : undefined,
    ...fields,
    ...(context.call.options?.moderation === undefined ? {} : { moderation: context.call.options.moderation }),
  })
}
