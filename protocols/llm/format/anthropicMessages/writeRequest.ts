/** A conversation as a request to Anthropic's Messages. */
import { fromBase64 } from "../../../base64.ts"
import type {
  CacheMark,
  ChatRequest,
  DocumentPart,
  ImagePart,
  Part,
  Reasoning,
  Role,
  Source,
  Tool,
  ToolCallPart,
  ToolChoice,
  Turn,
} from "../../Conversation.ts"
import { budgetOfEffort } from "../../effort.ts"
import { freeTextSchema } from "../../freeText.ts"
import { compact, isObject, type JsonObject, parseJson } from "../../Json.ts"
import { claudeVersion } from "../../models.ts"
import type { Notes } from "../../Notes.ts"
import type { ToolNames } from "../../toolNames.ts"
import type { Context } from "../Format.ts"

/** What the format demands and other formats leave open. */
export const DEFAULT_MAX_TOKENS = 4096

/** No more than these may be marked in one request. */
const CACHE_MARKS_MAX = 4
const BUDGET_MIN = 1024

/** Gives out the cache marks that a request may have. */
class Marks {
  private left = CACHE_MARKS_MAX
  private readonly notes: Notes
  constructor(notes: Notes) {
    this.notes = notes
  }
  of(mark: CacheMark | undefined): JsonObject | undefined {
    if (mark === undefined) return undefined
    if (this.left === 0) return void this.notes.drop(`more than ${CACHE_MARKS_MAX} cache marks`)
    this.left--
    return compact({ type: "ephemeral", ttl: mark.ttl === "5m" || mark.ttl === "1h" ? mark.ttl : undefined })
  }
}

const ids = /[^A-Za-z0-9_-]/g
const callId = (id: string): string => id.replaceAll(ids, "_") || "call"

const sourceOf = (source: Source): JsonObject => {
  switch (source.kind) {
    case "base64":
      return {
        type: "base64",
        media_type: source.mediaType === "image/jpg" ? "image/jpeg" : source.mediaType,
        data: source.data,
      }
    case "url":
      return { type: "url", url: source.url }
    case "file":
      return { type: "file", file_id: source.id }
    case "text":
      return { type: "text", media_type: "text/plain", data: source.text }
  }
}

const decodeText = (data: string): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(fromBase64(data))
  } catch {
    return undefined
  }
}

/** PDF goes as bytes, plain text as text; the format knows no other documents. */
const documentSource = (part: DocumentPart, notes: Notes): JsonObject | undefined => {
  const { source } = part
  if (source.kind !== "base64" || source.mediaType === "application/pdf") return sourceOf(source)
  if (source.mediaType.startsWith("text/") || source.mediaType === "application/json") {
    const text = decodeText(source.data)
    if (text !== undefined) return { type: "text", media_type: "text/plain", data: text }
  }
  notes.drop(`content: a document of type ${source.mediaType}`)
  return undefined
}

const imageOrDocument = (part: ImagePart | DocumentPart, marks: Marks, notes: Notes): JsonObject | undefined => {
  const mark = marks.of(part.cache)
  if (part.kind === "image") return compact({ type: "image", source: sourceOf(part.source), cache_control: mark })
  const source = documentSource(part, notes)
  return source === undefined
    ? undefined
    : compact({
        type: "document",
        source,
        title: part.name,
        context: part.context,
        citations: part.citable === true ? { enabled: true } : undefined,
        cache_control: mark,
      })
}

/** Arguments are an object here; what is not JSON at least reaches the model as it was. */
const inputOf = (part: ToolCallPart): unknown => {
  if (part.custom === true) return { input: part.input }
  if (part.input.trim() === "") return {}
  const input = parseJson(part.input)
  return isObject(input) ? input : { input: input ?? part.input }
}

const blank = (text: string): boolean => text.trim() === ""

const blockOf = (part: Part, role: Role, names: ToolNames, marks: Marks, notes: Notes): JsonObject | undefined => {
  switch (part.kind) {
    case "text":
      // An empty or blank text is an error for the provider.
      return blank(part.text)
        ? undefined
        : compact({ type: "text", text: part.text, cache_control: marks.of(part.cache) })
    case "refusal":
      return blank(part.text) ? undefined : { type: "text", text: part.text }
    case "image":
    case "document":
      if (role === "assistant") return void notes.drop("content: what is no text in a turn of the model")
      return imageOrDocument(part, marks, notes)
    case "media":
      return void notes.drop(`content: ${part.source.kind === "base64" ? part.source.mediaType : "sound or video"}`)
    case "reasoning":
      if (part.hidden?.vendor === "anthropic") return { type: "redacted_thinking", data: part.hidden.value }
      if (part.signature?.vendor === "anthropic")
        return { type: "thinking", thinking: part.text, signature: part.signature.value }
      return void notes.drop("reasoning of earlier turns")
    case "toolCall":
      if (part.hosted === true) return void notes.drop("tools that the other provider ran")
      return compact({
        type: "tool_use",
        id: callId(part.id),
        name: names.out(part.name),
        input: inputOf(part),
        cache_control: marks.of(part.cache),
      })
    case "toolResult": {
      const texts = part.content.length === 0 && part.object !== undefined ? JSON.stringify(part.object) : undefined
      const only = part.content.length === 1 && part.content[0]?.kind === "text" ? part.content[0].text : texts
      const blocks = part.content.flatMap((one) => blockOf(one, role, names, marks, notes) ?? [])
      return compact({
        type: "tool_result",
        tool_use_id: callId(part.id),
        content: only ?? (blocks.length === 0 ? undefined : blocks),
        is_error: part.failed,
        cache_control: marks.of(part.cache),
      })
    }
  }
}

