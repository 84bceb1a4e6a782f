/** A conversation as a request to generateContent. */
import type { ChatRequest, Effort, Part, Source, Tool, ToolChoice, Turn } from "../../Conversation.ts"
import { budgetOfEffort } from "../../effort.ts"
import { freeTextSchema } from "../../freeText.ts"
import { compact, isObject, type JsonObject, parseJson, present } from "../../Json.ts"
import { geminiVersion } from "../../models.ts"
import type { Notes } from "../../Notes.ts"
import type { ToolNames } from "../../toolNames.ts"
import type { Context } from "../Format.ts"
import { typeOfUrl } from "./fields.ts"
import { toGeminiSchema } from "./schema.ts"

/** What the provider asks for in the place of a signature that nobody has. */
const UNSIGNED = "skip_thought_signature_validator"

const mediaOf = (source: Source, fallback: string | undefined, notes: Notes): JsonObject | undefined => {
  switch (source.kind) {
    case "base64":
      return {
        inlineData: { mimeType: source.mediaType === "image/jpg" ? "image/jpeg" : source.mediaType, data: source.data },
      }
    case "url": {
      const mimeType = source.mediaType ?? typeOfUrl(source.url) ?? fallback
      if (mimeType !== undefined) return { fileData: { mimeType, fileUri: source.url } }
      return void notes.refuse("content", `the type of ${source.url.slice(0, 200)} cannot be told from its name`)
    }
    case "text":
      return { text: source.text }
    case "file":
      return void notes.drop("content: a file of another provider")
  }
}

const partOf = (part: Part, unsigned: boolean, names: ToolNames, notes: Notes): JsonObject | undefined => {
  switch (part.kind) {
    case "text":
      if (part.cache !== undefined) notes.drop("cache marks")
      return part.text === ""
        ? undefined
        : compact({
            text: part.text,
            thoughtSignature: part.signature?.vendor === "google" ? part.signature.value : undefined,
          })
    case "refusal":
      return part.text === "" ? undefined : { text: part.text }
    case "image":
      return mediaOf(part.source, "image/jpeg", notes)
    case "document":
      if (part.name !== undefined) notes.drop("the name of a document")
      if (part.context !== undefined) notes.drop("what was said about a document")
      return mediaOf(part.source, undefined, notes)
    case "media":
      return mediaOf(part.source, undefined, notes)
    case "reasoning":
      if (part.signature?.vendor === "google")
        return { text: part.text, thought: true, thoughtSignature: part.signature.value }
      return void notes.drop("reasoning of earlier turns")
    case "toolCall": {
      if (part.hosted === true) return void notes.drop("tools that the other provider ran")
      const args = part.custom === true ? { input: part.input } : parseJson(part.input)
      const signature = part.signature?.vendor === "google" ? part.signature.value : unsigned ? UNSIGNED : undefined
      return compact({
        functionCall: { name: names.out(part.name), args: isObject(args) ? args : {} },
        thoughtSignature: signature,
      })
    }
    case "toolResult":
      return undefined
  }
}

const responseOf = (part: Extract<Part, { kind: "toolResult" }>): JsonObject => {
  if (part.object !== undefined) return part.object
  const text = part.content.map((one) => (one.kind === "text" ? one.text : "")).join("")
  return part.failed === true ? { error: text } : { output: text }
}

interface Content {
  readonly role: "user" | "model"
  readonly parts: Array<JsonObject>
  readonly answers: boolean
}

const contentsOf = (turns: ReadonlyArray<Turn>, context: Context, notes: Notes): ReadonlyArray<Content> => {
  const contents: Array<Content> = []
  /** The calls of the turn before, in their order: that is the order in which they must be answered. */
  let called: ReadonlyArray<string> = []
  const nameOf = new Map<string, string>()
  const signs = (geminiVersion(context.call.model) ?? 0) >= 3
  const push = (role: "user" | "model", parts: ReadonlyArray<JsonObject>, answers: boolean): void => {
    if (parts.length === 0) return
    const last = contents.at(-1)
    if (last?.role === role && last.answers === answers) last.parts.push(...parts)
    else contents.push({ role, parts: [...parts], answers })
  }
  for (const [i, turn] of turns.entries()) {
    const calls = turn.parts.filter((part) => part.kind === "toolCall")
    if (calls.length > 0) called = calls.map((part) => part.id)
    for (const call of calls) nameOf.set(call.id, call.name)
    // Results of parallel tools come as turns of their own in some formats; together they answer one turn.
    const results = turn.parts.filter((part) => part.kind === "toolResult")
    const before = turns[i - 1]
    const gathered = before?.role === "user" && before.parts.some((part) => part.kind === "toolResult")
    if (results.length > 0 && !gathered) {
      const all = [...results]
      for (let j = i + 1; j < turns.length; j++) {
        const next = turns[j]
        const more = next?.role === "user" ? next.parts.filter((part) => part.kind === "toolResult") : []
        if (more.length === 0) break
        all.push(...more)
      }
      const place = (id: string): number => (called.includes(id) ? called.indexOf(id) : called.length)
      const ordered = all.toSorted((a, b) => place(a.id) - place(b.id))
      push(
        "user",
        ordered.map((part) => ({
          functionResponse: {
            name: context.names.out(part.name ?? nameOf.get(part.id) ?? part.id),
            response: responseOf(part),
          },
        })),
        true,
      )
      const attached = all.flatMap((part) => part.content.filter((one) => one.kind !== "text"))
      push("user", present(attached.map((part) => partOf(part, false, context.names, notes))), false)
    }
    let first = true
    const parts = present(
      turn.parts.map((part) => {
        const unsigned = signs && part.kind === "toolCall" && first
        if (part.kind === "toolCall") first = false
        return partOf(part, unsigned, context.names, notes)
      }),
    )
    push(turn.role === "assistant" ? "model" : "user", parts, false)
  }
  return contents
}

