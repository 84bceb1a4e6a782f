/** A conversation as a Chat Completions request. */
import type {
  ChatRequest,
  DocumentPart,
  ImagePart,
  Part,
  TextPart,
  Tool,
  ToolChoice,
  Turn,
} from "../../Conversation.ts"
import { writeDataUrl } from "../../dataUrl.ts"
import { effortOfBudget } from "../../effort.ts"
import { freeTextAsFunctions } from "../../freeText.ts"
import { compact, type JsonObject, pick } from "../../Json.ts"
import { gptVersion, openAiReasons, takesFreeText } from "../../models.ts"
import type { Notes } from "../../Notes.ts"
import type { ToolNames } from "../../toolNames.ts"
import type { Context } from "../Format.ts"

/** Fields that OpenAI's two formats share and that nobody else has. */
const shared = [
  "store",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
  "moderation",
]

/** Explicit cache breakpoints are an error for earlier models. */
export const breakpointsKnown = (model: string): boolean => (gptVersion(model) ?? 0) >= 5.06

const audioFormat = (mediaType: string): string =>
  mediaType === "audio/mpeg" || mediaType === "audio/mp3"
    ? "mp3"
    : (/^audio\/(?:x-)?([a-z0-9]+)/.exec(mediaType)?.[1] ?? "wav")

const imageUrl = (part: ImagePart, notes: Notes): string | undefined => {
  switch (part.source.kind) {
    case "base64":
      return writeDataUrl(part.source.mediaType, part.source.data)
    case "url":
      return part.source.url
    default:
      notes.drop("content: an image that is a file of another provider")
      return undefined
  }
}

const fileOf = (part: DocumentPart, notes: Notes): JsonObject | undefined => {
  if (part.context !== undefined) notes.drop("what was said about a document")
  switch (part.source.kind) {
    case "base64":
      return {
        type: "file",
        file: {
          filename: part.name ?? "document.pdf",
          file_data: writeDataUrl(part.source.mediaType, part.source.data),
        },
      }
    case "file":
      return { type: "file", file: compact({ file_id: part.source.id }) }
    case "text":
      return { type: "text", text: part.name === undefined ? part.source.text : `${part.name}\n\n${part.source.text}` }
    default:
      notes.drop("content: a document by its address")
      return undefined
  }
}

const contentPart = (part: Part, marks: boolean, notes: Notes): JsonObject | undefined => {
  switch (part.kind) {
    case "text":
      if (part.cache !== undefined && !marks) notes.drop("cache marks")
      return part.cache !== undefined && marks
        ? { type: "text", text: part.text, prompt_cache_breakpoint: { mode: "explicit" } }
        : { type: "text", text: part.text }
    case "image": {
      const url = imageUrl(part, notes)
      return url === undefined ? undefined : { type: "image_url", image_url: compact({ url, detail: part.detail }) }
    }
    case "document":
      return fileOf(part, notes)
    case "media":
      if (part.source.kind === "base64" && part.source.mediaType.startsWith("audio/"))
        return {
          type: "input_audio",
          input_audio: { data: part.source.data, format: audioFormat(part.source.mediaType) },
        }
      notes.drop("content: sound or video that is no inline audio")
      return undefined
    default:
      return undefined
  }
}

/** One text without a mark is a plain string: every endpoint of this format takes that. */
const contentOf = (parts: ReadonlyArray<Part>, marks: boolean, notes: Notes): string | ReadonlyArray<JsonObject> => {
  const written = parts.map((part) => contentPart(part, marks, notes)).filter((part) => part !== undefined)
  const only = written[0]
  return written.length === 1 && only?.["type"] === "text" && only["prompt_cache_breakpoint"] === undefined
    ? String(only["text"])
    : written
}

const isText = (part: Part): part is TextPart => part.kind === "text"

const assistantMessage = (turn: Turn, names: ToolNames, notes: Notes): JsonObject => {
  const texts = turn.parts.filter(isText).map((part) => part.text)
  const refusals = turn.parts.filter((part) => part.kind === "refusal").map((part) => part.text)
  const calls = turn.parts.filter((part) => part.kind === "toolCall" && part.hosted !== true)
  for (const part of turn.parts) {
    if (part.kind === "reasoning") notes.drop("reasoning of earlier turns")
    if (["image", "media", "document", "toolResult"].includes(part.kind))
      notes.drop("content: what is no text in a turn of the model")
    if (part.kind === "toolCall" && part.hosted === true) notes.drop("tools that the other provider ran")
  }
  return compact({
    role: "assistant",
    content: texts.length === 0 ? (calls.length > 0 || refusals.length > 0 ? null : "") : texts.join(""),
    refusal: refusals.length === 0 ? undefined : refusals.join(""),
    name: turn.name,
    tool_calls:
      calls.length === 0
        ? undefined
        : calls.flatMap((part): ReadonlyArray<JsonObject> => {
            if (part.kind !== "toolCall") return []
            const name = names.out(part.name)
            return part.custom === true
              ? [{ id: part.id, type: "custom", custom: { name, input: part.input } }]
              : [
                  {
                    id: part.id,
                    type: "function",
                    function: { name, arguments: part.input === "" ? "{}" : part.input },
                  },
                ]
          }),
  })
}

