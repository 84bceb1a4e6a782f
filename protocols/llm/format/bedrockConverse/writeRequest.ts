/** A conversation as a request to Bedrock's Converse; the model stands in the address. */
import type { CacheMark, ChatRequest, Part, Tool, ToolChoice, Turn } from "../../Conversation.ts"
import { freeTextSchema } from "../../freeText.ts"
import { compact, isObject, type JsonObject, parseJson } from "../../Json.ts"
import type { Notes } from "../../Notes.ts"
import type { ToolNames } from "../../toolNames.ts"
import type { BedrockOptions } from "../../Translation.ts"
import { DEFAULT_MAX_TOKENS, thinkingOf } from "../anthropicMessages/writeRequest.ts"
import { claudeVersion } from "../../models.ts"
import type { Context } from "../Format.ts"
import { cachePoint, cachesPrompts, withCachePoints } from "./caching.ts"
import { DocumentNames, documentBlock, imageBlock, mediaBlock } from "./media.ts"

const CACHE_POINTS_MAX = 4
/** A conversation that called tools needs some, even when they are no longer offered. */
export const PLACEHOLDER = "no_longer_available_do_not_call"

class Writing {
  private points = CACHE_POINTS_MAX
  readonly documents = new DocumentNames()
  readonly names: ToolNames
  readonly notes: Notes
  private readonly caches: boolean
  constructor(names: ToolNames, notes: Notes, model: string) {
    this.names = names
    this.notes = notes
    this.caches = cachesPrompts(model)
  }

  /** A mark of the client stands after what it marks. */
  point(mark: CacheMark | undefined): ReadonlyArray<JsonObject> {
    if (mark === undefined) return []
    if (!this.caches || this.points === 0) {
      this.notes.drop("cache marks")
      return []
    }
    this.points--
    return [mark.ttl === "1h" ? { cachePoint: { type: "default", ttl: "1h" } } : cachePoint]
  }

  private optional(block: JsonObject | undefined, mark?: CacheMark): ReadonlyArray<JsonObject> {
    return block === undefined ? [] : [block, ...this.point(mark)]
  }

  blocks(part: Part, role: "user" | "assistant"): ReadonlyArray<JsonObject> {
    switch (part.kind) {
      case "text":
        return part.text.trim() === "" ? [] : [{ text: part.text }, ...this.point(part.cache)]
      case "refusal":
        return part.text.trim() === "" ? [] : [{ text: part.text }]
      case "image":
        return this.optional(imageBlock(part, this.notes), part.cache)
      case "document":
        if (role === "user") return this.optional(documentBlock(part, this.documents, this.notes), part.cache)
        this.notes.drop("content: a document in a turn of the model")
        return []
      case "media":
        return this.optional(mediaBlock(part, this.notes))
      case "reasoning":
        if (part.signature?.vendor === "anthropic")
          return [{ reasoningContent: { reasoningText: { text: part.text, signature: part.signature.value } } }]
        if (part.hidden?.vendor === "anthropic") return [{ reasoningContent: { redactedContent: part.hidden.value } }]
        this.notes.drop("reasoning of earlier turns")
        return []
      case "toolCall": {
        if (part.hosted === true) {
          this.notes.drop("tools that the other provider ran")
          return []
        }
        const input = part.custom === true ? { input: part.input } : parseJson(part.input)
        return [
          {
            toolUse: {
              toolUseId: callId(part.id),
              name: this.names.out(part.name),
              input: isObject(input) ? input : {},
            },
          },
          ...this.point(part.cache),
        ]
      }
      case "toolResult": {
        const content =
          part.object !== undefined
            ? [{ json: part.object }]
            : part.content.flatMap((one): ReadonlyArray<JsonObject> => {
                if (one.kind === "text") return one.text === "" ? [] : [{ text: one.text }]
                const block =
                  one.kind === "image" ? imageBlock(one, this.notes) : documentBlock(one, this.documents, this.notes)
                return block === undefined ? [] : [block]
              })
        return [
          {
            toolResult: compact({
              toolUseId: callId(part.id),
              content: content.length === 0 ? [{ text: " " }] : content,
              status: part.failed === true ? "error" : undefined,
            }),
          },
          ...this.point(part.cache),
        ]
      }
    }
  }
}

