/** `sessionAffinity`: what keeps requests at one endpoint. */
import * as Schema from "effect/Schema"
import type { Expression } from "../../../../ir/Expression.ts"
import type { BackendPolicy } from "../../../../ir/Policy.ts"
import { Cel } from "../grammar.ts"

export const SessionAffinity = Schema.Struct({ source: Cel }).annotate({ identifier: "SessionAffinity" })
export type SessionAffinity = typeof SessionAffinity.Type

/** Sources of affinity that need no expression evaluator; others wait for it. */
export const sessionAffinity = (policy: { readonly source: Expression }): BackendPolicy => ({
  _tag: "SessionAffinity",
  source: policy.source,
})
