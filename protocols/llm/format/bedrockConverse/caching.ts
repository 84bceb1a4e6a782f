/** Where the gateway puts cache points of its own, when it was told to. */
import type { JsonObject } from "../../Json.ts"
import type { PromptCaching } from "../../Translation.ts"

export const cachePoint: JsonObject = { cachePoint: { type: "default" } }

/** Only some models know them; to the others they are an error. */
export const cachesPrompts = (model: string): boolean =>
  model.includes(":application-inference-profile/") ||
  model.includes("amazon.nova") ||
  (model.includes("anthropic.claude") && !/anthropic\.claude-(?:instant|v[12])/.test(model))

/** A guess at tokens that needs no tokenizer. */
const TOKENS_PER_WORD = 1.3

const words = (blocks: ReadonlyArray<JsonObject>): number =>
  blocks.reduce(
    (sum, block) =>
      sum +
      String(block["text"] ?? "")
        .split(/\s+/)
        .filter((word) => word !== "").length,
    0,
  )

interface Cacheable {
  readonly system: ReadonlyArray<JsonObject>
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: ReadonlyArray<JsonObject> }>
  readonly tools: ReadonlyArray<JsonObject>
}

export const withCachePoints = (body: Cacheable, caching: PromptCaching | undefined, model: string): Cacheable => {
  if (caching === undefined || !cachesPrompts(model)) return body
  const { system, messages, tools } = body
  const place = Math.max(0, messages.length - 2 - caching.messageOffset)
  return {
    system:
      caching.system && system.length > 0 && words(system) * TOKENS_PER_WORD >= caching.minTokens
        ? [...system, cachePoint]
        : system,
    messages:
      caching.messages && messages.length >= 2
        ? messages.map((message, i) =>
            i === place ? { ...message, content: [...message.content, cachePoint] } : message,
          )
        : messages,
    tools: caching.tools && tools.length > 0 ? [...tools, cachePoint] : tools,
  }
}
