/** Model providers, alone or in groups, and models by name in front of them. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { HostTarget } from "../HostTarget.ts"
import { HeaderMatch } from "../Match.ts"
import { Millis } from "../Millis.ts"
import type { Named } from "../Named.ts"
import { BackendPolicy } from "../Policy.ts"
import { ModelRouteType } from "../policy/Ai.ts"
import { Cedar } from "../policy/Cedar.ts"
import { Text } from "../policy/CloudAuth.ts"
import { RuleSet } from "../policy/RuleSet.ts"

export const ModerationMode = Schema.Literals(["score", "block"])
const moderationSide = Schema.optionalKey(Schema.Struct({ mode: ModerationMode }))

/** Sent along to OpenAI, which then judges the call itself. */
export const Moderation = Schema.Struct({
  model: Schema.NonEmptyString,
  policy: Schema.optionalKey(Schema.Struct({ input: moderationSide, output: moderationSide })),
})
export type Moderation = typeof Moderation.Type

/** A kind of call that a provider understands, and where, if not where everybody has it. */
export const ProviderFormat = Schema.Struct({ type: ModelRouteType, path: Schema.optionalKey(Schema.String) })
export type ProviderFormat = typeof ProviderFormat.Type

/** Whose interface is spoken. */
export const Vendor = Schema.TaggedUnion({
  OpenAi: { moderation: Schema.optionalKey(Moderation) },
  Anthropic: {},
  Gemini: {},
  Vertex: { projectId: Schema.NonEmptyString, region: Schema.optionalKey(Schema.NonEmptyString) },
  Bedrock: {
    region: Schema.NonEmptyString,
    guardrailIdentifier: Schema.optionalKey(Schema.NonEmptyString),
    guardrailVersion: Schema.optionalKey(Schema.NonEmptyString),
    /** Kept by AWS in its log of calls; a request of which it cannot be computed is not sent. */
    requestMetadata: Schema.optionalKey(Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: Text }))),
  },
  Azure: {
    resourceName: Schema.NonEmptyString,
    resourceType: Schema.Literals(["openAI", "foundry"]),
    apiVersion: Schema.optionalKey(Schema.NonEmptyString),
    projectName: Schema.optionalKey(Schema.NonEmptyString),
  },
  Copilot: {},
  /** Any endpoint that speaks formats of others; the name is what prices and metrics know it by. */
  Custom: { name: Schema.optionalKey(Schema.NonEmptyString), formats: Schema.Array(ProviderFormat) },
  /** Answers by itself what it was asked, without a network. */
  Echo: {},
})
export type Vendor = typeof Vendor.Type

const provider = Schema.Struct({
  name: Schema.NonEmptyString,
  vendor: Vendor,
  /** Asked for instead of the model that the client named. */
  model: Schema.optionalKey(Schema.NonEmptyString),
  /** Instead of the vendor's own address. */
  target: Schema.optionalKey(HostTarget),
  /** Instead of path and query. */
  pathOverride: Schema.optionalKey(Schema.String),
  pathPrefix: Schema.optionalKey(Schema.String),
  /** Tokens of a prompt are counted before it is sent. */
  tokenize: Schema.Boolean,
  /** How long a reply may pause once it has begun. */
  idleMillis: Schema.optionalKey(Millis),
  policies: Schema.Array(BackendPolicy),
})
export interface LlmProviderSchema extends Named<typeof provider> {}
export const LlmProvider: LlmProviderSchema = provider
export type LlmProvider = typeof LlmProvider.Type

/** Exact, `prefix*`, `*suffix` or `*`. */
export const ModelPattern = Schema.NonEmptyString

const model = Schema.Struct({
  name: ModelPattern,
  /** Internal ones are reached through virtual models only, and not listed. */
  visibility: Schema.Literals(["public", "internal"]),
  /** Further conditions: one of these lists must match whole; an empty list of lists asks for nothing. */
  matches: Schema.Array(Schema.Array(HeaderMatch)),
  authorization: Schema.optionalKey(Schema.Struct({ ...RuleSet.fields, cedar: Schema.optionalKey(Cedar) })),
  /** What is done with calls of a kind that is not known. */
  passthrough: Schema.Literals(["detect", "passthrough"]),
  provider: LlmProvider,
})
export interface ModelSchema extends Named<typeof model> {}
export const Model: ModelSchema = model
export type Model = typeof Model.Type

/** A name that stands for one of several models; each target is the name of a model. */
export const VirtualRouting = Schema.TaggedUnion({
  Weighted: { targets: Schema.NonEmptyArray(Schema.Struct({ model: Schema.NonEmptyString, weight: Schema.Natural })) },
  Failover: {
    targets: Schema.NonEmptyArray(Schema.Struct({ model: Schema.NonEmptyString, priority: Schema.Natural })),
  },
  Conditional: {
    targets: Schema.NonEmptyArray(
      Schema.Struct({ when: Schema.optionalKey(Expression), model: Schema.NonEmptyString }),
    ),
  },
})
export type VirtualRouting = typeof VirtualRouting.Type

export const VirtualModel = Schema.Struct({ name: Schema.NonEmptyString, routing: VirtualRouting })
export type VirtualModel = typeof VirtualModel.Type

/** Groups in the order in which they are asked; inside one, whoever does best. */
export const ProviderGroups = Schema.NonEmptyArray(Schema.NonEmptyArray(LlmProvider))
