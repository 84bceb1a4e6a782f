/** The items of a response: what its stream announces one by one and its end, or a plain reply, holds as a whole. */
import type { Choice, Citation, Finish, Part, ReasoningPart, ToolCallPart } from "../../Conversation.ts"
import { compact, type JsonObject } from "../../Json.ts"
import { markSignature, signedId } from "../../signature.ts"
import { totalOf, type Usage } from "../../Usage.ts"
import type { Context } from "../Format.ts"
import { type BuiltInCall, type ClientTools, clientTools } from "./clientTools.ts"

/** Ids that the upstream has no idea of: unique in the call by their place. */
export const itemId = (prefix: string, context: Context, index: number): string =>
  `${prefix}_${context.call.id}${index.toString(16).padStart(4, "0")}`

export const annotationOf = (citation: Citation): JsonObject | undefined => {
  if (
    citation.vendor === "openai" &&
    citation.original["type"] !== undefined &&
    citation.original["url_citation"] === undefined
  )
    return citation.original
  return citation.url === undefined
    ? undefined
    : {
        type: "url_citation",
        url: citation.url,
        title: citation.title ?? "",
        start_index: citation.start ?? 0,
        end_index: citation.end ?? 0,
      }
}

export const textContent = (
  text: string,
  citations: ReadonlyArray<Citation>,
  logprobs: ReadonlyArray<unknown>,
): JsonObject => ({
  type: "output_text",
  text,
  annotations: citations.flatMap((citation) => annotationOf(citation) ?? []),
  logprobs,
})

export const refusalContent = (refusal: string): JsonObject => ({ type: "refusal", refusal })

export const messageItem = (id: string, content: ReadonlyArray<JsonObject>, status: string): JsonObject => ({
  id,
  type: "message",
  status,
  role: "assistant",
  content,
})

export const toolCallPrefix = (custom: boolean | undefined, builtIn: BuiltInCall | undefined): string =>
  builtIn === undefined ? (custom === true ? "ctc" : "fc") : "call"

export const toolCallItem = (
  id: string,
  part: Pick<ToolCallPart, "id" | "signature" | "custom">,
  name: string,
  input: string,
  status: string,
  tools: ClientTools,
): JsonObject => {
  const call_id = signedId(part.id, part.signature)
  const builtIn = tools.builtIn(name)
  if (builtIn !== undefined) return { id, type: builtIn.type, status, call_id, ...builtIn.calling(input) }
  return part.custom === true
    ? { id, type: "custom_tool_call", status, call_id, ...tools.named(name), input }
    : {
        id,
        type: "function_call",
        status,
        call_id,
        ...tools.named(name),
        arguments: input === "" && status === "completed" ? "{}" : input,
      }
}

/** A signature of another vendor travels where OpenAI's own clients keep what they cannot read. */
export const reasoningItem = (
  id: string,
  thought: Pick<ReasoningPart, "text" | "signature" | "hidden">,
  status: string,
): JsonObject => {
  const { hidden, signature } = thought
  const secret =
    hidden === undefined
      ? signature === undefined
        ? undefined
        : markSignature(signature, "openai")
      : hidden.vendor === "openai"
        ? hidden.value.slice(hidden.value.indexOf(".") + 1)
        : markSignature(hidden, "openai")
  return compact({
    id: hidden?.vendor === "openai" ? hidden.value.slice(0, hidden.value.indexOf(".")) || id : id,
    type: "reasoning",
    summary: thought.text === "" ? [] : [{ type: "summary_text", text: thought.text }],
    encrypted_content: secret,
    status,
  })
}

export const imageItem = (id: string, data: string): JsonObject => ({
  id,
  type: "image_generation_call",
  status: "completed",
  result: data,
})

export const itemsOf = (choice: Choice, context: Context): ReadonlyArray<JsonObject> => {
  const items: Array<JsonObject> = []
  const tools = clientTools(context.body)
  let message: Array<JsonObject> | undefined
  const next = (prefix: string): string => itemId(prefix, context, items.length)
  const say = (content: JsonObject): void => {
    if (message === undefined) {
      message = []
      items.push(messageItem(next("msg"), message, "completed"))
    }
    message.push(content)
  }
  const called = (part: ToolCallPart): JsonObject => {
    const name = context.names.back(part.name)
    const prefix = toolCallPrefix(part.custom, tools.builtIn(name))
    return toolCallItem(next(prefix), part, name, part.input, "completed", tools)
  }
  const add = (part: Part): void => {
    switch (part.kind) {
      case "text":
        return say(textContent(part.text, part.citations ?? [], part.logprobs ?? []))
      case "refusal":
        return say(refusalContent(part.text))
      case "reasoning":
        message = undefined
        return void items.push(reasoningItem(next("rs"), part, "completed"))
      case "toolCall":
        if (part.hosted === true) return
        message = undefined
        return void items.push(called(part))
      case "image":
        if (part.source.kind !== "base64") return
        message = undefined
        return void items.push(imageItem(next("ig"), part.source.data))
      default:
    }
  }
  for (const part of choice.parts) add(part)
  return items
}

const writeUsage = (usage: Usage): JsonObject => ({
  input_tokens: usage.inputTokens,
  input_tokens_details: { cached_tokens: usage.cacheReadTokens ?? 0, cache_write_tokens: usage.cacheWriteTokens ?? 0 },
  output_tokens: usage.outputTokens,
  output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
  total_tokens: totalOf(usage),
})

/** How a response ends, by why the model stopped. */
export const ending = (
  finish: Finish | undefined,
): { readonly status: "completed" | "incomplete"; readonly reason: string | undefined } => {
  switch (finish) {
    case "length":
    case "contextWindow":
      return { status: "incomplete", reason: "max_output_tokens" }
    case "contentFilter":
    case "refusal":
      return { status: "incomplete", reason: "content_filter" }
    default:
      return { status: "completed", reason: undefined }
  }
}

export const responseId = (id: string | undefined, context: Context): string =>
  id?.startsWith("resp_") === true ? id : `resp_${context.call.id}`

/** What a response repeats of its request. */
const echo = (context: Context): JsonObject => {
  const { body } = context
  return {
    instructions: body["instructions"] ?? null,
    max_output_tokens: body["max_output_tokens"] ?? null,
    metadata: body["metadata"] ?? {},
    parallel_tool_calls: body["parallel_tool_calls"] ?? true,
    previous_response_id: null,
    reasoning: body["reasoning"] ?? { effort: null, summary: null },
    service_tier: body["service_tier"] ?? "auto",
    store: false,
    temperature: body["temperature"] ?? 1,
    text: body["text"] ?? { format: { type: "text" } },
    tool_choice: body["tool_choice"] ?? "auto",
    tools: body["tools"] ?? [],
    top_p: body["top_p"] ?? 1,
    truncation: body["truncation"] ?? "disabled",
    user: body["user"] ?? null,
  }
}

export interface Said {
  readonly id: string
  readonly model: string
  readonly createdSeconds: number
  readonly status: "in_progress" | "completed" | "incomplete" | "failed"
  readonly reason?: string | undefined
  readonly error?: JsonObject | undefined
  readonly output: ReadonlyArray<JsonObject>
  readonly usage?: Usage | undefined
}

export const writeResponse = (said: Said, context: Context): JsonObject => ({
  id: said.id,
  object: "response",
  created_at: said.createdSeconds,
  status: said.status,
  background: false,
  error: said.error ?? null,
  incomplete_details: said.reason === undefined ? null : { reason: said.reason },
  ...echo(context),
  model: said.model,
  output: said.output,
  usage: said.usage === undefined ? null : writeUsage(said.usage),
})
