/** `promptGuard`: what models may be told and may say. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { GuardKind, PromptGuard as IrPromptGuard, Rejection } from "../../../../ir/policy/PromptGuard.ts"
import { compileProgram } from "../../../../stages/4-route/Regex.ts"
import { compileFields } from "../../../../stages/5-policy/headerEdits.ts"
import type { Path } from "../../ConfigIssue.ts"
import { SimpleRef, simpleRef } from "../BackendRef.ts"
import {
  anyCase,
  CelMap,
  Count,
  exactlyOne,
  expressions,
  failureMode,
  Fraction,
  opt,
  Status,
  TextOrBytes,
  Texts,
} from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { HeaderMatch } from "../match.ts"
import { present } from "../present.ts"
import { valueMatch } from "../toMatch.ts"
import { CalleePolicies, calleePolicies } from "./Callee.ts"
import { HeaderEdits, headerEdits } from "./HeaderEdits.ts"

const guardRejection = opt(Schema.Struct({ body: opt(TextOrBytes), status: opt(Status), headers: opt(HeaderEdits) }))
const guardRules = Schema.Array(
  exactlyOne(
    Schema.Struct({
      builtin: opt(anyCase(["ssn", "creditCard", "phoneNumber", "email", "caSin", "iban", "ipAddress", "secretKey"])),
      pattern: opt(Schema.NonEmptyString),
      name: opt(Schema.NonEmptyString).annotateKey({
        description: "What stands in the place of what the pattern finds: `<name>`.",
      }),
    }),
    ["builtin", "pattern"],
  ),
)
const asked = {
  failureMode: opt(failureMode).annotateKey({
    description: "What happens to a call whose guard cannot be asked; it is refused unless this says `failOpen`.",
  }),
  url: opt(Schema.NonEmptyString).annotateKey({
    description: "Scheme, host and port to call instead of the service's own address.",
  }),
  policies: opt(CalleePolicies),
}
const guardKinds = {
  regex: opt(Schema.Struct({ action: opt(anyCase(["mask", "reject"])), rules: guardRules })),
  keywords: opt(
    Schema.Struct({
      action: opt(anyCase(["mask", "reject"])),
      words: Schema.NonEmptyArray(Schema.NonEmptyString),
    }),
  ),
  webhook: opt(
    Schema.Struct({
      target: SimpleRef,
      headers: opt(CelMap),
      forwardHeaderMatches: opt(Schema.Array(HeaderMatch)),
      messageFormat: opt(
        anyCase(["guardrail", "raw"]),
        "`raw`: the messages as the client sent them, to be given back changed; `guardrail` unless set.",
      ),
      path: opt(Schema.NonEmptyString, "`/request` or `/response` unless set."),
      minSizeBytes: opt(Count, "Messages that are shorter, as JSON, are not sent."),
      failureMode: opt(failureMode, "`failClosed` unless set; for `raw`, `failOpen` unless set."),
    }),
  ),
  bedrockGuardrails: opt(
    Schema.Struct({
      guardrailIdentifier: Schema.NonEmptyString,
      guardrailVersion: Schema.NonEmptyString,
      region: Schema.NonEmptyString,
      ...asked,
    }),
  ),
  googleModelArmor: opt(
    Schema.Struct({
      templateId: Schema.NonEmptyString,
      projectId: Schema.NonEmptyString,
      location: opt(Schema.String),
      ...asked,
    }),
  ),
  azureContentSafety: opt(
    Schema.Struct({
      endpoint: Schema.NonEmptyString,
      ...asked,
      severityThreshold: opt(Count, "An older way to say `analyzeText.severityThreshold`."),
      analyzeText: opt(
        Schema.Struct({
          severityThreshold: opt(Count),
          apiVersion: opt(Schema.String),
          blocklistNames: opt(Texts),
          haltOnBlocklistHit: opt(Schema.Boolean),
        }),
      ),
      detectJailbreak: opt(Schema.Struct({ apiVersion: opt(Schema.String) })),
    }),
  ),
}
const kindNames = ["regex", "keywords", "webhook", "bedrockGuardrails", "googleModelArmor", "azureContentSafety"]
export const RequestGuard = exactlyOne(
  Schema.Struct({
    ...guardKinds,
    promptInjection: opt(
      Schema.Struct({
        threshold: opt(Fraction, "How sure the signs must be, 0 to 1; 0.5 unless set."),
        action: opt(anyCase(["mask", "reject"]), "`reject` unless set."),
      }),
      "Signs that a text tries to take the model over.",
    ),
    openAIModeration: opt(Schema.Struct({ model: opt(Schema.String), ...asked })),
    rejection: guardRejection,
    scope: opt(Schema.NonEmptyArray(anyCase(["systemPrompt", "messages", "toolOutput", "toolInput"]))),
  }),
  [...kindNames, "promptInjection", "openAIModeration"],
)
export const ResponseGuard = exactlyOne(Schema.Struct({ ...guardKinds, rejection: guardRejection }), kindNames)
const promptGuardShape = Schema.Struct({
  streaming: opt(anyCase(["Disabled", "Enabled"])),
  request: opt(Schema.Array(RequestGuard)),
  response: opt(Schema.Array(ResponseGuard)),
}).annotate({ identifier: "PromptGuard" })
export interface PromptGuardSchema extends Named<typeof promptGuardShape> {}
export const PromptGuard: PromptGuardSchema = promptGuardShape
export type PromptGuard = typeof PromptGuard.Type

const rejection = (
  one: { readonly rejection?: Rejected },
  path: Path,
  to: Mapping,
): { readonly rejection?: Rejection } =>
  present({
    rejection:
      one.rejection === undefined
        ? undefined
        : present({
            body: one.rejection.body,
            status: one.rejection.status,
            headers:
              one.rejection.headers === undefined
                ? undefined
                : headerEdits(one.rejection.headers, [...path, "rejection", "headers"], to, (one) =>
                    compileFields(one, () => false),
                  ),
          }),
  })

export type RequestGuard = NonNullable<PromptGuard["request"]>[number]
export type ResponseGuard = NonNullable<PromptGuard["response"]>[number]
type Rejected = NonNullable<RequestGuard["rejection"]>

const guardKind = (guard: RequestGuard | ResponseGuard, path: Path, to: Mapping): GuardKind | undefined => {
  const called = (
    of: { readonly policies?: CalleePolicies; readonly failureMode?: "failClosed" | "failOpen"; readonly url?: string },
    kind: string,
  ) => {
    const isOrigin = of.url === undefined || /^https?:\/\/[^/?#@\s]+\/?$/.test(of.url)
    if (!isOrigin) to.fail([...path, kind, "url"], "a url has a scheme, http or https, a host, and perhaps a port")
    return {
      failureMode: of.failureMode ?? defaults.failureMode,
      ...present({ url: of.url }),
      policies: calleePolicies(of.policies ?? {}, [...path, kind, "policies"], to),
    }
  }
  if (guard.regex !== undefined) {
    return {
      _tag: "Regex",
      action: guard.regex.action ?? "mask",
      rules: guard.regex.rules.map((rule, i) => {
        if (rule.builtin !== undefined) return { _tag: "Builtin", entity: rule.builtin }
        const pattern = rule.pattern ?? ""
        const compiled = compileProgram(pattern)
        if (Result.isFailure(compiled)) to.fail([...path, "regex", "rules", i, "pattern"], compiled.failure)
        return { _tag: "Pattern", pattern, ...present({ name: rule.name }) }
      }),
    }
  }
  if (guard.keywords !== undefined) {
    return { _tag: "Keywords", action: guard.keywords.action ?? "mask", words: guard.keywords.words }
  }
  if ("promptInjection" in guard && guard.promptInjection !== undefined) {
    const { action = "reject", threshold = defaults.injectionThreshold } = guard.promptInjection
    if (threshold === 0) to.fail([...path, "promptInjection", "threshold"], "everything would be one", "Set 0.5.")
    return { _tag: "PromptInjection", action, threshold }
  }
  if (guard.webhook !== undefined) {
    const { minSizeBytes, path: at } = guard.webhook
    if (at !== undefined && !at.startsWith("/")) to.fail([...path, "webhook", "path"], "a path begins with `/`")
    const isRaw = guard.webhook.messageFormat === "raw"
    const target = simpleRef(guard.webhook.target, [...path, "webhook", "target"], to)
    return target === undefined
      ? undefined
      : {
          _tag: "Webhook",
          target,
          headers: expressions(guard.webhook.headers),
          forwardHeaderMatches: (guard.webhook.forwardHeaderMatches ?? []).map((match, i) => ({
            name: match.name.toLowerCase(),
            value: valueMatch(match.value, [...path, "webhook", "forwardHeaderMatches", i, "value"], to),
          })),
          ...present({ path: at }),
          bytesMin: minSizeBytes ?? 0,
          isRaw,
          // Whoever shortens what is said guards nothing: without it the call is dearer, not more dangerous.
          failureMode: guard.webhook.failureMode ?? (isRaw ? "failOpen" : defaults.failureMode),
        }
  }
  if ("openAIModeration" in guard && guard.openAIModeration !== undefined) {
    const { model } = guard.openAIModeration
    return {
      _tag: "OpenAiModeration",
      ...present({ model }),
      ...called(guard.openAIModeration, "openAIModeration"),
    }
  }
  if (guard.bedrockGuardrails !== undefined) {
    const { guardrailIdentifier, guardrailVersion, region } = guard.bedrockGuardrails
    return {
      _tag: "BedrockGuardrails",
      guardrailIdentifier,
      guardrailVersion,
      region,
      ...called(guard.bedrockGuardrails, "bedrockGuardrails"),
    }
  }
  if (guard.googleModelArmor !== undefined) {
    const { location: place, projectId, templateId } = guard.googleModelArmor
    return {
      _tag: "GoogleModelArmor",
      templateId,
      projectId,
      ...present({ location: place }),
      ...called(guard.googleModelArmor, "googleModelArmor"),
    }
  }
  if (guard.azureContentSafety === undefined) return undefined
  const { analyzeText: asked, detectJailbreak, endpoint, severityThreshold } = guard.azureContentSafety
  if (severityThreshold !== undefined && asked?.severityThreshold !== undefined) {
    to.fail([...path, "azureContentSafety", "severityThreshold"], "`analyzeText.severityThreshold` is set too")
  }
  const analyzeText =
    asked === undefined && severityThreshold === undefined ? undefined : { ...present({ severityThreshold }), ...asked }
  return {
    _tag: "AzureContentSafety",
    endpoint,
    ...present({
      analyzeText:
        analyzeText === undefined ? undefined : { ...analyzeText, blocklistNames: analyzeText.blocklistNames ?? [] },
      detectJailbreak,
    }),
    ...called(guard.azureContentSafety, "azureContentSafety"),
  }
}

/** Where what was not written by whoever runs the application comes in. */
const foreignScope = ["messages", "toolOutput"] as const

