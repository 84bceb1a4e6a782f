/** A request to generateContent as a conversation. */
import type {
  ChatRequest,
  Effort,
  OutputShape,
  Part,
  Reasoning,
  Source,
  Tool,
  ToolChoice,
  Turn,
} from "../../Conversation.ts"
import { flagOf, isObject, type JsonObject, listOf, numberOf, objectOf, objectsOf, textOf } from "../../Json.ts"
import type { Notes } from "../../Notes.ts"
import { stopOf } from "../openaiChat/readRequest.ts"
import { field, readGoogleSignature, typeOfUrl } from "./fields.ts"
import { fromGeminiSchema } from "./schema.ts"

const known = new Set([
  "contents",
  "systemInstruction",
  "system_instruction",
  "tools",
  "toolConfig",
  "tool_config",
  "generationConfig",
  "generation_config",
  "model",
])

const mediaPart = (source: Source, mediaType: string, name: string | undefined): Part => {
  if (mediaType.startsWith("image/")) return { kind: "image", source }
  if (mediaType.startsWith("audio/") || mediaType.startsWith("video/")) return { kind: "media", source }
  return { kind: "document", source, name }
}

/** Calls that carry no id are told apart by their order, and answered in it. */
class Calls {
  private count = 0
  private readonly open: Array<{ readonly id: string; readonly name: string }> = []

  called(id: string | undefined, name: string): string {
    const given = id ?? `call_${this.count}`
    this.count++
    this.open.push({ id: given, name })
    return given
  }

  answered(id: string | undefined, name: string): string {
    const place = this.open.findIndex((call) => (id === undefined ? call.name === name : call.id === id))
    const [call] = place < 0 ? [] : this.open.splice(place, 1)
    return id ?? call?.id ?? `call_${name}`
  }
}

/** Results come as an object; one that only wraps a text is that text. */
const resultOf = (response: JsonObject): { readonly text: string | undefined; readonly failed: boolean } => {
  const [entry, ...others] = Object.entries(response)
  const wraps = entry !== undefined && others.length === 0 && typeof entry[1] === "string"
  const failed = entry?.[0] === "error" && others.length === 0
  return wraps && ["output", "content", "result", "error"].includes(entry[0])
    ? { text: String(entry[1]), failed }
    : { text: undefined, failed }
}

const partOf = (part: JsonObject, calls: Calls, path: string, notes: Notes): Part | undefined => {
  const signed = textOf(field(part, "thoughtSignature"))
  const signature = signed === undefined || signed === "" ? undefined : readGoogleSignature(signed)
  const text = textOf(part["text"])
  if (text !== undefined) {
    if (part["thought"] !== true) return { kind: "text", text, signature }
    return text === "" && signature !== undefined && signature.vendor !== "google"
      ? { kind: "reasoning", text, hidden: signature }
      : { kind: "reasoning", text, signature }
  }
  const inline = objectOf(field(part, "inlineData"))
  if (inline !== undefined) {
    const mediaType = textOf(field(inline, "mimeType")) ?? "application/octet-stream"
    const data = textOf(inline["data"]) ?? ""
    return mediaPart({ kind: "base64", mediaType, data }, mediaType, textOf(field(inline, "displayName")))
  }
  const file = objectOf(field(part, "fileData"))
  if (file !== undefined) {
    const url = textOf(field(file, "fileUri")) ?? ""
    const mediaType = textOf(field(file, "mimeType")) ?? typeOfUrl(url) ?? "application/octet-stream"
    return mediaPart({ kind: "url", url, mediaType }, mediaType, textOf(field(file, "displayName")))
  }
  const call = objectOf(field(part, "functionCall"))
  if (call !== undefined) {
    const name = textOf(call["name"]) ?? ""
    return {
      kind: "toolCall",
      id: calls.called(textOf(call["id"]) || undefined, name),
      name,
      input: JSON.stringify(objectOf(call["args"]) ?? {}),
      signature,
    }
  }
  const answer = objectOf(field(part, "functionResponse"))
  if (answer !== undefined) {
    const name = textOf(answer["name"]) ?? ""
    const response = objectOf(answer["response"]) ?? {}
    const { text: said, failed } = resultOf(response)
    const shown = objectsOf(answer["parts"]).flatMap((one, i) => {
      const shownPart = partOf(one, calls, `${path}.functionResponse.parts[${i}]`, notes)
      return shownPart?.kind === "image" || shownPart?.kind === "document" ? [shownPart] : []
    })
    // Beside pictures an object is shown as text: no other format has a place for both.
    const isPlain = said === undefined && shown.length === 0
    return {
      kind: "toolResult",
      id: calls.answered(textOf(answer["id"]) || undefined, name),
      name,
      content: isPlain ? [] : [{ kind: "text", text: said ?? JSON.stringify(response) }, ...shown],
      object: isPlain ? response : undefined,
      failed: failed ? true : undefined,
    }
  }
  notes.drop(`${path} (${Object.keys(part).join(", ") || "a part without content"})`)
  return undefined
}

