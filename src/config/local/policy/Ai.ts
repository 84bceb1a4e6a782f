/** `ai`: what is done to requests to models. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import { type Ai as IrAi, modelRouteTypes, type PromptCaching as IrPromptCaching } from "../../../../ir/policy/Ai.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, CelMap, Count, JsonMap, opt, TextMap } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { Budgets, budgets } from "./Budget.ts"
import { PromptGuard, promptGuard } from "./PromptGuard.ts"
import { ResponseCache, responseCache } from "./ResponseCache.ts"

export const PromptCaching = Schema.Struct({
  cacheSystem: opt(Schema.Boolean),
  cacheMessages: opt(Schema.Boolean),
  cacheTools: opt(Schema.Boolean),
  minTokens: opt(Count),
  cacheMessageOffset: opt(Count),
}).annotate({ identifier: "PromptCaching" })
export type PromptCaching = typeof PromptCaching.Type

const Prompts = Schema.Array(Schema.Struct({ role: Schema.NonEmptyString, content: Schema.String }))
const modelRoutes = anyCase(modelRouteTypes)

const aiShape = Schema.Struct({
  promptGuard: opt(PromptGuard),
  defaults: opt(JsonMap),
  overrides: opt(JsonMap),
  transformations: opt(CelMap),
  finalTransformations: opt(CelMap),
  prompts: opt(Schema.Struct({ prepend: opt(Prompts), append: opt(Prompts) })),
  modelAliases: opt(TextMap),
  promptCaching: opt(PromptCaching),
  budgets: opt(Budgets),
  responseCache: opt(ResponseCache),
  routes: opt(Schema.Record(Schema.String, modelRoutes)),
  models: opt(
    Schema.Array(
      Schema.Struct({
        id: Schema.NonEmptyString,
        ownedBy: opt(Schema.NonEmptyString),
        created: opt(Count, "Seconds since 1970."),
      }),
    ),
    "What is told to clients that ask which models there are.",
  ),
}).annotate({ identifier: "AiPolicy" })
export interface AiSchema extends Named<typeof aiShape> {}
export const Ai: AiSchema = aiShape
export type Ai = typeof Ai.Type

const promptCaching = (one: PromptCaching): IrPromptCaching => ({
  cacheSystem: one.cacheSystem ?? true,
  cacheMessages: one.cacheMessages ?? true,
  cacheTools: one.cacheTools ?? false,
  minTokens: one.minTokens ?? defaults.promptCachingMinTokens,
  cacheMessageOffset: one.cacheMessageOffset ?? 0,
})

export const ai = (policy: Ai, path: Path, to: Mapping): IrAi => ({
  _tag: "Ai",
  ...present({
    promptGuard:
      policy.promptGuard === undefined ? undefined : promptGuard(policy.promptGuard, [...path, "promptGuard"], to),
    defaults: policy.defaults,
    overrides: policy.overrides,
    transformations: policy.transformations,
    finalTransformations: policy.finalTransformations,
    prompts:
      policy.prompts === undefined
        ? undefined
        : { prepend: policy.prompts.prepend ?? [], append: policy.prompts.append ?? [] },
    modelAliases: policy.modelAliases,
    promptCaching: policy.promptCaching === undefined ? undefined : promptCaching(policy.promptCaching),
    budgets: policy.budgets === undefined ? undefined : budgets(policy.budgets, [...path, "budgets"], to),
    responseCache:
      policy.responseCache === undefined
        ? undefined
        : responseCache(policy.responseCache, [...path, "responseCache"], to),
    routes: policy.routes,
    models: policy.models?.map(({ created, id, ownedBy }) => ({
      id,
      ...present({ ownedBy, createdSeconds: created }),
    })),
  }),
})