interface Message {
  readonly role: "user" | "assistant"
  content: Array<JsonObject>
}

/** Turns of one role become one message, and the results of tools come first in it, as the format demands. */
const messagesOf = (
  turns: ReadonlyArray<Turn>,
  names: ToolNames,
  marks: Marks,
  notes: Notes,
): ReadonlyArray<Message> => {
  const messages: Array<Message> = []
  for (const turn of turns) {
    const role = turn.role === "assistant" ? "assistant" : "user"
    const content: Array<JsonObject> = []
    for (const part of turn.parts) {
      const block = blockOf(part, role, names, marks, notes)
      if (block !== undefined) content.push(block)
    }
    if (content.length === 0) continue
    const last = messages.at(-1)
    if (last?.role === role) last.content.push(...content)
    else messages.push({ role, content })
  }
  for (const message of messages)
    if (message.role === "user") {
      const isResult = (block: JsonObject): boolean => block["type"] === "tool_result"
      message.content = [...message.content.filter(isResult), ...message.content.filter((block) => !isResult(block))]
    }
  const last = messages.at(-1)
  // A reply that the model is to continue must not end in white space.
  if (last?.role === "assistant")
    last.content = last.content.map((block, i) =>
      i === last.content.length - 1 && block["type"] === "text"
        ? { ...block, text: String(block["text"]).trimEnd() }
        : block,
    )
  return messages
}

const systemOf = (turns: ReadonlyArray<Turn>, marks: Marks): string | ReadonlyArray<JsonObject> | undefined => {
  const parts = turns.flatMap((turn) => turn.parts).filter((part) => part.kind === "text" && !blank(part.text))
  if (parts.length === 0) return undefined
  if (parts.every((part) => part.kind === "text" && part.cache === undefined))
    return parts.map((part) => (part.kind === "text" ? part.text : "")).join("\n")
  return parts.flatMap((part) =>
    part.kind === "text" ? [compact({ type: "text", text: part.text, cache_control: marks.of(part.cache) })] : [],
  )
}

const schemaOf = (tool: Tool): JsonObject =>
  tool.custom === undefined ? { type: "object", ...tool.schema } : freeTextSchema(tool.custom)

const toolOf = (tool: Tool, names: ToolNames, marks: Marks): JsonObject =>
  compact({
    name: names.out(tool.name),
    description: tool.description,
    input_schema: schemaOf(tool),
    strict: tool.strict === true ? true : undefined,
    cache_control: marks.of(tool.cache),
  })

const choiceOf = (
  choice: ToolChoice | undefined,
  parallel: boolean | undefined,
  names: ToolNames,
  notes: Notes,
): JsonObject | undefined => {
  const disable = parallel === undefined ? undefined : !parallel
  const wanted = choice ?? (disable === undefined ? undefined : ({ kind: "auto" } as const))
  if (wanted === undefined) return undefined
  switch (wanted.kind) {
    case "none":
      return { type: "none" }
    case "tool":
      return compact({ type: "tool", name: names.out(wanted.name), disable_parallel_tool_use: disable })
    case "among":
      notes.drop("that only some of the tools are allowed")
      return compact({ type: wanted.required ? "any" : "auto", disable_parallel_tool_use: disable })
    default:
      return compact({ type: wanted.kind === "required" ? "any" : "auto", disable_parallel_tool_use: disable })
  }
}

interface Thinking {
  readonly config: JsonObject
  readonly effort?: string | undefined
}

/** While tools are being called, the model wants its thoughts back, signed, or must not think at all. */
const lacksThoughts = (messages: ReadonlyArray<Message>): boolean => {
  const last = messages.findLast((message) => message.role === "assistant")
  return (
    last !== undefined &&
    last.content.some((block) => block["type"] === "tool_use") &&
    last.content[0]?.["type"] !== "thinking" &&
    last.content[0]?.["type"] !== "redacted_thinking"
  )
}