const turnsOf = (contents: unknown, notes: Notes): ReadonlyArray<Turn> => {
  const calls = new Calls()
  const list =
    typeof contents === "string"
      ? [{ role: "user", parts: [{ text: contents }] }]
      : Array.isArray(contents)
        ? contents
        : [contents]
  return list.flatMap((content: unknown, i): ReadonlyArray<Turn> => {
    const path = `contents[${i}]`
    if (!isObject(content)) {
      notes.refuse(path, "a content is an object with a role and parts")
      return []
    }
    const role = content["role"]
    if (role !== undefined && role !== "user" && role !== "model" && role !== "function") {
      notes.refuse(`${path}.role`, "a role is user, model or function")
      return []
    }
    const parts = objectsOf(content["parts"]).flatMap(
      (part, j) => partOf(part, calls, `${path}.parts[${j}]`, notes) ?? [],
    )
    return [{ role: role === "model" ? "assistant" : "user", parts }]
  })
}

const systemOf = (instruction: unknown, notes: Notes): ReadonlyArray<Turn> => {
  for (const [i, part] of objectsOf(field(instruction, "parts")).entries())
    for (const name of Object.keys(part)) if (name !== "text") notes.drop(`systemInstruction.parts[${i}].${name}`)
  const texts =
    typeof instruction === "string"
      ? [instruction]
      : objectsOf(field(instruction, "parts")).map((part) => textOf(part["text"]) ?? "")
  const parts = texts.filter((text) => text !== "").map((text): Part => ({ kind: "text", text }))
  return parts.length === 0 ? [] : [{ role: "system", parts }]
}

/** Of a declared function, what is read below. */
const declaredRead = new Set(["name", "description", "parameters", "parametersJsonSchema"])

const toolsOf = (tools: unknown, notes: Notes): ReadonlyArray<Tool> =>
  objectsOf(tools).flatMap((tool, i) => {
    for (const name of Object.keys(tool))
      if (name !== "functionDeclarations" && name !== "function_declarations") notes.drop(`tools[${i}].${name}`)
    return objectsOf(field(tool, "functionDeclarations")).map((declared): Tool => {
      const json = objectOf(field(declared, "parametersJsonSchema"))
      const parameters = objectOf(declared["parameters"])
      for (const one of Object.keys(declared)) if (!declaredRead.has(camel(one))) notes.drop(`tools[${i}] (${one})`)
      return {
        name: textOf(declared["name"]) ?? "",
        description: textOf(declared["description"]),
        schema: json ?? (parameters === undefined ? undefined : fromGeminiSchema(parameters)),
      }
    })
  })

const toolChoiceOf = (config: unknown): ToolChoice | undefined => {
  const calling = field(config, "functionCallingConfig")
  const names = listOf(field(calling, "allowedFunctionNames")).filter((one) => typeof one === "string")
  switch (field(calling, "mode")) {
    case "NONE":
      return { kind: "none" }
    case "ANY": {
      const [only] = names
      if (only !== undefined && names.length === 1) return { kind: "tool", name: only }
      return names.length > 1 ? { kind: "among", names, required: true } : { kind: "required" }
    }
    case "AUTO":
    case "VALIDATED":
      return names.length > 0 ? { kind: "among", names, required: false } : { kind: "auto" }
    default:
      return undefined
  }
}

