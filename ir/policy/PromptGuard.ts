/** Looks at what is said to and by a model: lets it pass, masks it or refuses it. */
import * as Schema from "effect/Schema"
import type { Named } from "../Named.ts"
import { BackendRef } from "../BackendRef.ts"
import { NamedExpression } from "../Expression.ts"
import { HeaderMatch } from "../Match.ts"
import { CalleePolicy } from "./Callee.ts"
import { HeaderEdits } from "./HeaderEdits.ts"

export const GuardEntity = Schema.Literals([
  "ssn",
  "creditCard",
  "phoneNumber",
  "email",
  "caSin",
  "iban",
  "ipAddress",
  "secretKey",
])

const action = Schema.Literals(["mask", "reject"])
/** What happens to a call whose guard cannot be asked. */
const failureMode = Schema.Literals(["failClosed", "failOpen"])
/** Instead of the service's own address: scheme, host and port. */
const url = Schema.optionalKey(Schema.NonEmptyString)

export const GuardRule = Schema.TaggedUnion({
  Builtin: { entity: GuardEntity },
  /** What was found is replaced by the name. */
  Pattern: { pattern: Schema.NonEmptyString, name: Schema.optionalKey(Schema.NonEmptyString) },
})
export type GuardRule = typeof GuardRule.Type

const policies = Schema.Array(CalleePolicy)

export const GuardKind = Schema.TaggedUnion({
  Regex: { action, rules: Schema.Array(GuardRule) },
  /** Whole words and phrases, whatever their case. */
  Keywords: { action, words: Schema.NonEmptyArray(Schema.NonEmptyString) },
  /** Texts that look as if they would take the model over; requests only. */
  PromptInjection: { action, threshold: Schema.Finite },
  Webhook: {
    target: BackendRef,
    headers: Schema.Array(NamedExpression),
    forwardHeaderMatches: Schema.Array(HeaderMatch),
    /** Absent: `/request` and `/response`. */
    path: Schema.optionalKey(Schema.NonEmptyString),
    /** Messages that are shorter, as JSON, are not sent. */
    bytesMin: Schema.Natural,
    /** Whether it gets the messages as they are, and gives them back changed, instead of judging their words. */
    isRaw: Schema.Boolean,
    failureMode,
  },
  /** Requests only. */
  OpenAiModeration: { model: Schema.optionalKey(Schema.String), url, failureMode, policies },
  BedrockGuardrails: {
    guardrailIdentifier: Schema.NonEmptyString,
    guardrailVersion: Schema.NonEmptyString,
    region: Schema.NonEmptyString,
    url,
    failureMode,
    policies,
  },
  GoogleModelArmor: {
    templateId: Schema.NonEmptyString,
    projectId: Schema.NonEmptyString,
    location: Schema.optionalKey(Schema.String),
    url,
    failureMode,
    policies,
  },
  AzureContentSafety: {
    endpoint: Schema.NonEmptyString,
    analyzeText: Schema.optionalKey(
      Schema.Struct({
        severityThreshold: Schema.optionalKey(Schema.Natural),
        apiVersion: Schema.optionalKey(Schema.String),
        blocklistNames: Schema.Array(Schema.String),
        haltOnBlocklistHit: Schema.optionalKey(Schema.Boolean),
      }),
    ),
    /** Requests only. */
    detectJailbreak: Schema.optionalKey(Schema.Struct({ apiVersion: Schema.optionalKey(Schema.String) })),
    url,
    failureMode,
    policies,
  },
})
export type GuardKind = typeof GuardKind.Type

export const Rejection = Schema.Struct({
  body: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(Schema.Natural),
  headers: Schema.optionalKey(HeaderEdits),
})
export type Rejection = typeof Rejection.Type

export const GuardScope = Schema.Literals(["systemPrompt", "messages", "toolOutput", "toolInput"])
export type GuardScope = typeof GuardScope.Type

export const RequestGuard = Schema.Struct({
  kind: GuardKind,
  rejection: Schema.optionalKey(Rejection),
  scope: Schema.Array(GuardScope),
})
export type RequestGuard = typeof RequestGuard.Type

export const ResponseGuard = Schema.Struct({ kind: GuardKind, rejection: Schema.optionalKey(Rejection) })
export type ResponseGuard = typeof ResponseGuard.Type

const promptGuard = Schema.Struct({
  /** Whether streamed replies are held back and guarded piece by piece. */
  streaming: Schema.Boolean,
  request: Schema.Array(RequestGuard),
  response: Schema.Array(ResponseGuard),
})
export interface PromptGuardSchema extends Named<typeof promptGuard> {}
export const PromptGuard: PromptGuardSchema = promptGuard
export type PromptGuard = typeof PromptGuard.Type