const callId = (id: string): string => id.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 64) || "call"

interface Message {
  readonly role: "user" | "assistant"
  readonly content: Array<JsonObject>
}

const messagesOf = (turns: ReadonlyArray<Turn>, writing: Writing): ReadonlyArray<Message> => {
  const messages: Array<Message> = []
  for (const turn of turns) {
    const role = turn.role === "assistant" ? "assistant" : "user"
    const content = turn.parts.flatMap((part) => writing.blocks(part, role))
    if (content.length === 0) continue
    const last = messages.at(-1)
    if (last?.role === role) last.content.push(...content)
    else messages.push({ role, content })
  }
  return messages
}

const toolOf = (tool: Tool, names: ToolNames): JsonObject => ({
  toolSpec: compact({
    name: names.out(tool.name),
    description: tool.description === "" ? undefined : tool.description,
    inputSchema: {
      json: tool.custom === undefined ? { type: "object", ...tool.schema } : freeTextSchema(tool.custom),
    },
    strict: tool.strict === true ? true : undefined,
  }),
})

const toolChoiceOf = (choice: ToolChoice | undefined, names: ToolNames, notes: Notes): JsonObject | undefined => {
  switch (choice?.kind) {
    case "auto":
      return { auto: {} }
    case "required":
      return { any: {} }
    case "tool":
      return { tool: { name: names.out(choice.name) } }
    case "among":
      notes.drop("that only some of the tools are allowed")
      return choice.required ? { any: {} } : { auto: {} }
    default:
      return undefined
  }
}

const outputConfig = (request: ChatRequest): JsonObject | undefined => {
  const { output } = request
  if (output === undefined) return undefined
  const schema = output.kind === "json" ? { type: "object", additionalProperties: true } : output.schema
  const named = output.kind === "schema" ? output : undefined
  return {
    textFormat: {
      type: "json_schema",
      structure: {
        jsonSchema: compact({
          schema: JSON.stringify(schema),
          name: named?.name ?? "structured_output",
          description: named?.description,
        }),
      },
    },
  }
}

/** Only short plain values fit. */
const requestMetadata = (metadata: JsonObject | undefined): JsonObject | undefined => {
  if (metadata === undefined) return undefined
  const fits = Object.entries(metadata).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
  return fits.length === 0 ? undefined : Object.fromEntries(fits.map(([name, value]) => [name, String(value)]))
}

const additionalFields = (
  request: ChatRequest,
  thinking: { readonly config: JsonObject; readonly effort?: string | undefined } | undefined,
  options: BedrockOptions | undefined,
  context: Context,
): JsonObject | undefined => {
  const claude = claudeVersion(context.call.model) !== undefined
  const thinks = thinking !== undefined && thinking.config["type"] !== "disabled"
  const betas = options?.anthropicBetas
  const fields = compact({
    thinking: claude ? thinking?.config : undefined,
    output_config: claude && thinking?.effort !== undefined ? { effort: thinking.effort } : undefined,
    top_k: claude && !thinks ? request.topK : undefined,
    metadata: claude && context.from === "anthropicMessages" ? request.metadata : undefined,
    anthropic_beta: claude && betas !== undefined && betas.length > 0 ? betas : undefined,
  })
  return Object.keys(fields).length === 0 ? undefined : fields
}

const hasTools = (messages: ReadonlyArray<Message>): boolean =>
  messages.some((message) =>
    message.content.some((block) => block["toolUse"] !== undefined || block["toolResult"] !== undefined),
  )

/** Without its signed thoughts a turn that called tools cannot be thought on. */
const lacksThoughts = (messages: ReadonlyArray<Message>): boolean => {
  const last = messages.findLast((message) => message.role === "assistant")
  return (
    last !== undefined &&
    last.content.some((block) => block["toolUse"] !== undefined) &&
    last.content[0]?.["reasoningContent"] === undefined
  )
}