const userMessages = (turn: Turn, marks: boolean, notes: Notes): ReadonlyArray<JsonObject> => {
  const messages: Array<JsonObject> = []
  const rest: Array<Part> = []
  for (const part of turn.parts) {
    if (part.kind !== "toolResult") {
      rest.push(part)
      continue
    }
    if (part.failed === true) notes.drop("that a tool failed")
    const texts = part.content.filter(isText)
    const others = part.content.filter((one) => !isText(one))
    const marked = texts.length > 0 && part.cache !== undefined ? { ...texts.at(-1)!, cache: part.cache } : undefined
    const content =
      part.object !== undefined && texts.length === 0
        ? JSON.stringify(part.object)
        : texts.length === 0
          ? ""
          : contentOf(marked === undefined ? texts : [...texts.slice(0, -1), marked], marks, notes)
    messages.push({ role: "tool", tool_call_id: part.id, content })
    // A tool message holds text only, so what else a tool answered comes with the next words of the user.
    if (others.length > 0) rest.push({ kind: "text", text: `Attached to the result of ${part.id}:` }, ...others)
  }
  if (rest.length > 0 || turn.parts.length === 0)
    messages.push(compact({ role: "user", content: contentOf(rest, marks, notes), name: turn.name }))
  return messages
}

const messagesOf = (request: ChatRequest, context: Context, notes: Notes): ReadonlyArray<JsonObject> => {
  const marks = breakpointsKnown(context.call.model)
  return request.turns.flatMap((turn): ReadonlyArray<JsonObject> => {
    switch (turn.role) {
      case "assistant":
        return [assistantMessage(turn, context.names, notes)]
      case "user":
        return userMessages(turn, marks, notes)
      default:
        return [compact({ role: turn.role, content: contentOf(turn.parts, marks, notes), name: turn.name })]
    }
  })
}

const formatOf = (format: JsonObject | undefined): JsonObject | undefined => {
  if (format?.["type"] !== "grammar") return format
  const { type, ...grammar } = format
  return { type, grammar }
}

const toolOf = (tool: Tool, names: ToolNames): JsonObject =>
  tool.custom === undefined
    ? {
        type: "function",
        function: compact({
          name: names.out(tool.name),
          description: tool.description,
          parameters: tool.schema,
          strict: tool.strict,
        }),
      }
    : {
        type: "custom",
        custom: compact({
          name: names.out(tool.name),
          description: tool.description,
          format: formatOf(tool.custom.format),
        }),
      }

const toolChoiceOf = (choice: ToolChoice, request: ChatRequest, names: ToolNames): unknown => {
  const named = (name: string): JsonObject =>
    request.tools.some((tool) => tool.name === name && tool.custom !== undefined)
      ? { type: "custom", custom: { name: names.out(name) } }
      : { type: "function", function: { name: names.out(name) } }
  switch (choice.kind) {
    case "tool":
      return named(choice.name)
    case "among":
      return {
        type: "allowed_tools",
        allowed_tools: { mode: choice.required ? "required" : "auto", tools: choice.names.map(named) },
      }
    default:
      return choice.kind
  }
}

/** The newest models of this family take tools on this path only when they do not think. */
const effortOf = (request: ChatRequest, context: Context, notes: Notes): string | undefined => {
  const model = context.call.model
  const native = context.from === "openaiResponses"
  if (request.tools.length > 0 && !native && (gptVersion(model) ?? 0) >= 5.03) return "none"
  const { reasoning } = request
  if (reasoning === undefined) return undefined
  const effort = reasoning.off === true ? "none" : (reasoning.effort ?? effortOfBudget(reasoning))
  if (native || openAiReasons(model)) return effort === "none" && (gptVersion(model) ?? 0) < 5.01 ? undefined : effort
  if (effort !== undefined && effort !== "none") notes.drop("reasoning")
  return undefined
}

export const writeRequest = (asked: ChatRequest, context: Context, notes: Notes): JsonObject => {
  const request = takesFreeText(context.call.model) ? asked : freeTextAsFunctions(asked)
  const { output } = request
  if (request.topK !== undefined) notes.drop("top_k")
  if (context.from === "bedrockConverse" && request.metadata !== undefined) notes.drop("requestMetadata")
  const fields = request.extras.vendor === "openai" ? pick(request.extras.fields, shared) : {}
  for (const name of Object.keys(request.extras.fields)) if (!Object.hasOwn(fields, name)) notes.drop(name)
  const tools = request.tools.map((tool) => toolOf(tool, context.names))
  return compact({
    model: context.call.model,
    messages: messagesOf(request, context, notes),
    max_completion_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    stop: request.stop,
    seed: request.seed,
    presence_penalty: request.presencePenalty,
    frequency_penalty: request.frequencyPenalty,
    n: request.choices,
    logprobs: request.logprobs,
    top_logprobs: request.topLogprobs,
    reasoning_effort: effortOf(request, context, notes),
    response_format:
      output === undefined
        ? undefined
        : output.kind === "json"
          ? { type: "json_object" }
          : {
              type: "json_schema",
              json_schema: compact({
                name: output.name ?? "structured_output",
                description: output.description,
                schema: output.schema,
                strict: output.strict,
              }),
            },
    verbosity: request.verbosity,
    tools: tools.length === 0 ? undefined : tools,
    tool_choice:
      tools.length === 0 || request.toolChoice === undefined
        ? undefined
        : toolChoiceOf(request.toolChoice, request, context.names),
    parallel_tool_calls: tools.length === 0 ? undefined : request.parallelTools,
    user: request.user,
    metadata: request.extras.vendor === "openai" ? request.metadata : undefined,
    service_tier: request.serviceTier,
    modalities: request.modalities,
    stream: request.stream ? true : undefined,
    stream_options: request.stream ? { include_usage: true } : undefined,
    ...fields,
    ...(context.call.options?.moderation === undefined ? {} : { moderation: context.call.options.moderation }),
  })
}
