/** Named backends, and the kinds of backend that routes share with them. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { ServiceRef } from "./BackendRef.ts"
import { anyCase, Cel, exactlyOne, Millis, opt, req, Target } from "./grammar.ts"
import { McpBackend } from "./mcp.ts"
import { BackendPolicies } from "./policies.ts"
import { CustomProvider } from "./llmProvider.ts"

const model = { model: opt(Schema.NonEmptyString) }
const moderationSide = opt(Schema.Struct({ mode: opt(anyCase(["score", "block"])) }))

const provider = {
  openAI: opt(
    Schema.Struct({
      ...model,
      moderation: opt(
        Schema.Struct({
          model: opt(Schema.NonEmptyString),
          policy: opt(Schema.Struct({ input: moderationSide, output: moderationSide })),
        }),
      ),
    }),
  ),
  gemini: opt(Schema.Struct(model)),
  vertex: opt(Schema.Struct({ ...model, region: opt(Schema.NonEmptyString), projectId: Schema.NonEmptyString })),
  anthropic: opt(Schema.Struct(model)),
  bedrock: opt(
    Schema.Struct({
      ...model,
      region: Schema.NonEmptyString,
      guardrailIdentifier: opt(Schema.NonEmptyString),
      guardrailVersion: opt(Schema.NonEmptyString),
      requestMetadata: opt(
        Schema.Array(
          exactlyOne(
            Schema.Struct({ key: Schema.NonEmptyString, value: opt(Schema.NonEmptyString), expression: opt(Cel) }),
            ["value", "expression"],
          ),
        ),
        "Kept by AWS in its log of calls, for each call.",
      ),
    }),
  ),
  azure: opt(
    Schema.Struct({
      ...model,
      resourceName: Schema.NonEmptyString,
      resourceType: anyCase(["openAI", "foundry"], { aiServices: "foundry" }),
      apiVersion: opt(Schema.NonEmptyString),
      projectName: opt(Schema.NonEmptyString),
    }),
  ),
  copilot: opt(Schema.Struct(model)),
  custom: opt(CustomProvider),
  echo: opt(Schema.Struct(model), "Built in: answers what it was asked, without a network."),
}

const NamedProvider = Schema.Struct({
  name: Schema.NonEmptyString,
  provider: exactlyOne(Schema.Struct(provider), Object.keys(provider)),
  hostOverride: opt(Target),
  pathOverride: opt(Schema.String),
  pathPrefix: opt(Schema.String),
  tokenize: opt(Schema.Boolean),
  idleTimeout: opt(Millis, "How long a reply may pause once it has begun."),
  policies: opt(BackendPolicies),
}).annotate({ identifier: "NamedAiProvider" })

const aiBackendShape = Schema.Union([
  Schema.Struct({ groups: Schema.Array(Schema.Struct({ providers: Schema.Array(NamedProvider) })) }),
  NamedProvider,
]).annotate({ identifier: "AiBackend" })
export interface AiBackendSchema extends Named<typeof aiBackendShape> {}
export const AiBackend: AiBackendSchema = aiBackendShape
export type AiBackend = typeof AiBackend.Type

const arn = /^arn:[^:]+:bedrock-agentcore:[^:]+:[^:]+:runtime\/.+$/

export const AwsBackend = Schema.Struct({
  agentCore: Schema.Struct({
    agentRuntimeArn: Schema.String.check(
      Schema.isPattern(arn, { message: "expected `arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/ID`" }),
    ),
    qualifier: opt(Schema.NonEmptyString),
  }),
}).annotate({ identifier: "AwsBackend" })

const agentPlaces = ["host", "backend", "service"] as const

const cataloguedAgent = exactlyOne(
  Schema.Struct({
    name: req(
      Schema.String.check(
        Schema.isPattern(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
          message: "expected lower-case letters, digits and hyphens, at most 63",
        }),
      ),
      "The agent is found below this name.",
    ),
    host: opt(Target, "`host:port`."),
    backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
    service: opt(ServiceRef),
    policies: opt(BackendPolicies),
  }),
  agentPlaces,
)

export const A2aBackend = Schema.Struct({
  agents: req(Schema.NonEmptyArray(cataloguedAgent), "Agents behind one endpoint."),
}).annotate({ identifier: "A2aBackend" })
export type A2aBackend = typeof A2aBackend.Type

export const namedBackendKinds = ["host", "internal", "mcp", "ai", "aws", "a2a"] as const

const namedBackendShape = exactlyOne(
  Schema.Struct({
    name: req(Schema.NonEmptyString, "Routes refer to it as `/name`."),
    policies: opt(BackendPolicies),
    host: opt(Target, "`host:port` or `unix:/path`."),
    internal: opt(Schema.String, "`forward`, or the path of the gateway's own interface to answer with."),
    mcp: opt(McpBackend),
    ai: opt(AiBackend),
    aws: opt(AwsBackend),
    a2a: opt(A2aBackend, "Agents, each below its own name, with a list of all of them at `/agents`."),
  }),
  namedBackendKinds,
).annotate({ identifier: "NamedBackend" })
export interface NamedBackendSchema extends Named<typeof namedBackendShape> {}
export const NamedBackend: NamedBackendSchema = namedBackendShape
export type NamedBackend = typeof NamedBackend.Type
