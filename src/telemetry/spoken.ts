/**
 * What the protocol inside an exchange says of it. Everything that writes exchanges down asks here: a protocol that keeps
 * facts in `Exchange.notes` adds its lines in this file.
 */
import type { Json } from "../../ir/cel/toJson.ts"
import { totalOf } from "../../protocols/llm/Usage.ts"
import type { Account } from "../../stages/6-dispatch/llm/Account.ts"
import { operationOf } from "../../stages/6-dispatch/llm/genAi.ts"
import type { Field } from "../../stages/5-policy/recording.ts"
import type { Exchange } from "../../stages/Exchange.ts"

const none: ReadonlyArray<Field> = []

/** `http` where nothing more is known. */
export const protocolOf = ({ notes }: Exchange): string =>
  notes === undefined
    ? "http"
    : notes.llm !== undefined
      ? "llm"
      : notes.mcp !== undefined
        ? "mcp"
        : (notes.a2a?.protocol ?? "http")

/** Fields beside those of every exchange, in the order in which they are written. */
export const spokenOf = ({ notes }: Exchange): ReadonlyArray<Field> => {
  if (notes === undefined) return none
  if (notes.llm !== undefined) return modelFields(notes.llm)
  if (notes.mcp !== undefined) return toolFields(notes.mcp)
  return notes.a2a?.fields() ?? none
}

/** What the span of the exchange is called, where the protocol knows better than the path. */
export const spokenName = ({ notes }: Exchange): string | undefined => {
  if (notes?.llm !== undefined) return `${operationOf(notes.llm)} ${notes.llm.requestModel ?? "unknown"}`
  const called = notes?.mcp === undefined ? undefined : mcpCall(notes.mcp)
  if (called !== undefined) return called.name === undefined ? called.method : `${called.method} ${called.name}`
  return notes?.a2a?.isCall === true ? notes.a2a.method : undefined
}

/** What a message of MCP was about. */
export interface McpCall {
  readonly method: string
  readonly target: string | undefined
  /** `tool`, `prompt`, `resource` or `task`. */
  readonly kind: string | undefined
  readonly name: string | undefined
}

type McpNotes = NonNullable<NonNullable<Exchange["notes"]>["mcp"]>

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

const textIn = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

export const mcpCall = (notes: McpNotes): McpCall | undefined => {
  const method = textIn(notes["methodName"])
  if (method === undefined) return undefined
  const kind = ["tool", "prompt", "resource", "task"].find((one) => notes[one] !== undefined)
  return {
    method,
    target: textIn(notes["target"]),
    kind,
    name: kind === undefined ? undefined : textIn(memberOf(notes[kind], "name")),
  }
}

const toolFields = (notes: McpNotes): ReadonlyArray<Field> => {
  const call = mcpCall(notes)
  const error = notes["error"]
  const code = memberOf(error, "code")
  const all: ReadonlyArray<readonly [string, Json | undefined]> = [
    ["mcp.method.name", call?.method],
    ["mcp.target", call?.target],
    ["mcp.resource.type", call?.kind],
    ["mcp.resource.uri", call?.kind === "resource" ? call.name : undefined],
    ["mcp.session.id", sessionName(textIn(notes["sessionId"]))],
    ["mcp.connection", textIn(notes["connection"])],
    ["mcp.error.code", typeof code === "number" || typeof code === "string" ? code : undefined],
    ["mcp.error.message", textIn(memberOf(error, "message"))],
    ["gen_ai.tool.name", call?.kind === "tool" ? call.name : undefined],
    ["gen_ai.prompt.name", call?.kind === "prompt" ? call.name : undefined],
  ]
  return all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
}

/** Whoever has the whole of it has the session: enough is told to tell one from another. */
const sessionName = (id: string | undefined): string | undefined =>
  id === undefined ? undefined : id.length > 16 ? `…${id.slice(-8)}` : id