const levels: Readonly<Record<string, Effort>> = {
  MINIMAL: "minimal",
  LOW: "low",
  MEDIUM: "medium",
  HIGH: "high",
  XHIGH: "xhigh",
}

const reasoningOf = (thinking: unknown): Reasoning | undefined => {
  if (!isObject(thinking)) return undefined
  const budget = numberOf(field(thinking, "thinkingBudget"))
  const effort = levels[(textOf(field(thinking, "thinkingLevel")) ?? "").toUpperCase()]
  const summary = flagOf(field(thinking, "includeThoughts")) === true ? "auto" : undefined
  if (budget === 0) return { off: true }
  if (budget === undefined && effort === undefined && summary === undefined) return undefined
  return {
    effort,
    budgetTokens: budget !== undefined && budget > 0 ? budget : undefined,
    adaptive: effort === undefined && (budget === undefined || budget < 0) ? true : undefined,
    summary,
  }
}

const outputOf = (config: unknown): OutputShape | undefined => {
  if (field(config, "responseMimeType") !== "application/json") return undefined
  const json = objectOf(field(config, "responseJsonSchema"))
  const schema = objectOf(field(config, "responseSchema"))
  if (json !== undefined) return { kind: "schema", schema: json }
  return schema === undefined ? { kind: "json" } : { kind: "schema", schema: fromGeminiSchema(schema) }
}

/** Of the generation config, what is read below. */
const read = new Set([
  "temperature",
  "topP",
  "topK",
  "candidateCount",
  "maxOutputTokens",
  "stopSequences",
  "seed",
  "presencePenalty",
  "frequencyPenalty",
  "responseLogprobs",
  "logprobs",
  "responseMimeType",
  "responseSchema",
  "responseJsonSchema",
  "responseModalities",
  "thinkingConfig",
])
const camel = (name: string): string => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

export const readRequest = (body: JsonObject, notes: Notes): ChatRequest => {
  const config = objectOf(field(body, "generationConfig")) ?? {}
  for (const name of Object.keys(config)) if (!read.has(camel(name))) notes.drop(`generationConfig.${name}`)
  for (const name of Object.keys(objectOf(field(body, "toolConfig")) ?? {}))
    if (camel(name) !== "functionCallingConfig") notes.drop(`toolConfig.${name}`)
  if (body["contents"] === undefined || body["contents"] === null) notes.refuse("contents", "a request needs contents")
  const modalities = listOf(field(config, "responseModalities"))
    .filter((one) => typeof one === "string")
    .map((one) => one.toLowerCase())
  return {
    model: textOf(body["model"]),
    turns: [...systemOf(field(body, "systemInstruction"), notes), ...turnsOf(body["contents"] ?? [], notes)],
    tools: toolsOf(body["tools"], notes),
    toolChoice: toolChoiceOf(field(body, "toolConfig")),
    maxTokens: numberOf(field(config, "maxOutputTokens")),
    temperature: numberOf(config["temperature"]),
    topP: numberOf(field(config, "topP")),
    topK: numberOf(field(config, "topK")),
    stop: stopOf(field(config, "stopSequences")),
    seed: numberOf(config["seed"]),
    presencePenalty: numberOf(field(config, "presencePenalty")),
    frequencyPenalty: numberOf(field(config, "frequencyPenalty")),
    choices: numberOf(field(config, "candidateCount")),
    logprobs: flagOf(field(config, "responseLogprobs")),
    topLogprobs: numberOf(config["logprobs"]),
    reasoning: reasoningOf(field(config, "thinkingConfig")),
    output: outputOf(config),
    stream: false,
    streamUsage: true,
    modalities: modalities.length === 0 ? undefined : modalities,
    extras: {
      vendor: "google",
      fields: Object.fromEntries(Object.entries(body).filter(([name]) => !known.has(name))),
    },
  }
}
