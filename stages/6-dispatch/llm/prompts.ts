/** Prompts that are put before and after what the client said, in the client's own format. */
import type { Prompt } from "../../../ir/policy/Ai.ts"
import { isObject, type JsonObject, listOf } from "../../../protocols/llm/Json.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"

export interface Prompts {
  readonly prepend: ReadonlyArray<Prompt>
  readonly append: ReadonlyArray<Prompt>
}

const isSystem = ({ role }: Prompt): boolean => role === "system" || role === "developer"

const plain = ({ content, role }: Prompt): JsonObject => ({ role, content })

const asBlocks = (system: unknown): ReadonlyArray<unknown> =>
  typeof system === "string" ? (system === "" ? [] : [{ type: "text", text: system }]) : listOf(system)

const anthropic = (body: JsonObject, { append, prepend }: Prompts): JsonObject => {
  const block = ({ content }: Prompt): JsonObject => ({ type: "text", text: content })
  const [before, after] = [prepend.filter(isSystem).map(block), append.filter(isSystem).map(block)]
  const spoken = (prompts: ReadonlyArray<Prompt>) => prompts.filter((one) => !isSystem(one)).map(plain)
  return {
    ...(before.length + after.length === 0 ? {} : { system: [...before, ...asBlocks(body["system"]), ...after] }),
    messages: [...spoken(prepend), ...listOf(body["messages"]), ...spoken(append)],
  }
}

const bedrock = (body: JsonObject, { append, prepend }: Prompts): JsonObject => {
  const block = ({ content }: Prompt): JsonObject => ({ text: content })
  const [before, after] = [prepend.filter(isSystem).map(block), append.filter(isSystem).map(block)]
  const spoken = (prompts: ReadonlyArray<Prompt>) =>
    prompts.filter((one) => !isSystem(one)).map((one) => ({ role: one.role, content: [block(one)] }))
  return {
    ...(before.length + after.length === 0 ? {} : { system: [...before, ...listOf(body["system"]), ...after] }),
    messages: [...spoken(prepend), ...listOf(body["messages"]), ...spoken(append)],
  }
}

const gemini = (body: JsonObject, { append, prepend }: Prompts): JsonObject => {
  const part = ({ content }: Prompt): JsonObject => ({ text: content })
  const turn = (one: Prompt): JsonObject => ({
    role: one.role === "assistant" || one.role === "model" ? "model" : "user",
    parts: [part(one)],
  })
  const name = Object.hasOwn(body, "system_instruction") ? "system_instruction" : "systemInstruction"
  const system = body[name]
  const [before, after] = [prepend.filter(isSystem).map(part), append.filter(isSystem).map(part)]
  const parts = isObject(system) ? listOf(system["parts"]) : []
  const spoken = (prompts: ReadonlyArray<Prompt>) => prompts.filter((one) => !isSystem(one)).map(turn)
  return {
    ...(before.length + after.length === 0
      ? {}
      : { [name]: { ...(isObject(system) ? system : {}), parts: [...before, ...parts, ...after] } }),
    contents: [...spoken(prepend), ...listOf(body["contents"]), ...spoken(append)],
  }
}

const responses = (body: JsonObject, { append, prepend }: Prompts): JsonObject => {
  const { input } = body
  const items = typeof input === "string" ? [{ role: "user", content: input }] : listOf(input)
  return { input: [...prepend.map(plain), ...items, ...append.map(plain)] }
}

/** The members that change. */
export const withPrompts = (format: Format | undefined, body: JsonObject, prompts: Prompts): JsonObject => {
  if (prompts.prepend.length + prompts.append.length === 0) return {}
  switch (format) {
    case "openaiChat":
      return {
        messages: [...prompts.prepend.map(plain), ...listOf(body["messages"]), ...prompts.append.map(plain)],
      }
    case "anthropicMessages":
      return anthropic(body, prompts)
    case "gemini":
      return gemini(body, prompts)
    case "bedrockConverse":
      return bedrock(body, prompts)
    case "openaiResponses":
      return responses(body, prompts)
    default:
      return {}
  }
}