export const thinkingOf = (
  reasoning: Reasoning | undefined,
  model: string,
  maxTokens: number,
  possible: boolean,
  notes: Notes,
): Thinking | undefined => {
  if (reasoning === undefined) return undefined
  if (reasoning.off === true || reasoning.effort === "none") return { config: { type: "disabled" } }
  const version = claudeVersion(model) ?? 0
  const display = reasoning.summary === "omitted" || reasoning.summary === "summarized" ? reasoning.summary : undefined
  if (version >= 4.06) {
    const effort = reasoning.effort === "minimal" ? "low" : reasoning.effort
    if (reasoning.budgetTokens === undefined || version >= 4.07)
      return { config: compact({ type: "adaptive", display }), effort }
  }
  const wanted = reasoning.budgetTokens ?? budgetOfEffort(reasoning.effort ?? "high")
  const budget = Math.min(wanted, maxTokens - 1)
  if (budget < BUDGET_MIN || !possible) return void notes.drop("reasoning")
  return { config: compact({ type: "enabled", budget_tokens: budget, display }) }
}

const outputOf = (request: ChatRequest): JsonObject | undefined => {
  if (request.output === undefined) return undefined
  return {
    type: "json_schema",
    schema: request.output.kind === "schema" ? request.output.schema : { type: "object", additionalProperties: true },
  }
}

const tierOf = (tier: string | undefined, notes: Notes): string | undefined => {
  if (tier === undefined || tier === "auto" || tier === "standard_only") return tier
  if (tier === "default") return "standard_only"
  return void notes.drop("service_tier")
}

export const writeRequest = (request: ChatRequest, context: Context, notes: Notes): JsonObject => {
  const { model, options } = context.call
  const marks = new Marks(notes)
  const prompts = request.turns.filter((turn) => turn.role === "system" || turn.role === "developer")
  const said = request.turns.filter((turn) => turn.role === "user" || turn.role === "assistant")
  const tools = request.tools.map((tool) => toolOf(tool, context.names, marks))
  // Without any other turn the instructions are the question: the format knows no conversation without one.
  const alone = said.length === 0
  const system = alone ? undefined : systemOf(prompts, marks)
  const messages = messagesOf(alone ? prompts : said, context.names, marks, notes)
  if (messages.length === 0) notes.refuse("messages", "the model needs at least one message that is not empty")
  const maxTokens = request.maxTokens ?? options?.maxTokens ?? DEFAULT_MAX_TOKENS
  const forced = request.toolChoice?.kind === "required" || request.toolChoice?.kind === "tool"
  const thinking = thinkingOf(request.reasoning, model, maxTokens, !forced && !lacksThoughts(messages), notes)
  const thinks = thinking !== undefined && thinking.config["type"] !== "disabled"
  const version = claudeVersion(model) ?? 0
  /** The newest models take no sampling parameters, and none does while it thinks. */
  const samples = version < 4.07 && !thinks
  const temperature = request.temperature === undefined ? undefined : Math.min(1, Math.max(0, request.temperature))
  if (!samples) {
    if (temperature !== undefined) notes.drop("temperature")
    if (request.topP !== undefined) notes.drop("top_p")
    if (request.topK !== undefined) notes.drop("top_k")
  } else if (temperature !== request.temperature) notes.drop("a temperature above 1")
  const either = version >= 4.01 && temperature !== undefined
  if (samples && either && request.topP !== undefined) notes.drop("top_p beside temperature")
  const format = outputOf(request)
  for (const [name, value] of [
    ["seed", request.seed],
    ["n", request.choices === 1 ? undefined : request.choices],
    ["presence_penalty", request.presencePenalty || undefined],
    ["frequency_penalty", request.frequencyPenalty || undefined],
    ["logprobs", request.logprobs === true ? true : undefined],
    ["verbosity", request.verbosity],
    ["metadata", request.extras.vendor === "anthropic" ? undefined : request.metadata],
    ["modalities", request.modalities?.some((one) => one !== "text") === true ? true : undefined],
  ] as const)
    if (value !== undefined) notes.drop(name)
  if (context.from === "bedrockConverse" && request.metadata !== undefined) notes.drop("requestMetadata")
  for (const name of Object.keys(request.extras.fields)) notes.drop(name)
  const stop = request.stop?.filter((one) => !blank(one))
  return compact({
    model,
    max_tokens: maxTokens,
    system,
    messages: messages.map(({ role, content }) => ({ role, content })),
    tools: tools.length === 0 ? undefined : tools,
    tool_choice:
      tools.length === 0 ? undefined : choiceOf(request.toolChoice, request.parallelTools, context.names, notes),
    thinking: thinking?.config,
    output_config:
      format === undefined && thinking?.effort === undefined
        ? undefined
        : compact({ format, effort: thinking?.effort }),
    temperature: samples ? temperature : undefined,
    top_p: samples && !either ? request.topP : undefined,
    top_k: samples ? request.topK : undefined,
    stop_sequences: stop === undefined || stop.length === 0 ? undefined : stop,
    metadata: request.user === undefined ? undefined : { user_id: request.user },
    service_tier: tierOf(request.serviceTier, notes),
    stream: request.stream ? true : undefined,
  })
}