/** What a call of a model came to. */
export interface Bill {
  readonly operation: string
  readonly provider: string | undefined
  readonly requestModel: string | undefined
  readonly responseModel: string | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly totalTokens: number | undefined
  readonly cost: number | undefined
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Payload {
  readonly prompt: unknown
  readonly completion: unknown
}

/** Parameters of the request that are written down where the client set them. */
const parameters: ReadonlyArray<{ readonly field: string; readonly names: ReadonlyArray<string> }> = [
  { field: "gen_ai.request.temperature", names: ["temperature"] },
  { field: "gen_ai.request.encoding_formats", names: ["encoding_format"] },
  { field: "gen_ai.request.top_p", names: ["top_p"] },
  { field: "gen_ai.request.max_tokens", names: ["max_completion_tokens", "max_output_tokens", "max_tokens"] },
  { field: "gen_ai.request.frequency_penalty", names: ["frequency_penalty"] },
  { field: "gen_ai.request.presence_penalty", names: ["presence_penalty"] },
  { field: "gen_ai.request.seed", names: ["seed"] },
  { field: "gen_ai.embeddings.dimension.count", names: ["dimensions"] },
]

const seconds = (millis: number | undefined): number | undefined => (millis === undefined ? undefined : millis / 1000)

/** Dollars without an exponent, and without digits that no price has. */
const dollars = (amount: number | undefined): string | undefined =>
  amount === undefined ? undefined : amount.toFixed(12).replace(/\.?0+$/, "")

const modelFields = (account: Account): ReadonlyArray<Field> => {
  const { body, cost, usage } = account
  const all: Array<Field> = []
  const add = (name: string, value: Json | undefined): void => {
    if (value !== undefined) all.push([name, value])
  }
  add("gen_ai.operation.name", operationOf(account))
  add("gen_ai.provider.name", account.provider)
  add("gen_ai.request.model", account.requestModel)
  add("gen_ai.response.model", account.responseModel)
  add("agw.ai.cache", account.cached)
  if (usage !== undefined) {
    add("gen_ai.usage.input_tokens", usage.inputTokens)
    add("gen_ai.usage.cache_creation.input_tokens", usage.cacheWriteTokens)
    add("gen_ai.usage.cache_read.input_tokens", usage.cacheReadTokens)
    add("gen_ai.usage.output_tokens", usage.outputTokens)
    add("gen_ai.usage.reasoning_tokens", usage.reasoningTokens)
    add("gen_ai.usage.output_image_tokens", usage.outputImageTokens)
    add("gen_ai.usage.input_audio_tokens", usage.inputAudioTokens)
    add("gen_ai.usage.output_audio_tokens", usage.outputAudioTokens)
  }
  add("agw.ai.time_to_first_token", seconds(account.timeToFirstTokenMillis))
  add("agw.ai.time_per_output_token", seconds(account.timePerOutputTokenMillis))
  if (account.isEstimated) add("agw.ai.usage.estimated", true)
  add("agw.ai.budget.exceeded", account.overspent?.join(","))
  if (account.leftOut !== undefined && account.leftOut.length > 0) add("agw.ai.left_out", account.leftOut.join(", "))
  add("agw.ai.usage.cost.total", dollars(cost?.total))
  if (body === undefined) return all
  for (const { field, names } of parameters) {
    for (const name of names) {
      const value = body[name]
      if (value === undefined) continue
      if (typeof value === "number" || typeof value === "string") all.push([field, value])
      break
    }
  }
  return all
}

const costAttributes = ({ cost }: Account): Readonly<Record<string, number>> =>
  cost === undefined
    ? {}
    : Object.fromEntries(Object.entries(cost).map(([part, amount]) => [`agw.ai.usage.cost.${part}`, amount as number]))

/** Undefined: no model was called. */
export const paid = ({ identity, notes }: Exchange): Bill | undefined => {
  const account = notes?.llm
  if (account === undefined) return undefined
  const { cost, upstreamModel, usage } = account
  const metadata = identity?.apiKey?.metadata
  const key: unknown = typeof metadata === "object" && metadata !== null ? Reflect.get(metadata, "name") : undefined
  return {
    operation: operationOf(account),
    provider: account.provider,
    requestModel: account.requestModel,
    responseModel: account.responseModel,
    inputTokens: usage?.inputTokens,
    outputTokens: usage?.outputTokens,
    totalTokens: usage === undefined ? undefined : totalOf(usage),
    cost: cost?.total,
    attributes: {
      ...costAttributes(account),
      ...(upstreamModel === undefined ? {} : { "agw.ai.original_model": upstreamModel }),
      ...(typeof key === "string" ? { "agw.api_key.name": key } : {}),
    },
  }
}

/** What was said to a model and by it, where it was kept. */
export const payloadOf = ({ notes }: Exchange): Payload | undefined => {
  const account = notes?.llm
  if (account === undefined) return undefined
  const { body, completion, prompt, toolCalls } = account
  const said = body?.["messages"] ?? body?.["input"] ?? body?.["contents"] ?? body?.["prompt"] ?? prompt
  const answered = toolCalls === undefined || toolCalls.length === 0 ? completion : { completion, toolCalls }
  return said === undefined && answered === undefined ? undefined : { prompt: said, completion: answered }
}

/** The costs by part, for the span of the exchange. */
export const spokenAttributes = ({ notes }: Exchange): ReadonlyArray<Field> =>
  notes?.llm === undefined
    ? none
    : Object.entries(costAttributes(notes.llm)).filter(([name]) => !name.endsWith("total"))