const functionOf = (tool: Tool, names: ToolNames): JsonObject => {
  const schema = tool.custom === undefined ? tool.schema : freeTextSchema(tool.custom)
  const parameters = schema === undefined ? undefined : toGeminiSchema(schema)
  const empty = parameters?.["type"] === "object" && parameters["properties"] === undefined
  return compact({
    name: names.out(tool.name),
    description: tool.description,
    parameters: empty ? undefined : parameters,
  })
}

const configOf = (choice: ToolChoice, names: ToolNames): JsonObject => {
  switch (choice.kind) {
    case "none":
      return { mode: "NONE" }
    case "required":
      return { mode: "ANY" }
    case "auto":
      return { mode: "AUTO" }
    case "tool":
      return { mode: "ANY", allowedFunctionNames: [names.out(choice.name)] }
    case "among":
      return { mode: choice.required ? "ANY" : "VALIDATED", allowedFunctionNames: choice.names.map(names.out) }
  }
}

const levels: Readonly<Record<Effort, string | undefined>> = {
  none: undefined,
  minimal: "minimal",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "high",
  max: "high",
}

const thinkingOf = (request: ChatRequest, model: string): unknown => {
  const { fields } = request.extras
  const own = fields["thinking_config"] ?? fields["thinkingConfig"]
  if (own !== undefined) return own
  const { reasoning } = request
  if (reasoning === undefined) return undefined
  const version = geminiVersion(model) ?? 0
  if (reasoning.off === true || reasoning.effort === "none")
    return version >= 2.5 && version < 3 && model.includes("flash") ? { thinkingBudget: 0 } : undefined
  if (version >= 3 && reasoning.effort !== undefined)
    return { thinkingLevel: levels[reasoning.effort], includeThoughts: true }
  const budget =
    reasoning.budgetTokens ?? (reasoning.effort === undefined ? undefined : budgetOfEffort(reasoning.effort))
  return compact({
    thinkingBudget: budget ?? (reasoning.adaptive === true && version < 3 ? -1 : undefined),
    includeThoughts: true,
  })
}

/** Fields of Google's that clients of other formats may send along. */
const own = [
  "safetySettings",
  "safety_settings",
  "labels",
  "cachedContent",
  "cached_content",
  "thinking_config",
  "thinkingConfig",
]

export const writeRequest = (request: ChatRequest, context: Context, notes: Notes): JsonObject => {
  const { fields } = request.extras
  for (const name of Object.keys(fields)) if (!own.includes(name)) notes.drop(name)
  const prompts = request.turns.filter((turn) => turn.role === "system" || turn.role === "developer")
  const system = prompts
    .flatMap((turn) => turn.parts)
    .flatMap((part) => (part.kind === "text" && part.text !== "" ? [part.text] : []))
    .join("\n")
  const said = request.turns.filter((turn) => turn.role === "user" || turn.role === "assistant")
  const contents = contentsOf(said, context, notes).map(({ role, parts }) => ({ role, parts }))
  const { output } = request
  const cached = fields["cachedContent"] ?? fields["cached_content"]
  const safety = fields["safetySettings"] ?? fields["safety_settings"]
  const functions = request.tools.map((tool) => functionOf(tool, context.names))
  for (const [name, value] of [
    ["parallel_tool_calls", request.parallelTools === false ? false : undefined],
    ["user", request.user],
    ["metadata", request.metadata],
    ["verbosity", request.verbosity],
    [
      "service_tier",
      request.serviceTier === "auto" || request.serviceTier === "default" ? undefined : request.serviceTier,
    ],
  ] as const)
    if (value !== undefined) notes.drop(name)
  const modalities = request.modalities?.map((one) => one.toUpperCase())
  const config = compact({
    temperature: request.temperature,
    topP: request.topP,
    topK: request.topK,
    candidateCount: request.choices === 1 ? undefined : request.choices,
    maxOutputTokens: request.maxTokens,
    stopSequences: request.stop,
    seed: request.seed,
    presencePenalty: request.presencePenalty,
    frequencyPenalty: request.frequencyPenalty,
    responseLogprobs: request.logprobs === true ? true : undefined,
    logprobs: request.logprobs === true ? request.topLogprobs : undefined,
    responseMimeType: output === undefined ? undefined : "application/json",
    responseSchema: output?.kind === "schema" ? toGeminiSchema(output.schema) : undefined,
    responseModalities: modalities,
    thinkingConfig: thinkingOf(request, context.call.model),
  })
  const bare = cached !== undefined
  return compact({
    systemInstruction: system === "" || bare ? undefined : { parts: [{ text: system }] },
    contents: contents.length === 0 ? [{ role: "user", parts: [{ text: " " }] }] : contents,
    tools: functions.length === 0 || bare ? undefined : [{ functionDeclarations: functions }],
    toolConfig:
      functions.length === 0 || bare || request.toolChoice === undefined
        ? undefined
        : { functionCallingConfig: configOf(request.toolChoice, context.names) },
    generationConfig: Object.keys(config).length === 0 ? undefined : config,
    safetySettings: Array.isArray(safety) ? safety : undefined,
    labels: isObject(fields["labels"]) ? fields["labels"] : undefined,
    cachedContent: cached,
  })
}