export const promptGuard = (guards: PromptGuard, path: Path, to: Mapping): IrPromptGuard => ({
  // Whoever guards replies means all of them.
  streaming: guards.streaming !== "Disabled",
  request: (guards.request ?? []).flatMap((guard, i) => {
    const at = [...path, "request", i]
    const kind = guardKind(guard, at, to)
    const scope = guard.scope ?? (guard.promptInjection === undefined ? defaults.guardScope : foreignScope)
    const takesScope =
      guard.promptInjection !== undefined ||
      guard.regex !== undefined ||
      guard.keywords !== undefined ||
      guard.bedrockGuardrails !== undefined
    if (guard.rejection !== undefined && guard.webhook?.messageFormat === "raw") {
      to.warn([...at, "rejection"], "what shortens messages rejects none", "Leave it out.")
    }
    if (guard.scope !== undefined && !takesScope) {
      const usual = guard.scope.every((one) => one === "systemPrompt" || one === "messages") && guard.scope.length === 2
      if (!usual)
        to.fail([...at, "scope"], "only `regex`, `keywords`, `promptInjection` and `bedrockGuardrails` take a scope")
    }
    return kind === undefined ? [] : [{ kind, scope, ...rejection(guard, at, to) }]
  }),
  response: (guards.response ?? []).flatMap((guard, i) => {
    const at = [...path, "response", i]
    if (guard.webhook?.messageFormat === "raw") {
      to.fail([...at, "webhook", "messageFormat"], "`raw` is for requests only", "Use `guardrail` for replies.")
    }
    const kind = guardKind(guard, at, to)
    return kind === undefined ? [] : [{ kind, ...rejection(guard, at, to) }]
  }),
})