export const writeRequest = (request: ChatRequest, context: Context, notes: Notes): JsonObject => {
  const { model, options } = context.call
  const writing = new Writing(context.names, notes, model)
  const prompts = request.turns.filter((turn) => turn.role === "system" || turn.role === "developer")
  const said = request.turns.filter((turn) => turn.role === "user" || turn.role === "assistant")
  // The names of tools are given out in the order in which they are first spoken of.
  const all = request.tools.flatMap((tool) => [toolOf(tool, context.names), ...writing.point(tool.cache)])
  // Converse cannot forbid the use of tools that it is told of, so it is not told of them.
  const tools = request.toolChoice?.kind === "none" ? [] : all
  const toolChoice = toolChoiceOf(request.toolChoice, context.names, notes)
  const alone = said.length === 0
  const system = alone
    ? []
    : prompts
        .flatMap((turn) => turn.parts)
        .flatMap((part) => (part.kind === "text" ? writing.blocks(part, "user") : []))
  const messages = messagesOf(alone ? prompts : said, writing)
  if (messages.length === 0) notes.refuse("messages", "the model needs at least one message that is not empty")
  const maxTokens = request.maxTokens ?? options?.maxTokens ?? DEFAULT_MAX_TOKENS
  const forced = request.toolChoice?.kind === "required" || request.toolChoice?.kind === "tool"
  const claude = claudeVersion(model)
  if (claude === undefined && request.reasoning !== undefined) notes.drop("reasoning")
  const thinking =
    claude === undefined
      ? undefined
      : thinkingOf(request.reasoning, model, maxTokens, !forced && !lacksThoughts(messages), notes)
  const thinks = thinking !== undefined && thinking.config["type"] !== "disabled"
  const samples = !thinks && (claude ?? 0) < 4.07
  if (!samples && (request.temperature !== undefined || request.topP !== undefined)) notes.drop("temperature and top_p")
  for (const [name, value] of [
    ["seed", request.seed],
    ["n", request.choices === 1 ? undefined : request.choices],
    ["presence_penalty", request.presencePenalty || undefined],
    ["frequency_penalty", request.frequencyPenalty || undefined],
    ["logprobs", request.logprobs === true ? true : undefined],
    ["parallel_tool_calls", request.parallelTools === false ? false : undefined],
    ["verbosity", request.verbosity],
    ["user", context.from === "anthropicMessages" ? undefined : request.user],
    ["metadata", context.from === "anthropicMessages" && claude !== undefined ? undefined : request.metadata],
    ["top_k", claude === undefined ? request.topK : undefined],
  ] as const)
    if (value !== undefined) notes.drop(name)
  for (const name of Object.keys(request.extras.fields)) notes.drop(name)
  const offered =
    tools.length === 0 && hasTools(messages)
      ? [{ toolSpec: { name: PLACEHOLDER, inputSchema: { json: { type: "object" } } } }]
      : tools
  const cached = withCachePoints({ system, messages, tools: offered }, options?.promptCaching, model)
  const temperature = request.temperature === undefined ? undefined : Math.min(1, Math.max(0, request.temperature))
  if (temperature !== request.temperature) notes.drop("a temperature above 1")
  const either = (claude ?? 0) >= 4.01 && temperature !== undefined
  if (samples && either && request.topP !== undefined) notes.drop("top_p beside temperature")
  const guardrail = options?.bedrock?.guardrail
  return compact({
    messages: cached.messages.map(({ role, content }) => ({ role, content })),
    system: cached.system.length === 0 ? undefined : cached.system,
    inferenceConfig: compact({
      maxTokens,
      temperature: samples ? temperature : undefined,
      topP: samples && !either ? request.topP : undefined,
      stopSequences: request.stop?.filter((one) => one.trim() !== ""),
    }),
    toolConfig: cached.tools.length === 0 ? undefined : compact({ tools: cached.tools, toolChoice }),
    outputConfig: outputConfig(request),
    guardrailConfig:
      guardrail === undefined
        ? undefined
        : { guardrailIdentifier: guardrail.identifier, guardrailVersion: guardrail.version, trace: "enabled" },
    additionalModelRequestFields: additionalFields(request, thinking, options?.bedrock, context),
    requestMetadata: requestMetadata(options?.bedrock?.metadata),
  })
}
