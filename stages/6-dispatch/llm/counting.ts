/** Counting tokens for clients whose provider does not. */
import * as Effect from "effect/Effect"
import { Headers } from "../../../protocols/http/headers.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { guess, type Tokens } from "../../ports/Tokens.ts"
import type { Asked } from "./Asked.ts"
import { clientFormats } from "./kinds.ts"
import { promptTokens } from "./words.ts"

/** Undefined: something else is asked. */
export const counting = ({ json, kind, model }: Asked, tokens: Tokens): Effect.Effect<Reply> | undefined => {
  if (json === undefined || (kind !== "anthropicTokenCount" && kind !== "geminiCountTokens")) return undefined
  return Effect.map(tokens.load, () => {
    const request = kind === "geminiCountTokens" ? ((json["generateContentRequest"] as JsonObject) ?? json) : json
    const count = promptTokens(clientFormats[kind], request, (text) => tokens.count(model, text) ?? guess(text))
    const body = kind === "geminiCountTokens" ? { totalTokens: count } : { input_tokens: count }
    return {
      status: 200,
      headers: new Headers(["content-type", "application/json"]),
      body: Body.text(JSON.stringify(body)),
      origin: "gateway",
    }
  })
}
