/** The `llm` shorthand: models in front of providers, without writing routes. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { FileOrInline } from "./FileOrInline.ts"
import { GatewayRefs } from "./GatewayRefs.ts"
import {
  anyCase,
  Cel,
  CelMap,
  Count,
  exactlyOne,
  JsonMap,
  Millis,
  oneSpelling,
  opt,
  parsed,
  Port,
  req,
  Target,
} from "./grammar.ts"
import * as Result from "effect/Result"
import { CustomProvider } from "./llmProvider.ts"
import { HeaderMatch, Matches } from "./match.ts"
import { gatewayPolicies, RoutePolicies } from "./policies.ts"
import { PromptCaching } from "./policy/Ai.ts"
import { Authorization } from "./policy/Authorization.ts"
import { BackendAuth } from "./policy/BackendAuth.ts"
import { BackendTls } from "./policy/BackendTls.ts"
import { BackendTunnel } from "./policy/BackendTunnel.ts"
import { Budgets } from "./policy/Budget.ts"
import { HeaderEdits } from "./policy/HeaderEdits.ts"
import { Health } from "./policy/Health.ts"
import { PromptGuard } from "./policy/PromptGuard.ts"
import { ResponseCache } from "./policy/ResponseCache.ts"
import { ServerTls } from "./tls.ts"

const known = ["openAI", "gemini", "vertex", "anthropic", "bedrock", "azure", "copilot", "echo"] as const
export const presets = [
  "cohere",
  "ollama",
  "baseten",
  "cerebras",
  "deepinfra",
  "deepseek",
  "groq",
  "huggingface",
  "mistral",
  "openrouter",
  "togetherai",
  "xai",
  "fireworks",
] as const

const ModelProvider = Schema.Union([
  anyCase([...known, ...presets]),
  exactlyOne(Schema.Struct({ custom: opt(CustomProvider), reference: opt(Schema.NonEmptyString) }), [
    "custom",
    "reference",
  ]),
]).annotate({ identifier: "LlmProviderKind" })

const baseUrl = parsed(
  Schema.String,
  (text) => {
    const url = URL.parse(text)
    const fine =
      url !== null &&
      (url.protocol === "http:" || url.protocol === "https:") &&
      url.username === "" &&
      url.password === "" &&
      url.search === "" &&
      url.hash === ""
    return fine
      ? Result.succeed(text)
      : Result.fail({
          message: "`baseUrl` is not an http:// or https:// URL without user, query and fragment",
          remedy: "",
        })
  },
  (text) => text,
)

const Params = Schema.Struct({
  model: opt(Schema.NonEmptyString),
  apiKey: opt(FileOrInline),
  awsRegion: opt(Schema.NonEmptyString),
  vertexRegion: opt(Schema.NonEmptyString),
  vertexProject: opt(Schema.NonEmptyString),
  azureResourceName: opt(Schema.NonEmptyString),
  azureResourceType: opt(anyCase(["openAI", "foundry"], { aiServices: "foundry" })),
  azureApiVersion: opt(Schema.NonEmptyString),
  azureProjectName: opt(Schema.NonEmptyString),
  baseUrl: opt(baseUrl),
  hostOverride: opt(Target),
  pathOverride: opt(Schema.String),
  pathPrefix: opt(Schema.String),
  tokenize: opt(Schema.Boolean),
  idleTimeout: opt(Millis, "How long a reply may pause once it has begun."),
}).annotate({ identifier: "LlmParams" })

const shared = {
  defaults: opt(JsonMap),
  overrides: opt(JsonMap),
  transformation: opt(CelMap),
  requestHeaders: opt(HeaderEdits),
  responseHeaders: opt(HeaderEdits),
  tls: opt(BackendTls),
  backendTLS: opt(BackendTls),
  auth: opt(BackendAuth),
  health: opt(Health),
  backendTunnel: opt(BackendTunnel),
  promptCaching: opt(PromptCaching),
}

const Provider = Schema.Struct({
  name: Schema.NonEmptyString,
  provider: ModelProvider,
  params: opt(Params),
  defaults: opt(oneSpelling(Schema.Struct(shared), [["tls", "backendTLS"]])),
}).annotate({ identifier: "LlmProvider" })

const Model = oneSpelling(
  Schema.Struct({
    id: opt(Schema.NonEmptyString),
    name: req(
      Schema.String.check(
        Schema.isPattern(/^(?:\*|\*?[^*]+|[^*]+\*)$/, {
          message: "expected a name with at most one `*`, at one of its ends",
        }),
      ),
      "Model asked for: exact, `prefix*`, `*suffix` or `*`.",
    ),
    visibility: opt(anyCase(["public", "internal"])),
    provider: ModelProvider,
    params: opt(Params),
    passthrough: opt(anyCase(["detect", "opaque"])),
    authorization: opt(Authorization),
    finalTransformation: opt(CelMap),
    guardrails: opt(
      Schema.Union([PromptGuard, Schema.NonEmptyString]),
      "Its own, or the name of some in `llm.guardrails`.",
    ),
    matches: opt(Schema.Array(Schema.Struct({ headers: opt(Schema.Array(HeaderMatch)) }))),
    ...shared,
  }),
  [["tls", "backendTLS"]],
).annotate({ identifier: "LlmModel" })

const VirtualModel = Schema.Struct({
  name: Schema.NonEmptyString,
  routing: exactlyOne(
    Schema.Struct({
      weighted: opt(
        Schema.Struct({
          targets: Schema.NonEmptyArray(Schema.Struct({ model: Schema.NonEmptyString, weight: opt(Count) })),
        }),
      ),
      failover: opt(
        Schema.Struct({
          targets: Schema.NonEmptyArray(Schema.Struct({ model: Schema.NonEmptyString, priority: Count })),
        }),
      ),
      conditional: opt(
        Schema.Struct({
          targets: Schema.NonEmptyArray(Schema.Struct({ when: opt(Cel), model: Schema.NonEmptyString })),
        }),
      ),
    }),
    ["weighted", "failover", "conditional"],
  ),
}).annotate({ identifier: "VirtualModel" })

const llmShape = Schema.Struct({
  gateways: opt(GatewayRefs),
  port: opt(Port, "4000 unless set; `gateways` is the newer way."),
  tls: opt(ServerTls),
  matches: opt(Matches, "Which requests are for models; all of them unless set."),
  providers: opt(Schema.Array(Provider)),
  models: Schema.Array(Model),
  virtualModels: opt(Schema.Array(VirtualModel)),
  guardrails: opt(Schema.Record(Schema.String, PromptGuard), "Guardrails that models share by their names."),
  policies: opt(
    Schema.Struct({
      ...gatewayPolicies,
      guardrails: opt(PromptGuard),
      budgets: opt(Budgets),
      responseCache: opt(ResponseCache),
      localRateLimit: RoutePolicies.fields.localRateLimit,
      remoteRateLimit: RoutePolicies.fields.remoteRateLimit,
      concurrencyLimit: RoutePolicies.fields.concurrencyLimit,
      timeout: RoutePolicies.fields.timeout,
    }),
  ),
}).annotate({ identifier: "Llm", description: "Models behind one endpoint, without writing routes." })
export interface LlmSchema extends Named<typeof llmShape> {}
export const Llm: LlmSchema = llmShape
export type Llm = typeof Llm.Type
