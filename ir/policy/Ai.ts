/** What is done to calls of models; on backends it is merged field by field. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Budget } from "./Budget.ts"
import { PromptGuard } from "./PromptGuard.ts"
import { ResponseCache } from "./ResponseCache.ts"

export const Prompt = Schema.Struct({ role: Schema.NonEmptyString, content: Schema.String })
export type Prompt = typeof Prompt.Type

export const modelRouteTypes = [
  "completions",
  "messages",
  "models",
  "passthrough",
  "detect",
  "responses",
  "embeddings",
  "realtime",
  "anthropicTokenCount",
  "generateContent",
  "geminiCountTokens",
  "rerank",
  "converse",
] as const
export const ModelRouteType = Schema.Literals(modelRouteTypes)
export type ModelRouteType = typeof ModelRouteType.Type

export const PromptCaching = Schema.Struct({
  cacheSystem: Schema.Boolean,
  cacheMessages: Schema.Boolean,
  cacheTools: Schema.Boolean,
  minTokens: Schema.optionalKey(Schema.Natural),
  cacheMessageOffset: Schema.Natural,
})
export type PromptCaching = typeof PromptCaching.Type

export const ListedModel = Schema.Struct({
  id: Schema.NonEmptyString,
  ownedBy: Schema.optionalKey(Schema.NonEmptyString),
  createdSeconds: Schema.optionalKey(Schema.Natural),
})
export type ListedModel = typeof ListedModel.Type

export const Ai = Schema.TaggedStruct("Ai", {
  promptGuard: Schema.optionalKey(PromptGuard),
  /** Fields of the body used where the client gave none. */
  defaults: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  overrides: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  /** Before the body is put into the provider's format. */
  transformations: Schema.optionalKey(Schema.Record(Schema.String, Expression)),
  /** After that. */
  finalTransformations: Schema.optionalKey(Schema.Record(Schema.String, Expression)),
  prompts: Schema.optionalKey(Schema.Struct({ prepend: Schema.Array(Prompt), append: Schema.Array(Prompt) })),
  modelAliases: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  promptCaching: Schema.optionalKey(PromptCaching),
  budgets: Schema.optionalKey(Schema.Array(Budget)),
  responseCache: Schema.optionalKey(ResponseCache),
  /** The end of a path to the kind of call it is; `*` for the rest. */
  routes: Schema.optionalKey(Schema.Record(Schema.String, ModelRouteType)),
  /** What clients are told that ask which models there are; the provider is asked unless set. */
  models: Schema.optionalKey(Schema.Array(ListedModel)),
})
export type Ai = typeof Ai.Type
