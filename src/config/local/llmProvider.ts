/** Model providers that the gateway does not know by name. */
import * as Schema from "effect/Schema"
import { anyCase, opt } from "./grammar.ts"

export const formats = [
  "completions",
  "messages",
  "responses",
  "embeddings",
  "rerank",
  "realtime",
  "generateContent",
  "anthropicTokenCount",
  "geminiCountTokens",
  "converse",
  "models",
  "detect",
  "passthrough",
] as const

export const CustomProvider = Schema.Struct({
  model: opt(Schema.NonEmptyString),
  providerOverride: opt(Schema.NonEmptyString),
  formats: opt(Schema.Array(Schema.Struct({ type: anyCase(formats), path: opt(Schema.String) }))),
}).annotate({ identifier: "CustomProvider" })
